/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots. What they are of, and who may delete them, is the methods'. */
#include "cpi/ec2/snapshots.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

#define PAGE_SIZE 1000
#define COMPLETED_LIMIT_MS (2 * 60 * 60 * 1000) /* a full volume of some TiB takes more than an hour */
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })
#define NO_IDS ((struct ec2_ids){ NULL, 0 })

static void read_snapshot(struct fields *fields, void *item)
{
	struct snapshot *snapshot = item;

	snapshot->id = fields_required(fields, "snapshotId");
	snapshot->state = fields_text(fields, "status");
	snapshot->state_message = fields_text(fields, "statusMessage");
	snapshot->progress = fields_text(fields, "progress");
	snapshot->volume_id = fields_text(fields, "volumeId");
	snapshot->description = fields_text(fields, "description");
	snapshot->volume_size_gib = fields_u64(fields, "volumeSize");
	snapshot->encrypted = fields_bool(fields, "encrypted");
	snapshot->tags = fields_tags(fields);
}

static int describe_snapshots(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids,
			      struct ec2_filters filters, bool created_by_us, struct snapshot **ret_snapshots,
			      size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeSnapshots",
		.id_name = "SnapshotId",
		.set = "snapshotSet",
		.what = ids.count == 1 ? "snapshot" : "snapshots",
		.owner = ids.count == 0 ? "self" : NULL, /* else EC2 lists the whole region's public ones */
		.owner_name = "Owner",
		.page_size = PAGE_SIZE,
		.created_by_us = created_by_us,
		.item_size = sizeof(struct snapshot),
		.read = read_snapshot,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_snapshots = items;
	return 0;
}

int snapshot_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		      struct snapshot **ret_snapshots, size_t *ret_count, struct error *err)
{
	return describe_snapshots(ec2, arena, ids, filters, false, ret_snapshots, ret_count, err);
}

/* --- creating ----------------------------------------------------------------------------------------------------- */

/* Whether a call whose answer was lost made the snapshot. */
struct lost_snapshot {
	struct ec2_client *ec2;
	struct arena *arena;
	const struct ec2_tag *unique_tag;
	bool asked;
	struct snapshot *found;
};

static int settle_snapshot(void *self, struct error *err)
{
	struct lost_snapshot *lost = self;
	char name[160];
	struct snapshot *snapshots;
	size_t count;

	lost->asked = true;
	snprintf(name, sizeof(name), "tag:%s", lost->unique_tag->key);
	struct ec2_filter filter = { .name = name, .values = &lost->unique_tag->value, .n_values = 1 };
	if (snapshot_describe(lost->ec2, lost->arena, NO_IDS, (struct ec2_filters){ &filter, 1 }, &snapshots, &count,
			      err) != 0)
		return -1;
	lost->found = count > 0 ? &snapshots[0] : NULL;
	return count > 0;
}

int snapshot_create(struct ec2_client *ec2, struct arena *arena, const char *volume_id, const char *description,
		    struct ec2_tags tags, const struct ec2_tag *unique_tag, struct snapshot *ret_snapshot,
		    struct error *err)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct lost_snapshot lost = { .ec2 = ec2, .arena = arena, .unique_tag = unique_tag };
	struct aws_params params PARAMS_CLEANUP;
	const struct xml_node *root;
	char purpose[160];

	aws_params_init(&params);
	if (scratch == NULL)
		return error_nomem(err);
	aws_params_add(&params, "VolumeId", volume_id);
	aws_params_add(&params, "Description", description);
	params_tag_specification(&params, 1, "snapshot", tags);
	snprintf(purpose, sizeof(purpose), "new snapshot of volume %s", volume_id);
	struct aws_call call = {
		.action = "CreateSnapshot",
		.params = &params,
		.purpose = purpose,
		.settle = unique_tag == NULL ? NULL : settle_snapshot,
		.settle_self = &lost,
	};
	if (action_call(ec2, call, scratch, &root, err) != 0)
		return -1;
	if (root == NULL) {
		*ret_snapshot = *lost.found;
		return 0;
	}
	struct fields fields = { .arena = arena, .node = root };
	struct snapshot snapshot = { .maybe_twice = lost.asked };
	read_snapshot(&fields, &snapshot);
	if (fields_check(&fields, call.action, err) != 0)
		return -1;
	*ret_snapshot = snapshot;
	return 0;
}

int snapshot_delete(struct ec2_client *ec2, const char *snapshot_id, bool *ret_existed, struct error *err)
{
	static const struct action_removal removal = { .action = "DeleteSnapshot", .id_name = "SnapshotId", .what = "snapshot" };

	return action_remove(ec2, &removal, snapshot_id, ret_existed, err);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

struct snapshot_wait {
	struct ec2_client *ec2;
	const char *snapshot_id;
	bool just_created; /* and not seen yet */
};

static int look_completed(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			  struct error *err)
{
	struct snapshot_wait *wait = self;
	struct ec2_ids ids = { &wait->snapshot_id, 1 };
	struct snapshot *snapshots;
	size_t count;

	if (describe_snapshots(wait->ec2, scratch, ids, NO_FILTERS, wait->just_created, &snapshots, &count, err) != 0)
		return -1;
	if (count == 0)
		return error_set(err, ERROR_CLOUD, "snapshot %s does not exist (any more)", wait->snapshot_id);
	const struct snapshot *snapshot = &snapshots[0];
	wait->just_created = false;
	snprintf(seen, seen_size, "state %s, %s", snapshot->state,
		 *snapshot->progress == '\0' ? "no progress given" : snapshot->progress);
	if (strcmp(snapshot->state, "error") == 0)
		return error_set(err, ERROR_CLOUD, "snapshot %s is in state error: %s", wait->snapshot_id,
				 *snapshot->state_message == '\0' ? "EC2 gives no reason" : snapshot->state_message);
	*ret_look = strcmp(snapshot->state, "completed") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

int snapshot_wait_completed(struct ec2_client *ec2, const char *snapshot_id, const struct wait_options *wait,
			    struct error *err)
{
	struct snapshot_wait look = { ec2, snapshot_id, wait_just_created(wait) };
	const struct wait_goal goal = { "snapshot", snapshot_id, "completed", COMPLETED_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_completed, &look, err);
}
