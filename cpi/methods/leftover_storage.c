/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes are detached and deleted, snapshots deleted, images deregistered with the snapshots behind them. */
#include "cpi/methods/leftover_storage.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/images.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "cpi/ec2/volumes.h"

#define FORCE_AFTER_MS ((int64_t)60 * 1000)
#define VOLUME_LIMIT_MS ((int64_t)10 * 60 * 1000)
#define SNAPSHOT_LIMIT_MS ((int64_t)2 * 60 * 1000)
#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

/* What EC2 answers while a volume or snapshot is on its way from one state to another. */
static const char *const busy[] = { "VolumeInUse", "IncorrectState", "InvalidSnapshot.InUse", NULL };

/* --- volumes --- */

static int find_volumes(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
			struct leftover_list *list, struct error *err)
{
	struct volume *volumes;
	size_t count;

	if (volume_describe(ec2, arena, query->ids, query->filters, &volumes, &count, err) != 0 ||
	    leftover_kind_room(list, arena, count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(volumes[i].state, "deleted") != 0)
			leftover_kind_add(list, volumes[i].id, volumes[i].state, volumes[i].tags);
	return 0;
}

struct removal {
	struct ec2_client *ec2;
	const char *id;
	const struct clock *clock;
	bool detach_asked;
	struct deadline force_at;
	bool forced;
};

static int push_detach(struct removal *removal, const struct volume *volume, struct error *err)
{
	struct error why;
	bool force = removal->detach_asked && deadline_passed(removal->clock, removal->force_at);

	if (removal->detach_asked && (!force || removal->forced))
		return 0;
	if (!removal->detach_asked)
		removal->force_at = deadline_in(removal->clock, FORCE_AFTER_MS);
	removal->detach_asked = true;
	removal->forced = force;
	for (size_t i = 0; i < volume->n_attachments; i++) {
		int result = volume_detach(removal->ec2, volume->id, volume->attachments[i].instance_id, force, &why);
		if (leftover_kind_unless(result, &why, busy, err) != 0)
			return -1;
		if (result != 0)
			removal->detach_asked = force; /* still attaching: asked again at the next look */
	}
	return 0;
}

/* Each look does what the volume's state allows. */
static int look_volume(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
		       struct error *err)
{
	struct removal *removal = self;
	struct volume *volume;
	struct error why;

	if (volume_find(removal->ec2, scratch, removal->id, &volume, &why) != 0)
		return leftover_kind_unless(-1, &why, busy, err);
	*ret_look = WAIT_DONE;
	if (volume == NULL || strcmp(volume->state, "deleted") == 0)
		return 0;
	*ret_look = WAIT_AGAIN;
	snprintf(seen, seen_size, "state %s, %zu attachments", volume->state, volume->n_attachments);
	if (strcmp(volume->state, "creating") == 0 || strcmp(volume->state, "deleting") == 0)
		return 0;
	if (volume->n_attachments > 0)
		return push_detach(removal, volume, err);
	int result = volume_delete(removal->ec2, removal->id, NULL, &why);
	return leftover_kind_unless(result, &why, busy, err);
}

static int remove_volume(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	struct removal removal = { .ec2 = ec2, .id = id, .clock = aws_client_runtime(ec2->aws)->clock };
	const struct leftover_goal goal = {
		.name = leftover_storage_volume.name,
		.id = id,
		.limit_ms = VOLUME_LIMIT_MS,
		.look = look_volume,
		.self = &removal,
	};

	return leftover_kind_until_gone(ec2, &goal, hurry, err);
}

const struct leftover_kind leftover_storage_volume = { "volume", find_volumes, remove_volume };

/* --- snapshots --- */

static int find_snapshots(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
			  struct leftover_list *list, struct error *err)
{
	struct snapshot *snapshots;
	size_t count;

	if (snapshot_describe(ec2, arena, query->ids, query->filters, &snapshots, &count, err) != 0 ||
	    leftover_kind_room(list, arena, count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		leftover_kind_add(list, snapshots[i].id, snapshots[i].state, snapshots[i].tags);
	return 0;
}

static int look_snapshot(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			 struct error *err)
{
	struct removal *removal = self;
	struct error why;

	(void)scratch;
	int result = snapshot_delete(removal->ec2, removal->id, NULL, &why);
	*ret_look = result == 0 ? WAIT_DONE : WAIT_AGAIN;
	if (result != 0)
		snprintf(seen, seen_size, "%s", why.message);
	return leftover_kind_unless(result, &why, busy, err);
}

static int remove_snapshot(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	struct removal removal = { .ec2 = ec2, .id = id };
	const struct leftover_goal goal = {
		.name = leftover_storage_snapshot.name,
		.id = id,
		.limit_ms = SNAPSHOT_LIMIT_MS,
		.look = look_snapshot,
		.self = &removal,
	};

	return leftover_kind_until_gone(ec2, &goal, hurry, err);
}

const struct leftover_kind leftover_storage_snapshot = { "snapshot", find_snapshots, remove_snapshot };

/* --- images --- */

static int find_images(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
		       struct leftover_list *list, struct error *err)
{
	struct image *images;
	size_t count;

	if (image_describe(ec2, arena, query->ids, query->filters, "self", &images, &count, err) != 0 ||
	    leftover_kind_room(list, arena, count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(images[i].state, "deregistered") != 0)
			leftover_kind_add(list, images[i].id, images[i].state, images[i].tags);
	return 0;
}

/* Those in its block device mappings, and those that carry its tag: a copy that is not finished has no mappings yet. */
static int remove_snapshots_of(struct ec2_client *ec2, struct arena *arena, const struct image *image, bool hurry,
			       struct error *err)
{
	const char *tag_value = tags_get(image->tags, LEFTOVER_TAG);
	const struct ec2_filter filter = { .name = "tag:" LEFTOVER_TAG, .values = &tag_value, .n_values = 1 };
	const struct leftover_query query = { .filters = { .items = &filter, .count = 1 } };
	struct leftover_list tagged = { .kind = UNDO_SNAPSHOT };

	for (size_t i = 0; i < image->n_mappings; i++)
		if (image->mappings[i].snapshot_id != NULL &&
		    remove_snapshot(ec2, image->mappings[i].snapshot_id, hurry, err) != 0)
			return error_prefix(err, "snapshot %s behind image %s", image->mappings[i].snapshot_id, image->id);
	if (tag_value == NULL)
		return 0;
	if (find_snapshots(ec2, arena, &query, &tagged, err) != 0)
		return -1;
	for (size_t i = 0; i < tagged.count; i++)
		if (remove_snapshot(ec2, tagged.items[i].id, hurry, err) != 0)
			return error_prefix(err, "snapshot %s of image %s", tagged.items[i].id, image->id);
	return 0;
}

static int remove_image(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	const struct wait_options wait = { 0 };
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct image *image;

	if (arena == NULL)
		return error_nomem(err);
	if (image_find(ec2, arena, id, &image, err) != 0)
		return -1;
	if (image_deregister(ec2, id, NULL, err) != 0 ||
	    (!hurry && image_wait_deregistered(ec2, id, &wait, err) != 0))
		return -1;
	return image != NULL ? remove_snapshots_of(ec2, arena, image, hurry, err) : 0;
}

const struct leftover_kind leftover_storage_image = { "image", find_images, remove_image };
