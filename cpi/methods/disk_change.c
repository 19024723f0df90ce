/* SPDX-License-Identifier: Apache-2.0 */
/* What of a change EC2 can do in place, and when a failure means that nothing was changed. */
#include "cpi/methods/disk_change.h"

#include <inttypes.h>
#include <string.h>

#include "cpi/ec2/tags.h"
#include "cpi/ec2/volume_modifications.h"
#include "cpi/ec2/volumes.h"
#include "cpi/methods/disk_types.h"
#include "cpi/methods/found.h"

static int not_supported(struct error *err)
{
	err->kind = ERROR_NOT_SUPPORTED;
	return -1;
}

static int check_kind(const char *disk_cid, const struct volume *volume, uint64_t new_gib, struct error *err)
{
	if (new_gib < volume->size_gib)
		return error_set(err, ERROR_NOT_SUPPORTED,
				 "Cannot resize disk '%s' to a smaller size from %" PRIu64 " GiB to %" PRIu64 " GiB", disk_cid,
				 volume->size_gib, new_gib);
	if (!disk_types_can_change(volume->type))
		return error_set(err, ERROR_NOT_SUPPORTED, "Cannot change disk '%s' in place: it is of type %s", disk_cid,
				 volume->type);
	return 0;
}

/* The modification itself was refused: not a look-up after its answer was lost, nor a call that may have been heard. */
static bool is_refused(const struct error *err)
{
	return strcmp(err->aws_action, "ModifyVolume") == 0 && err->not_done;
}

static int wait_changed(struct call *call, const char *disk_cid, struct error *err)
{
	const struct wait_options wait = { .just_created = true };

	return volume_wait_modified(call->ec2, disk_cid, &wait, err);
}

/* --- resize_disk --- */

static bool is_too_soon(const struct error *err)
{
	return is_refused(err) && (strcmp(err->aws_code, "VolumeModificationRateExceeded") == 0 ||
				   strcmp(err->aws_code, "IncorrectModificationState") == 0);
}

static int check_size(const char *disk_cid, const struct volume *volume, uint64_t new_gib, struct error *err)
{
	if (check_kind(disk_cid, volume, new_gib, err) != 0)
		return -1;
	if (volume->n_attachments > 0)
		return error_set(err, ERROR_CLOUD, "Cannot resize disk '%s': it still has %zu attachment(s), to %s", disk_cid,
				 volume->n_attachments, volume->attachments[0].instance_id);
	if (disk_types_check(volume->type, new_gib, err) != 0)
		return error_prefix(err, "Cannot resize disk '%s'", disk_cid);
	return 0;
}

int disk_change_size(struct call *call, const char *disk_cid, uint64_t new_size_mib, struct error *err)
{
	const struct volume_modify_request change = { .size_gib = disk_types_gib(new_size_mib) };
	struct volume volume;

	if (found_disk(call, disk_cid, &volume, err) != 0)
		return -1;
	if (volume.size_gib == change.size_gib) {
		log_info(call->runtime->log, "disk '%s' has %" PRIu64 " GiB already", disk_cid, volume.size_gib);
		return 0;
	}
	if (check_size(disk_cid, &volume, change.size_gib, err) != 0)
		return -1;
	if (volume_modify(call->ec2, disk_cid, &change, err) != 0) {
		if (is_too_soon(err))
			not_supported(err);
		return error_prefix(err, "Cannot resize disk '%s' from %" PRIu64 " GiB to %" PRIu64 " GiB", disk_cid,
				    volume.size_gib, change.size_gib);
	}
	if (wait_changed(call, disk_cid, err) != 0)
		return -1;
	log_info(call->runtime->log, "resized disk '%s' from %" PRIu64 " GiB to %" PRIu64 " GiB", disk_cid, volume.size_gib,
		 change.size_gib);
	return 0;
}

/* --- update_disk --- */

/* Either may be an ARN or a bare id; an alias cannot be compared, and counts as another key. */
static bool is_same_key(const char *wanted, const char *actual)
{
	size_t wanted_len = strlen(wanted), actual_len = strlen(actual);

	if (wanted_len >= actual_len)
		return strcmp(wanted, actual) == 0;
	const char *tail = actual + actual_len - wanted_len;
	return strcmp(tail, wanted) == 0 && (tail[-1] == '/' || tail[-1] == ':');
}

/* A disk that is encrypted though nobody says so is so by the account's default, as a copy of it would be. */
static int check_encryption(const char *disk_cid, const struct volume *volume,
			    const struct disk_properties *properties, struct error *err)
{
	bool differs = properties->encrypted ? !volume->encrypted : properties->encrypted_given && volume->encrypted;

	if (differs)
		return error_set(err, ERROR_NOT_SUPPORTED, "Cannot change disk '%s' in place: it is %s, and is to be %s", disk_cid,
				 volume->encrypted ? "encrypted" : "not encrypted",
				 properties->encrypted ? "encrypted" : "not encrypted");
	if (properties->encrypted && properties->kms_key_arn != NULL &&
	    !is_same_key(properties->kms_key_arn, volume->kms_key_id))
		return error_set(err, ERROR_NOT_SUPPORTED,
				 "Cannot change disk '%s' in place: it is encrypted with the key %s, and is to be with %s", disk_cid,
				 volume->kms_key_id, properties->kms_key_arn);
	return 0;
}

static int check_goal(const char *disk_cid, const char *type, uint64_t new_gib, struct error *err)
{
	if (!disk_types_can_change(type))
		return error_set(err, ERROR_NOT_SUPPORTED, "Cannot change disk '%s' in place to type %s", disk_cid, type);
	if (disk_types_check(type, new_gib, err) != 0) {
		not_supported(err);
		return error_prefix(err, "Cannot change disk '%s' in place", disk_cid);
	}
	return 0;
}

static bool is_nothing(const struct volume_modify_request *change)
{
	return change->size_gib == 0 && change->type == NULL && change->iops == 0 && change->throughput_mibs == 0;
}

static uint64_t if_different(uint64_t wanted, uint64_t actual)
{
	return wanted != actual ? wanted : 0;
}

/* *ret_change holds what differs. */
static int plan(const char *disk_cid, const struct volume *volume, uint64_t new_gib,
		const struct disk_properties *properties, struct volume_modify_request *ret_change, struct error *err)
{
	bool retyped = properties->type != NULL && strcmp(properties->type, volume->type) != 0;
	struct volume_modify_request change = {
		.size_gib = if_different(new_gib, volume->size_gib),
		.type = retyped ? properties->type : NULL,
		.iops = if_different(properties->iops, volume->iops),
		.throughput_mibs = if_different(properties->throughput_mibs, volume->throughput_mibs),
	};

	if (check_encryption(disk_cid, volume, properties, err) != 0)
		return -1;
	if (retyped) {
		/* the values of a type that is left are not those of the new one */
		change.iops = properties->iops;
		change.throughput_mibs = properties->throughput_mibs;
	}
	if (!is_nothing(&change) &&
	    (check_kind(disk_cid, volume, new_gib, err) != 0 ||
	     check_goal(disk_cid, retyped ? properties->type : volume->type, new_gib, err) != 0))
		return -1;
	*ret_change = change;
	return 0;
}

static int modify(struct call *call, const char *disk_cid, const struct volume_modify_request *change,
		  struct error *err)
{
	if (volume_modify(call->ec2, disk_cid, change, err) != 0) {
		if (is_refused(err))
			not_supported(err);
		return error_prefix(err, "Cannot change disk '%s' in place", disk_cid);
	}
	return wait_changed(call, disk_cid, err);
}

/* The disk is what it should be by now, and the Director is not to copy it because of a tag. */
static void put_tags(struct call *call, const char *disk_cid, struct ec2_tags actual, struct ec2_tags wanted)
{
	struct ec2_tag *items = arena_array(call->arena, wanted.count + 1, sizeof(*items));
	struct ec2_tags changed = { .items = items };
	struct error why;

	for (size_t i = 0; items != NULL && i < wanted.count; i++) {
		const char *value = tags_get(actual, wanted.items[i].key);
		if (value == NULL || strcmp(value, wanted.items[i].value) != 0)
			items[changed.count++] = wanted.items[i];
	}
	if (changed.count > 0 && disk_set_metadata(call, disk_cid, changed, &why) != 0)
		log_warn(call->runtime->log, "%s", why.message);
}

/* The Director has the disk detached, and goes on only on ERROR_NOT_SUPPORTED. */
static int nothing_changed(struct error *err)
{
	switch (err->kind) {
	case ERROR_DISK_NOT_FOUND:
	case ERROR_CANCELLED:
	case ERROR_NOMEM:
		return -1;
	default:
		return not_supported(err);
	}
}

int disk_change_update(struct call *call, const char *disk_cid, uint64_t new_size_mib,
		       const struct disk_properties *properties, struct error *err)
{
	struct volume_modify_request change;
	struct volume volume;

	if (found_disk(call, disk_cid, &volume, err) != 0)
		return nothing_changed(err);
	if (plan(disk_cid, &volume, disk_types_gib(new_size_mib), properties, &change, err) != 0)
		return -1;
	if (is_nothing(&change))
		log_info(call->runtime->log, "disk '%s' is as it should be", disk_cid);
	else if (modify(call, disk_cid, &change, err) != 0)
		return -1;
	else
		log_info(call->runtime->log, "changed disk '%s' in place", disk_cid);
	put_tags(call, disk_cid, volume.tags, properties->tags);
	return 0;
}
