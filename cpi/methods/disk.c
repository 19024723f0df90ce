/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "cpi/ec2/tags.h"
#include "cpi/ec2/volumes.h"
#include "cpi/ec2/wait.h"
#include "cpi/ec2/zones.h"
#include "cpi/methods/created.h"
#include "cpi/methods/disk_types.h"
#include "cpi/methods/found.h"

#define IN_USE_LIMIT_MS ((int64_t)10 * 60 * 1000)

/* --- creating --- */

/* At random: else all disks of a region would crowd into its first zone. */
static int pick_zone(struct call *call, const char **ret_zone, struct error *err)
{
	struct ec2_ids zones;
	uint32_t number;

	if (zone_describe(call->ec2, call->arena, &zones, err) != 0)
		return error_prefix(err, "cannot see which availability zones there are");
	if (zones.count == 0)
		return error_set(err, ERROR_CLOUD,
				 "no availability zone is available; set aws.availability_zone in the configuration");
	if (digest_random(&number, sizeof(number), err) != 0)
		return -1;
	*ret_zone = zones.items[number % zones.count];
	return 0;
}

static int find_zone(struct call *call, const struct disk_create_request *request, const char **ret_zone,
		     struct error *err)
{
	struct instance instance;

	if (request->vm_cid == NULL && request->availability_zone == NULL)
		return pick_zone(call, ret_zone, err);
	if (request->vm_cid == NULL) {
		*ret_zone = request->availability_zone;
		return 0;
	}
	if (found_vm(call, request->vm_cid, &instance, err) != 0)
		return -1;
	*ret_zone = instance.availability_zone;
	return 0;
}

static int check(const struct disk_create_request *request, const char *type, struct error *err)
{
	const struct disk_properties *properties = &request->properties;

	/* the configuration's key may stand for disks that are encrypted; a disk's own is meant for this one */
	if (properties->kms_key_arn_given && properties->kms_key_arn != NULL && !properties->encrypted)
		return error_set(err, ERROR_CLOUD,
				 "cloud_properties.kms_key_arn is given, but the disk is not to be encrypted; set "
				 "cloud_properties.encrypted to true, or leave the key out");
	return disk_types_check(type, disk_types_gib(request->size_mib), err);
}

static int create_volume(struct call *call, const struct disk_properties *properties,
			 struct volume_create_request *request, struct undo_step *step, struct volume *ret_volume,
			 struct error *err)
{
	request->iops = properties->iops;
	request->throughput_mibs = properties->throughput_mibs;
	request->encrypted = properties->encrypted;
	request->kms_key_id = properties->encrypted ? properties->kms_key_arn : NULL;
	if (created_volume(call, step, properties->tags, request, ret_volume, err) != 0)
		return error_prefix(err, "cannot create a disk of %" PRIu64 " GiB in %s", request->size_gib,
				    request->availability_zone);
	return 0;
}

int disk_create(struct call *call, const struct disk_create_request *request, const char **ret_disk_cid,
		struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	struct volume_create_request creation = {
		.size_gib = disk_types_gib(request->size_mib),
		.type = request->properties.type != NULL ? request->properties.type : DISK_TYPES_DEFAULT,
	};
	struct undo_step step;
	struct volume volume;

	if (check(request, creation.type, err) != 0 ||
	    find_zone(call, request, &creation.availability_zone, err) != 0 ||
	    undo_intend(call->undo, UNDO_VOLUME, &step, err) != 0 ||
	    create_volume(call, &request->properties, &creation, &step, &volume, err) != 0)
		return -1;
	log_info(call->runtime->log, "creating disk '%s' (%" PRIu64 " GiB, %s) in %s", volume.id, creation.size_gib,
		 creation.type, creation.availability_zone);
	if (volume_wait_available(call->ec2, volume.id, &wait, err) != 0)
		return -1;
	*ret_disk_cid = volume.id;
	return 0;
}

/* --- deleting --- */

struct deletion {
	struct ec2_client *ec2;
	const char *disk_cid;
	bool existed;
	bool failed;
	struct error failure;
};

/* EC2 goes on saying VolumeInUse for a while after the VM that had the disk is gone. Any other failure has been repeated
 * below as often as it should be. */
static int look_deleted(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			struct error *err)
{
	struct deletion *deletion = self;

	(void)scratch;
	(void)err;
	*ret_look = WAIT_DONE;
	if (volume_delete(deletion->ec2, deletion->disk_cid, &deletion->existed, &deletion->failure) == 0)
		return 0;
	if (deletion->failure.kind == ERROR_AWS && strcmp(deletion->failure.aws_code, "VolumeInUse") == 0) {
		snprintf(seen, seen_size, "%s", deletion->failure.message);
		*ret_look = WAIT_AGAIN;
		return 0;
	}
	deletion->failed = true;
	return 0;
}

static int delete_volume(struct call *call, const char *disk_cid, struct error *err)
{
	struct deletion deletion = { .ec2 = call->ec2, .disk_cid = disk_cid };
	char what[160];

	snprintf(what, sizeof(what), "disk '%s' to be out of use and deleted", disk_cid);
	if (wait_until(call->ec2, what, IN_USE_LIMIT_MS, look_deleted, &deletion, err) != 0)
		return -1;
	if (deletion.failed) {
		*err = deletion.failure;
		return error_prefix(err, "cannot delete disk '%s'", disk_cid);
	}
	return deletion.existed ? 0 : found_no_disk(disk_cid, err);
}

/* It may be gone already, and then there is nothing to rename. */
static void rename_deleted(struct call *call, const char *disk_cid)
{
	const struct ec2_tag name = { .key = "Name", .value = "to be deleted" };
	struct error why;

	if (tags_create_if_there(call->ec2, (struct ec2_ids){ .items = &disk_cid, .count = 1 },
				 (struct ec2_tags){ .items = &name, .count = 1 }, &why) != 0)
		log_warn(call->runtime->log, "disk '%s' is being deleted, but cannot be renamed: %s", disk_cid, why.message);
	else
		log_info(call->runtime->log, "disk '%s' is being deleted, and not waited for", disk_cid);
}

int disk_delete(struct call *call, const char *disk_cid, struct error *err)
{
	const struct wait_options wait = { 0 };

	if (delete_volume(call, disk_cid, err) != 0)
		return -1;
	if (call->config->fast_path_delete) {
		rename_deleted(call, disk_cid);
		return 0;
	}
	if (volume_wait_deleted(call->ec2, disk_cid, &wait, err) != 0)
		return -1;
	log_info(call->runtime->log, "deleted disk '%s'", disk_cid);
	return 0;
}

/* --- the rest --- */

int disk_has(struct call *call, const char *disk_cid, bool *ret_has, struct error *err)
{
	struct volume volume;
	struct error why;
	bool has = found_disk(call, disk_cid, &volume, &why) == 0;

	if (!has && why.kind != ERROR_DISK_NOT_FOUND) {
		*err = why;
		return -1;
	}
	*ret_has = has;
	return 0;
}

int disk_set_metadata(struct call *call, const char *disk_cid, struct ec2_tags tags, struct error *err)
{
	struct error why;

	if (tags_create(call->ec2, (struct ec2_ids){ .items = &disk_cid, .count = 1 }, tags, &why) == 0)
		return 0;
	if (tags_are_refused(&why)) {
		log_error(call->runtime->log, "could not tag disk '%s': %s", disk_cid, why.message);
		return 0;
	}
	if (ec2_is_not_found(&why))
		return found_no_disk(disk_cid, err);
	*err = why;
	return error_prefix(err, "cannot tag disk '%s'", disk_cid);
}
