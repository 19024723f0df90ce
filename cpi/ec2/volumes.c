/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and their attachments. When a volume is made, and what becomes of it afterwards, is the methods'. */
#include "cpi/ec2/volumes.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

#define PAGE_SIZE 500
#define AVAILABLE_LIMIT_MS (10 * 60 * 1000)
#define ATTACH_LIMIT_MS (10 * 60 * 1000)
#define DETACH_LIMIT_MS (10 * 60 * 1000)
#define DELETE_LIMIT_MS (10 * 60 * 1000)
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })

static void read_attachment(struct fields *fields, void *item)
{
	struct volume_attachment *attachment = item;

	attachment->instance_id = fields_text(fields, "instanceId");
	attachment->device = fields_text(fields, "device");
	attachment->state = fields_text(fields, "status");
	attachment->delete_on_termination = fields_bool(fields, "deleteOnTermination");
}

static void read_volume(struct fields *fields, void *item)
{
	struct volume *volume = item;

	volume->id = fields_required(fields, "volumeId");
	volume->state = fields_text(fields, "status");
	volume->type = fields_text(fields, "volumeType");
	volume->availability_zone = fields_text(fields, "availabilityZone");
	volume->snapshot_id = fields_text(fields, "snapshotId");
	volume->size_gib = fields_u64(fields, "size");
	volume->iops = fields_u64(fields, "iops");
	volume->throughput_mibs = fields_u64(fields, "throughput");
	volume->encrypted = fields_bool(fields, "encrypted");
	volume->kms_key_id = fields_text(fields, "kmsKeyId");
	volume->attachments = fields_list(fields, "attachmentSet", sizeof(struct volume_attachment), read_attachment,
					  &volume->n_attachments);
	volume->tags = fields_tags(fields);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

int volume_create(struct ec2_client *ec2, struct arena *arena, const struct volume_create_request *request,
		  struct volume *ret_volume, struct error *err)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct aws_params params PARAMS_CLEANUP;
	const struct xml_node *root;
	char purpose[160];

	aws_params_init(&params);
	if (scratch == NULL)
		return error_nomem(err);
	if (action_check_token("CreateVolume", request->client_token, err) != 0)
		return -1;
	params_u64(&params, "Size", request->size_gib);
	aws_params_add(&params, "AvailabilityZone", request->availability_zone);
	aws_params_add(&params, "VolumeType", request->type);
	aws_params_add(&params, "SnapshotId", request->snapshot_id);
	params_true(&params, "Encrypted", request->encrypted);
	aws_params_add(&params, "KmsKeyId", request->kms_key_id);
	params_u64(&params, "Iops", request->iops);
	params_u64(&params, "Throughput", request->throughput_mibs);
	aws_params_add(&params, "ClientToken", request->client_token);
	params_tag_specification(&params, 1, "volume", request->tags);
	snprintf(purpose, sizeof(purpose), "new volume in %s", request->availability_zone);
	struct aws_call call = { .action = "CreateVolume", .params = &params, .purpose = purpose };
	if (action_call(ec2, call, scratch, &root, err) != 0)
		return -1;
	struct fields fields = { .arena = arena, .node = root };
	struct volume volume = { 0 };
	read_volume(&fields, &volume);
	if (fields_check(&fields, call.action, err) != 0)
		return -1;
	*ret_volume = volume;
	return 0;
}

static int describe_volumes(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
			    bool created_by_us, struct volume **ret_volumes, size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeVolumes",
		.id_name = "VolumeId",
		.set = "volumeSet",
		.what = ids.count == 1 ? "volume" : "volumes",
		.page_size = PAGE_SIZE,
		.created_by_us = created_by_us,
		.item_size = sizeof(struct volume),
		.read = read_volume,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_volumes = items;
	return 0;
}

int volume_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		    struct volume **ret_volumes, size_t *ret_count, struct error *err)
{
	return describe_volumes(ec2, arena, ids, filters, false, ret_volumes, ret_count, err);
}

/* One volume; *ret_volume NULL where there is none of that id (any more). */
static int find_volume(struct ec2_client *ec2, struct arena *arena, const char *volume_id, bool created_by_us,
		       struct volume **ret_volume, struct error *err)
{
	struct ec2_ids ids = { &volume_id, 1 };
	struct error failure = { 0 };
	struct volume *volumes;
	size_t count;

	if (describe_volumes(ec2, arena, ids, NO_FILTERS, created_by_us, &volumes, &count, &failure) == 0) {
		*ret_volume = count > 0 ? &volumes[0] : NULL;
		return 0;
	}
	if (ec2_is_not_found(&failure) && !created_by_us) {
		*ret_volume = NULL;
		return 0;
	}
	if (err != NULL)
		*err = failure;
	return -1;
}

int volume_find(struct ec2_client *ec2, struct arena *arena, const char *volume_id, struct volume **ret_volume,
		struct error *err)
{
	return find_volume(ec2, arena, volume_id, false, ret_volume, err);
}

const struct volume_attachment *volume_attachment_to(const struct volume *volume, const char *instance_id)
{
	for (size_t i = 0; i < volume->n_attachments; i++) {
		const struct volume_attachment *attachment = &volume->attachments[i];
		bool there = strcmp(attachment->state, "detached") != 0;
		if (there && (instance_id == NULL || strcmp(attachment->instance_id, instance_id) == 0))
			return attachment;
	}
	return NULL;
}

/* What EC2 says of a volume that is attached already. */
static bool may_be_attached(const struct error *failure)
{
	return failure->kind == ERROR_AWS &&
	       (strcmp(failure->aws_code, "VolumeInUse") == 0 || strcmp(failure->aws_code, "IncorrectState") == 0 ||
		(strcmp(failure->aws_code, "InvalidParameterValue") == 0 &&
		 strstr(failure->message, "in use") != NULL));
}

/* After a refusal: 0 when the volume is where it should be. *failure says where else it is. */
static int look_at_attachment(struct ec2_client *ec2, const char *volume_id, const char *instance_id,
			      const char *device, struct error *failure)
{
	struct arena *arena CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct volume *volume = NULL;

	if (arena == NULL || volume_find(ec2, arena, volume_id, &volume, NULL) != 0 || volume == NULL)
		return -1;
	const struct volume_attachment *attachment = volume_attachment_to(volume, NULL);
	if (attachment == NULL)
		return -1;
	bool in_place = strcmp(attachment->instance_id, instance_id) == 0 && strcmp(attachment->device, device) == 0 &&
			(strcmp(attachment->state, "attached") == 0 || strcmp(attachment->state, "attaching") == 0);
	if (in_place)
		return 0;
	return error_prefix(failure, "volume %s is %s to instance %s as %s", volume_id, attachment->state,
			    attachment->instance_id, attachment->device);
}

int volume_attach(struct ec2_client *ec2, const char *volume_id, const char *instance_id, const char *device,
		  struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	struct error failure = { 0 };
	char purpose[160];

	aws_params_init(&params);
	aws_params_add(&params, "VolumeId", volume_id);
	aws_params_add(&params, "InstanceId", instance_id);
	aws_params_add(&params, "Device", device);
	snprintf(purpose, sizeof(purpose), "volume %s to instance %s", volume_id, instance_id);
	struct aws_call call = { .action = "AttachVolume", .params = &params, .purpose = purpose };
	if (action_plain(ec2, call, &failure) == 0)
		return 0;
	/* the second answer to a request whose first answer was lost */
	if (may_be_attached(&failure) && look_at_attachment(ec2, volume_id, instance_id, device, &failure) == 0)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

static bool is_gone_or_detached(struct ec2_client *ec2, const char *volume_id, const char *instance_id,
				const struct error *failure)
{
	struct arena *arena CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct volume *volume;

	if (ec2_is_not_found(failure))
		return true; /* InvalidVolume.NotFound, InvalidAttachment.NotFound */
	if (failure->kind != ERROR_AWS || strcmp(failure->aws_code, "IncorrectState") != 0)
		return false;
	if (arena == NULL || volume_find(ec2, arena, volume_id, &volume, NULL) != 0)
		return false;
	return volume == NULL || volume_attachment_to(volume, instance_id) == NULL;
}

/* *lost: an attempt's answer was, so that it may have detached what the next one did not find. */
static int detach(struct ec2_client *ec2, const char *volume_id, const char *instance_id, bool force, bool *lost,
		  struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[160];

	aws_params_init(&params);
	aws_params_add(&params, "VolumeId", volume_id);
	aws_params_add(&params, "InstanceId", instance_id);
	params_true(&params, "Force", force);
	snprintf(purpose, sizeof(purpose), "volume %s", volume_id);
	struct aws_call call = {
		.action = "DetachVolume",
		.params = &params,
		.purpose = purpose,
		.settle = action_note_lost,
		.settle_self = lost,
	};
	return action_plain(ec2, call, err);
}

int volume_detach(struct ec2_client *ec2, const char *volume_id, const char *instance_id, bool force,
		  struct error *err)
{
	struct error failure = { 0 };
	bool lost = false;

	if (detach(ec2, volume_id, instance_id, force, &lost, &failure) == 0 ||
	    is_gone_or_detached(ec2, volume_id, instance_id, &failure))
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

int volume_detach_attached(struct ec2_client *ec2, const char *volume_id, struct error *err)
{
	struct error failure = { 0 };
	bool lost = false;

	if (detach(ec2, volume_id, NULL, false, &lost, &failure) == 0 ||
	    (lost && is_gone_or_detached(ec2, volume_id, NULL, &failure)))
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

int volume_delete(struct ec2_client *ec2, const char *volume_id, bool *ret_existed, struct error *err)
{
	static const struct action_removal removal = { .action = "DeleteVolume", .id_name = "VolumeId", .what = "volume" };

	return action_remove(ec2, &removal, volume_id, ret_existed, err);
}

/* --- waits -------------------------------------------------------------------------------------------------------- */

struct volume_wait {
	struct ec2_client *ec2;
	const char *volume_id;
	const char *instance_id;
	bool just_created; /* and not seen yet */
};

/* The volume as it is now (NULL: none), described in seen. */
static int look_at_volume(struct volume_wait *wait, struct arena *scratch, struct volume **ret_volume, char *seen,
			  size_t seen_size, struct error *err)
{
	struct volume *volume;

	if (find_volume(wait->ec2, scratch, wait->volume_id, wait->just_created, &volume, err) != 0)
		return -1;
	if (volume == NULL) {
		snprintf(seen, seen_size, "no such volume");
	} else if (volume->n_attachments == 0) {
		snprintf(seen, seen_size, "state %s, not attached", volume->state);
	} else {
		const struct volume_attachment *attachment = &volume->attachments[0];
		snprintf(seen, seen_size, "state %s, %s to %s as %s", volume->state, attachment->state,
			 attachment->instance_id, attachment->device);
	}
	if (volume != NULL)
		wait->just_created = false;
	*ret_volume = volume;
	return 0;
}

/* States that a volume does not come back from. */
static int check_usable(const struct volume_wait *wait, const struct volume *volume, struct error *err)
{
	if (volume == NULL)
		return error_set(err, ERROR_CLOUD,
				 "volume %s does not exist (any more): if it is encrypted with a key of "
				 "yours, may the caller use that key, and is it enabled?",
				 wait->volume_id);
	if (strcmp(volume->state, "error") == 0 || strcmp(volume->state, "deleting") == 0 ||
	    strcmp(volume->state, "deleted") == 0)
		return error_set(err, ERROR_CLOUD, "volume %s is in state %s; EC2 gives no reason", wait->volume_id,
				 volume->state);
	return 0;
}

static int look_available(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			  struct error *err)
{
	struct volume *volume;

	if (look_at_volume(self, scratch, &volume, seen, seen_size, err) != 0 || check_usable(self, volume, err) != 0)
		return -1;
	*ret_look = strcmp(volume->state, "available") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

static int look_attached(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			 struct error *err)
{
	struct volume_wait *wait = self;
	struct volume *volume;

	if (look_at_volume(wait, scratch, &volume, seen, seen_size, err) != 0 || check_usable(wait, volume, err) != 0)
		return -1;
	const struct volume_attachment *attachment = volume_attachment_to(volume, wait->instance_id);
	const struct volume_attachment *elsewhere = volume_attachment_to(volume, NULL);
	if (attachment == NULL && elsewhere != NULL)
		return error_set(err, ERROR_CLOUD, "volume %s is attached to instance %s, not to %s", wait->volume_id,
				 elsewhere->instance_id, wait->instance_id);
	bool done = attachment != NULL && strcmp(attachment->state, "attached") == 0;
	*ret_look = done ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

static int look_detached(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			 struct error *err)
{
	struct volume *volume;

	if (look_at_volume(self, scratch, &volume, seen, seen_size, err) != 0)
		return -1;
	*ret_look = volume == NULL || volume_attachment_to(volume, NULL) == NULL ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

static int look_deleted(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			struct error *err)
{
	struct volume_wait *wait = self;
	struct volume *volume;

	if (look_at_volume(wait, scratch, &volume, seen, seen_size, err) != 0)
		return -1;
	if (volume != NULL && strcmp(volume->state, "error") == 0)
		return error_set(err, ERROR_CLOUD,
				 "volume %s is in state error while it is deleted; EC2 gives no reason",
				 wait->volume_id);
	*ret_look = volume == NULL || strcmp(volume->state, "deleted") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

int volume_wait_available(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			  struct error *err)
{
	struct volume_wait look = { ec2, volume_id, NULL, wait_just_created(wait) };
	const struct wait_goal goal = { "volume", volume_id, "available", AVAILABLE_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_available, &look, err);
}

int volume_wait_attached(struct ec2_client *ec2, const char *volume_id, const char *instance_id,
			 const struct wait_options *wait, struct error *err)
{
	struct volume_wait look = { ec2, volume_id, instance_id, wait_just_created(wait) };
	const struct wait_goal goal = { "volume", volume_id, "attached", ATTACH_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_attached, &look, err);
}

int volume_wait_detached(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			 struct error *err)
{
	struct volume_wait look = { ec2, volume_id, NULL, wait_just_created(wait) };
	const struct wait_goal goal = { "volume", volume_id, "detached", DETACH_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_detached, &look, err);
}

int volume_wait_deleted(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			struct error *err)
{
	struct volume_wait look = { ec2, volume_id, NULL, wait_just_created(wait) };
	const struct wait_goal goal = { "volume", volume_id, "deleted", DELETE_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_deleted, &look, err);
}
