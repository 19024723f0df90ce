/* SPDX-License-Identifier: Apache-2.0 */
/* Tags of things that are created, volumes, and snapshots, which EC2 takes no client token for. */
#include "cpi/methods/created.h"

#include <string.h>

#include "common/log.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "cpi/methods/leftover.h"

static void put(struct ec2_tag *tags, size_t *count, struct ec2_tag tag)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(tags[i].key, tag.key) == 0) {
			tags[i] = tag;
			return;
		}
	}
	tags[(*count)++] = tag;
}

int created_merge(struct arena *arena, const struct ec2_tags *lists, size_t n_lists, struct ec2_tags *ret_tags,
		  struct error *err)
{
	size_t most = 0, count = 0;

	for (size_t i = 0; i < n_lists; i++)
		most += lists[i].count;
	struct ec2_tag *tags = arena_array(arena, most + 1, sizeof(*tags));
	if (tags == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < n_lists; i++) {
		for (size_t j = 0; j < lists[i].count; j++) {
			const struct ec2_tag tag = {
				.key = tags_cut(arena, lists[i].items[j].key, TAG_KEY_MAX),
				.value = tags_cut(arena, lists[i].items[j].value, TAG_VALUE_MAX),
			};
			if (tag.key == NULL || tag.value == NULL)
				return error_nomem(err);
			put(tags, &count, tag);
		}
	}
	*ret_tags = (struct ec2_tags){ .items = tags, .count = count };
	return 0;
}

int created_tags(struct arena *arena, struct ec2_tags tags, const struct undo_step *step, struct ec2_tags *ret_tags,
		 struct error *err)
{
	const struct ec2_tags lists[] = { tags, { .items = &step->tag, .count = 1 } };
	return created_merge(arena, lists, 2, ret_tags, err);
}

void created_not(struct undo *undo, const struct undo_step *step, const struct error *err)
{
	if (err->not_done)
		undo_forget(undo, step);
}

int created_volume(struct call *call, const struct undo_step *step, struct ec2_tags tags,
		   struct volume_create_request *request, struct volume *ret_volume, struct error *err)
{
	request->client_token = step->token;
	if (created_tags(call->arena, tags, step, &request->tags, err) != 0)
		return -1;
	if (volume_create(call->ec2, call->arena, request, ret_volume, err) != 0) {
		created_not(call->undo, step, err);
		return -1;
	}
	undo_created(call->undo, step, ret_volume->id);
	return 0;
}

/* EC2 shows what it makes a moment late, so that an answer was lost and the snapshot made again: by now it shows both. */
static void remove_twin(struct call *call, const struct undo_step *step, const char *snapshot_id)
{
	struct leftover *found;
	size_t count;
	struct error why;

	if (leftover_find(call->ec2, call->arena, UNDO_SNAPSHOT, NULL, step->tag.value, &found, &count, &why) != 0) {
		log_warn(call->runtime->log, "snapshot %s may have been made twice, and that cannot be looked up: %s. Look for "
			 "others with the tag " LEFTOVER_TAG " = %s", snapshot_id, why.message, step->tag.value);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(found[i].id, snapshot_id) == 0)
			continue;
		if (leftover_remove(call->ec2, UNDO_SNAPSHOT, found[i].id, false, &why) != 0)
			log_warn(call->runtime->log, "snapshot %s was made twice, and the other one, %s, cannot be deleted: %s",
				 snapshot_id, found[i].id, why.message);
		else
			log_info(call->runtime->log, "snapshot %s was made twice: deleted %s", snapshot_id, found[i].id);
	}
}

/* Asks for it; *ret_step is the step's. */
static int begin_snapshot(struct call *call, const char *volume_id, const char *description, struct ec2_tags tags,
			  struct undo_step *ret_step, struct snapshot *ret_snapshot, struct error *err)
{
	struct ec2_tags all;

	if (undo_intend(call->undo, UNDO_SNAPSHOT, ret_step, err) != 0 ||
	    created_tags(call->arena, tags, ret_step, &all, err) != 0)
		return -1;
	if (snapshot_create(call->ec2, call->arena, volume_id, description, all, &ret_step->tag, ret_snapshot, err) != 0) {
		created_not(call->undo, ret_step, err);
		return error_prefix(err, "cannot take a snapshot of volume %s", volume_id);
	}
	if (!ret_snapshot->maybe_twice) /* else undo finds both by the tag */
		undo_created(call->undo, ret_step, ret_snapshot->id);
	log_info(call->runtime->log, "taking snapshot %s of volume %s", ret_snapshot->id, volume_id);
	return 0;
}

static int complete_snapshot(struct call *call, const struct undo_step *step, const struct snapshot *snapshot,
			     struct error *err)
{
	const struct wait_options wait = { .just_created = true };

	if (snapshot_wait_completed(call->ec2, snapshot->id, &wait, err) != 0)
		return -1;
	if (snapshot->maybe_twice) {
		remove_twin(call, step, snapshot->id);
		undo_created(call->undo, step, snapshot->id);
	}
	return 0;
}

int created_snapshot(struct call *call, const char *volume_id, const char *description, struct ec2_tags tags,
		     const char **ret_snapshot_id, struct error *err)
{
	struct snapshot snapshot;
	struct undo_step step;

	if (begin_snapshot(call, volume_id, description, tags, &step, &snapshot, err) != 0 ||
	    complete_snapshot(call, &step, &snapshot, err) != 0)
		return -1;
	*ret_snapshot_id = snapshot.id;
	return 0;
}

int created_snapshot_begun(struct call *call, const char *volume_id, const char *description, struct ec2_tags tags,
			   const char **ret_snapshot_id, struct error *err)
{
	struct snapshot snapshot;
	struct undo_step step;

	if (begin_snapshot(call, volume_id, description, tags, &step, &snapshot, err) != 0)
		return -1;
	/* by the time that one is completed EC2 shows both */
	if (snapshot.maybe_twice && complete_snapshot(call, &step, &snapshot, err) != 0)
		return -1;
	*ret_snapshot_id = snapshot.id;
	return 0;
}
