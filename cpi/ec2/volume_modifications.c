/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of size, type and performance. Which of them a volume may undergo is EC2's and the methods' to say. */
#include "cpi/ec2/volume_modifications.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

#define MODIFIED_LIMIT_MS (30 * 60 * 1000) /* "modifying" takes seconds as a rule, and minutes for large volumes */
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })

struct modification {
	const char *state; /* modifying, optimizing, completed, failed */
	const char *status_message;
	const char *start_time; /* ISO 8601, so that the texts sort as the times do */
	const char *progress;   /* per cent */
	const char *type;
	uint64_t size_gib;
	uint64_t iops;
	uint64_t throughput_mibs;
};

static void read_modification(struct fields *fields, void *item)
{
	struct modification *modification = item;

	modification->state = fields_required(fields, "modificationState");
	modification->status_message = fields_text(fields, "statusMessage");
	modification->start_time = fields_text(fields, "startTime");
	modification->progress = fields_text(fields, "progress");
	modification->type = fields_text(fields, "targetVolumeType");
	modification->size_gib = fields_u64(fields, "targetSize");
	modification->iops = fields_u64(fields, "targetIops");
	modification->throughput_mibs = fields_u64(fields, "targetThroughput");
}

/* The volume's latest; NULL where none is on record. expected: there is one, so NotFound is eventual consistency. */
static int find_latest(struct ec2_client *ec2, struct arena *arena, const char *volume_id, bool expected,
		       const struct modification **ret_latest, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeVolumesModifications",
		.id_name = "VolumeId",
		.set = "volumeModificationSet",
		.what = "modification of volume",
		.created_by_us = expected,
		.item_size = sizeof(struct modification),
		.read = read_modification,
	};
	const struct modification *latest = NULL;
	struct error failure = { 0 };
	void *items = NULL;
	size_t count = 0;

	int result = action_describe(ec2, arena, &describe, (struct ec2_ids){ &volume_id, 1 }, NO_FILTERS, &items,
				     &count, &failure);
	if (result != 0 && (expected || !ec2_is_not_found(&failure))) {
		if (err != NULL)
			*err = failure;
		return -1;
	}
	const struct modification *modifications = items;
	for (size_t i = 0; i < count; i++) {
		if (latest == NULL || strcmp(modifications[i].start_time, latest->start_time) >= 0)
			latest = &modifications[i];
	}
	*ret_latest = latest;
	return 0;
}

/* --- asking for one ----------------------------------------------------------------------------------------------- */

static bool leads_to(const struct modification *modification, const struct volume_modify_request *goal)
{
	return strcmp(modification->state, "failed") != 0 &&
	       (goal->size_gib == 0 || modification->size_gib == goal->size_gib) &&
	       (goal->type == NULL || strcmp(modification->type, goal->type) == 0) &&
	       (goal->iops == 0 || modification->iops == goal->iops) &&
	       (goal->throughput_mibs == 0 || modification->throughput_mibs == goal->throughput_mibs);
}

struct asked_modification {
	struct ec2_client *ec2;
	const char *volume_id;
	const struct volume_modify_request *goal;
};

/* 1 when the volume is, or is about to be, as it was asked for; 0 when it is not; -1 error. A modification that was
 * completed long ago counts as well: as it is the latest, the volume still is what it led to. */
static int look_for_goal(const struct asked_modification *asked, bool expected, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(ACTION_ARENA);
	const struct modification *latest;

	if (arena == NULL)
		return error_nomem(err);
	if (find_latest(asked->ec2, arena, asked->volume_id, expected, &latest, err) != 0)
		return -1;
	return latest != NULL && leads_to(latest, asked->goal);
}

static int settle_modification(void *self, struct error *err)
{
	return look_for_goal(self, false, err);
}

/* What EC2 says while a modification is under way, or was less than some hours ago. */
static bool may_be_under_way(const struct error *failure)
{
	return failure->kind == ERROR_AWS && (strcmp(failure->aws_code, "IncorrectModificationState") == 0 ||
					      strcmp(failure->aws_code, "VolumeModificationRateExceeded") == 0);
}

int volume_modify(struct ec2_client *ec2, const char *volume_id, const struct volume_modify_request *request,
		  struct error *err)
{
	struct asked_modification asked = { .ec2 = ec2, .volume_id = volume_id, .goal = request };
	struct aws_params params PARAMS_CLEANUP;
	struct error failure = { 0 };
	char purpose[160];

	aws_params_init(&params);
	aws_params_add(&params, "VolumeId", volume_id);
	params_u64(&params, "Size", request->size_gib);
	aws_params_add(&params, "VolumeType", request->type);
	params_u64(&params, "Iops", request->iops);
	params_u64(&params, "Throughput", request->throughput_mibs);
	snprintf(purpose, sizeof(purpose), "volume %s", volume_id);
	struct aws_call call = {
		.action = "ModifyVolume",
		.params = &params,
		.purpose = purpose,
		.settle = settle_modification,
		.settle_self = &asked,
	};
	if (action_plain(ec2, call, &failure) == 0)
		return 0;
	/* the second answer to a request whose first answer was lost, or somebody else's modification */
	if (may_be_under_way(&failure) && look_for_goal(&asked, true, NULL) == 1)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

struct modification_wait {
	struct ec2_client *ec2;
	const char *volume_id;
	bool just_created; /* and not seen yet */
};

static int look_modified(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			 struct error *err)
{
	struct modification_wait *wait = self;
	const struct modification *latest;

	if (find_latest(wait->ec2, scratch, wait->volume_id, wait->just_created, &latest, err) != 0)
		return -1;
	if (latest == NULL && !wait->just_created)
		return error_set(err, ERROR_CLOUD, "EC2 has no modification of volume %s on record", wait->volume_id);
	*ret_look = WAIT_AGAIN;
	snprintf(seen, seen_size, "no modification on record yet");
	if (latest == NULL)
		return 0;
	wait->just_created = false;
	snprintf(seen, seen_size, "state %s, %s%%", latest->state, *latest->progress == '\0' ? "0" : latest->progress);
	if (strcmp(latest->state, "failed") == 0)
		return error_set(err, ERROR_CLOUD, "the modification of volume %s has failed: %s", wait->volume_id,
				 *latest->status_message == '\0' ? "EC2 gives no reason" : latest->status_message);
	if (strcmp(latest->state, "optimizing") == 0 || strcmp(latest->state, "completed") == 0)
		*ret_look = WAIT_DONE;
	return 0;
}

int volume_wait_modified(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			 struct error *err)
{
	struct modification_wait look = { ec2, volume_id, wait_just_created(wait) };
	const struct wait_goal goal = { "volume", volume_id, "modified", MODIFIED_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_modified, &look, err);
}
