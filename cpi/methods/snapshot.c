/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/snapshot.h"

#include <string.h>

#include "common/buf.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "cpi/ec2/volumes.h"
#include "cpi/methods/created.h"
#include "cpi/methods/found.h"

#define MAX_DESCRIPTION ((size_t)4096) /* before it is cut to EC2's 255 characters */
#define MAX_LABELS 5

/* --- labels --- */

static void add_part(struct buf *text, const char *part)
{
	if (part != NULL && *part != '\0')
		buf_printf(text, "%s%s", text->len == 0 ? "" : "/", part);
}

static int describe(struct arena *arena, struct ec2_tags metadata, const char *device, const char **ret_description,
		    struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_DESCRIPTION);
	const char *last = device != NULL ? strrchr(device, '/') : NULL;

	add_part(&text, tags_get(metadata, "deployment"));
	add_part(&text, tags_get(metadata, "job"));
	add_part(&text, tags_get(metadata, "index"));
	add_part(&text, last != NULL ? last + 1 : device);
	if (buf_check(&text, "a snapshot's description", err) != 0)
		return -1;
	*ret_description = text.len == 0 ? NULL : tags_cut(arena, buf_text(&text), TAG_VALUE_MAX);
	return text.len != 0 && *ret_description == NULL ? error_nomem(err) : 0;
}

static void add_label(struct ec2_tag *tags, size_t *count, const char *key, const char *value)
{
	if (value != NULL)
		tags[(*count)++] = (struct ec2_tag){ .key = key, .value = value };
}

static bool is_replaced(const char *key)
{
	return strcmp(key, "director_name") == 0 || strcmp(key, "index") == 0 || strcmp(key, "job") == 0;
}

int snapshot_label(struct arena *arena, struct ec2_tags metadata, const char *device, struct snapshot_labels *ret_labels,
		   struct error *err)
{
	const char *job = tags_get(metadata, "job"), *instance_id = tags_get(metadata, "instance_id");
	struct ec2_tag *kept = arena_array(arena, metadata.count + 1, sizeof(*kept));
	struct ec2_tag labels[MAX_LABELS];
	const char *instance_name = NULL, *description;
	size_t n_kept = 0, n_labels = 0;

	if (job != NULL && instance_id != NULL && (instance_name = arena_printf(arena, "%s/%s", job, instance_id)) == NULL)
		return error_nomem(err);
	if (kept == NULL)
		return error_nomem(err);
	if (describe(arena, metadata, device, &description, err) != 0)
		return -1;
	for (size_t i = 0; i < metadata.count; i++)
		if (!is_replaced(metadata.items[i].key))
			kept[n_kept++] = metadata.items[i];
	add_label(labels, &n_labels, "device", device);
	add_label(labels, &n_labels, "director", tags_get(metadata, "director_name"));
	add_label(labels, &n_labels, "instance_index", tags_get(metadata, "index"));
	add_label(labels, &n_labels, "instance_name", instance_name);
	add_label(labels, &n_labels, "Name", description);
	const struct ec2_tags lists[] = { { kept, n_kept }, { labels, n_labels } };
	if (created_merge(arena, lists, 2, &ret_labels->tags, err) != 0)
		return -1;
	ret_labels->description = description;
	return 0;
}

/* --- snapshot_disk, delete_snapshot --- */

int snapshot_take(struct call *call, const char *disk_cid, struct ec2_tags metadata, const char **ret_snapshot_cid,
		  struct error *err)
{
	struct snapshot_labels labels;
	struct volume volume;

	if (found_disk(call, disk_cid, &volume, err) != 0)
		return -1;
	const char *device = volume.n_attachments > 0 ? volume.attachments[0].device : NULL;
	if (snapshot_label(call->arena, metadata, device, &labels, err) != 0)
		return -1;
	return created_snapshot(call, disk_cid, labels.description, labels.tags, ret_snapshot_cid, err);
}

int snapshot_discard(struct call *call, const char *snapshot_cid, struct error *err)
{
	bool existed;

	if (snapshot_delete(call->ec2, snapshot_cid, &existed, err) != 0)
		return error_prefix(err, "cannot delete snapshot '%s'", snapshot_cid);
	log_info(call->runtime->log, "snapshot '%s' %s", snapshot_cid, existed ? "deleted" : "was gone already");
	return 0;
}
