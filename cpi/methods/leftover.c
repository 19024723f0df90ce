/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for things by id or tag, and removes them through whatever state they are in. Does not decide what may go. */
#include "cpi/methods/leftover.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/images.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "cpi/ec2/volumes.h"
#include "cpi/ec2/wait.h"

#define AWAIT_MS ((int64_t)10 * 1000)
#define FORCE_AFTER_MS ((int64_t)60 * 1000)
#define VOLUME_LIMIT_MS ((int64_t)10 * 60 * 1000)
#define SNAPSHOT_LIMIT_MS ((int64_t)2 * 60 * 1000)
#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

static const char *const kind_names[] = {
	[UNDO_VOLUME] = "volume",
	[UNDO_SNAPSHOT] = "snapshot",
	[UNDO_IMAGE] = "image",
};

const char *leftover_kind_name(enum undo_kind kind)
{
	return kind_names[kind];
}

bool leftover_kind_by_name(const char *name, enum undo_kind *ret_kind)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*ret_kind = (enum undo_kind)i;
			return true;
		}
	}
	return false;
}

/* --- finding --- */

struct query {
	struct ec2_ids ids;
	struct ec2_filters filters;
};

struct list {
	struct leftover *items;
	size_t count;
};

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static void add(struct list *list, enum undo_kind kind, const char *id, const char *state, struct ec2_tags tags,
		const char *of)
{
	list->items[list->count++] = (struct leftover){
		.kind = kind,
		.id = id,
		.state = or_empty(state),
		.tag_value = or_empty(tags_get(tags, LEFTOVER_TAG)),
		.name = or_empty(tags_get(tags, "Name")),
		.of = or_empty(of),
	};
}

static bool is_state(const char *state, const char *wanted)
{
	return state != NULL && strcmp(state, wanted) == 0;
}

static int make_room(struct arena *arena, size_t count, struct list *list, struct error *err)
{
	list->items = arena_array(arena, count + 1, sizeof(*list->items));
	return list->items != NULL ? 0 : error_nomem(err);
}

static int find_volumes(struct ec2_client *ec2, struct arena *arena, const struct query *query, struct list *list,
			struct error *err)
{
	struct volume *volumes;
	size_t count;

	if (volume_describe(ec2, arena, query->ids, query->filters, &volumes, &count, err) != 0 ||
	    make_room(arena, count, list, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!is_state(volumes[i].state, "deleted"))
			add(list, UNDO_VOLUME, volumes[i].id, volumes[i].state, volumes[i].tags,
			    volumes[i].n_attachments > 0 ? volumes[i].attachments[0].instance_id : NULL);
	return 0;
}

static int find_snapshots(struct ec2_client *ec2, struct arena *arena, const struct query *query, struct list *list,
			  struct error *err)
{
	struct snapshot *snapshots;
	size_t count;

	if (snapshot_describe(ec2, arena, query->ids, query->filters, &snapshots, &count, err) != 0 ||
	    make_room(arena, count, list, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		add(list, UNDO_SNAPSHOT, snapshots[i].id, snapshots[i].state, snapshots[i].tags, snapshots[i].volume_id);
	return 0;
}

static int find_images(struct ec2_client *ec2, struct arena *arena, const struct query *query, struct list *list,
		       struct error *err)
{
	struct image *images;
	size_t count;

	if (image_describe(ec2, arena, query->ids, query->filters, "self", &images, &count, err) != 0 ||
	    make_room(arena, count, list, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!is_state(images[i].state, "deregistered"))
			add(list, UNDO_IMAGE, images[i].id, images[i].state, images[i].tags, NULL);
	return 0;
}

int leftover_find(struct ec2_client *ec2, struct arena *arena, enum undo_kind kind, const char *id, const char *tag_value,
		  struct leftover **ret_found, size_t *ret_count, struct error *err)
{
	static int (*const finders[])(struct ec2_client *, struct arena *, const struct query *, struct list *,
				      struct error *) = {
		[UNDO_VOLUME] = find_volumes,
		[UNDO_SNAPSHOT] = find_snapshots,
		[UNDO_IMAGE] = find_images,
	};
	const struct ec2_filter filter = { .name = "tag:" LEFTOVER_TAG, .values = &tag_value, .n_values = 1 };
	struct query query = { 0 };
	struct list list = { 0 };
	struct error why;

	if (id != NULL)
		query.ids = (struct ec2_ids){ .items = &id, .count = 1 };
	else
		query.filters = (struct ec2_filters){ .items = &filter, .count = 1 };
	if (finders[kind](ec2, arena, &query, &list, &why) != 0 && !ec2_is_not_found(&why)) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	*ret_found = list.items;
	*ret_count = list.count;
	return 0;
}

struct awaited {
	struct ec2_client *ec2;
	struct arena *arena;
	enum undo_kind kind;
	const char *id;
	const char *tag_value;
	bool looked; /* at least once with success */
	struct leftover *found;
	size_t count;
};

static int look_for(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
		    struct error *err)
{
	struct awaited *awaited = self;

	(void)scratch;
	snprintf(seen, seen_size, "none");
	if (leftover_find(awaited->ec2, awaited->arena, awaited->kind, awaited->id, awaited->tag_value, &awaited->found,
			  &awaited->count, err) != 0)
		return -1;
	awaited->looked = true;
	*ret_look = awaited->count > 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

int leftover_await(struct ec2_client *ec2, struct arena *arena, enum undo_kind kind, const char *id,
		   const char *tag_value, struct leftover **ret_found, size_t *ret_count, struct error *err)
{
	struct awaited awaited = { .ec2 = ec2, .arena = arena, .kind = kind, .id = id, .tag_value = tag_value };
	struct error why;
	char what[512];

	snprintf(what, sizeof(what), "%s %s to show up, if it is there", kind_names[kind], id != NULL ? id : tag_value);
	if (wait_until(ec2, what, AWAIT_MS, look_for, &awaited, &why) != 0 &&
	    (why.kind != ERROR_TIMEOUT || !awaited.looked)) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	*ret_found = awaited.found;
	*ret_count = awaited.count;
	return 0;
}

/* --- removing --- */

struct removal {
	struct ec2_client *ec2;
	const char *id;
	const struct clock *clock;
	bool detach_asked;
	struct deadline force_at;
	bool forced;
};

/* What EC2 answers while a volume or snapshot is on its way from one state to another. */
static bool is_busy(const struct error *err)
{
	static const char *const codes[] = { "VolumeInUse", "IncorrectState", "InvalidSnapshot.InUse" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (err->kind == ERROR_AWS && strcmp(err->aws_code, codes[i]) == 0)
			return true;
	return false;
}

static int busy_is_fine(int result, struct error *why, struct error *err)
{
	if (result == 0 || is_busy(why))
		return 0;
	if (err != NULL)
		*err = *why;
	return -1;
}

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
		if (result != 0 && is_busy(&why))
			removal->detach_asked = force; /* still attaching: asked again at the next look */
		if (busy_is_fine(result, &why, err) != 0)
			return -1;
	}
	return 0;
}

/* Each look does what the volume's state allows. */
static int look_volume(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
		       struct error *err)
{
	struct removal *removal = self;
	struct volume *volumes;
	struct error why;
	size_t count;

	if (volume_describe(removal->ec2, scratch, (struct ec2_ids){ .items = &removal->id, .count = 1 },
			    (struct ec2_filters){ 0 }, &volumes, &count, &why) != 0) {
		if (!ec2_is_not_found(&why))
			return busy_is_fine(-1, &why, err);
		count = 0;
	}
	*ret_look = WAIT_DONE;
	if (count == 0 || is_state(volumes[0].state, "deleted"))
		return 0;
	*ret_look = WAIT_AGAIN;
	snprintf(seen, seen_size, "state %s, %zu attachments", or_empty(volumes[0].state), volumes[0].n_attachments);
	if (is_state(volumes[0].state, "creating") || is_state(volumes[0].state, "deleting"))
		return 0;
	if (volumes[0].n_attachments > 0)
		return push_detach(removal, &volumes[0], err);
	int result = volume_delete(removal->ec2, removal->id, NULL, &why);
	return busy_is_fine(result, &why, err);
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
	return busy_is_fine(result, &why, err);
}

/* One look without waiting. */
static int ask_once(wait_look_fn look, struct removal *removal, struct error *err)
{
	struct arena *scratch = arena_new(ARENA_BYTES);
	enum wait_look done = WAIT_AGAIN;
	char seen[256] = "";

	if (scratch == NULL)
		return error_nomem(err);
	int result = look(removal, scratch, &done, seen, sizeof(seen), err);
	arena_free(scratch);
	if (result != 0 || done == WAIT_DONE)
		return result;
	return error_set(err, ERROR_CANCELLED, "asked to go, not waited for (%s)", seen);
}

static int remove_thing(struct ec2_client *ec2, enum undo_kind kind, const char *id, bool hurry, struct error *err)
{
	struct removal removal = { .ec2 = ec2, .id = id, .clock = aws_client_runtime(ec2->aws)->clock };
	wait_look_fn look = kind == UNDO_VOLUME ? look_volume : look_snapshot;
	char what[256];

	if (hurry) {
		/* the first may detach, the second delete */
		if (ask_once(look, &removal, NULL) == 0)
			return 0;
		return ask_once(look, &removal, err);
	}
	snprintf(what, sizeof(what), "%s %s to be gone", kind_names[kind], id);
	return wait_until(ec2, what, kind == UNDO_VOLUME ? VOLUME_LIMIT_MS : SNAPSHOT_LIMIT_MS, look, &removal, err);
}

/* Those in its block device mappings, and those that carry its tag: a copy that is not finished has no mappings yet. */
static int remove_snapshots_of(struct ec2_client *ec2, struct arena *arena, const struct image *image, bool hurry,
			       struct error *err)
{
	struct leftover *tagged = NULL;
	size_t n_tagged = 0;

	for (size_t i = 0; i < image->n_mappings; i++)
		if (image->mappings[i].snapshot_id != NULL &&
		    remove_thing(ec2, UNDO_SNAPSHOT, image->mappings[i].snapshot_id, hurry, err) != 0)
			return error_prefix(err, "snapshot %s behind image %s", image->mappings[i].snapshot_id, image->id);
	const char *tag_value = tags_get(image->tags, LEFTOVER_TAG);
	if (tag_value == NULL)
		return 0;
	if (leftover_find(ec2, arena, UNDO_SNAPSHOT, NULL, tag_value, &tagged, &n_tagged, err) != 0)
		return -1;
	for (size_t i = 0; i < n_tagged; i++)
		if (remove_thing(ec2, UNDO_SNAPSHOT, tagged[i].id, hurry, err) != 0)
			return error_prefix(err, "snapshot %s of image %s", tagged[i].id, image->id);
	return 0;
}

static int remove_image(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	const struct wait_options wait = { 0 };
	struct image *images = NULL;
	struct error why;
	size_t count = 0;
	struct arena *arena = arena_new(ARENA_BYTES);

	if (arena == NULL)
		return error_nomem(err);
	int result = image_describe(ec2, arena, (struct ec2_ids){ .items = &id, .count = 1 }, (struct ec2_filters){ 0 },
				    NULL, &images, &count, &why);
	if (result != 0 && ec2_is_not_found(&why))
		result = 0;
	else if (result != 0 && err != NULL)
		*err = why;
	if (result == 0)
		result = image_deregister(ec2, id, NULL, err);
	if (result == 0 && !hurry)
		result = image_wait_deregistered(ec2, id, &wait, err);
	if (result == 0 && count > 0)
		result = remove_snapshots_of(ec2, arena, &images[0], hurry, err);
	arena_free(arena);
	return result;
}

int leftover_remove(struct ec2_client *ec2, enum undo_kind kind, const char *id, bool hurry, struct error *err)
{
	return kind == UNDO_IMAGE ? remove_image(ec2, id, hurry, err) : remove_thing(ec2, kind, id, hurry, err);
}
