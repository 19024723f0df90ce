/* SPDX-License-Identifier: Apache-2.0 */
/* AMIs. What a stemcell's image looks like is the methods'. */
#include "cpi/ec2/images.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"
#include "cpi/ec2/tags.h"

#define PAGE_SIZE 1000
#define AVAILABLE_LIMIT_MS (60 * 60 * 1000)
#define DEREGISTERED_LIMIT_MS (10 * 60 * 1000)
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })
#define NO_IDS ((struct ec2_ids){ NULL, 0 })

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void read_mapping(struct fields *fields, void *item)
{
	struct image_mapping *mapping = item;
	struct fields ebs = { .arena = fields->arena, .node = xml_child(fields->node, "ebs") };

	mapping->device_name = fields_optional(fields, "deviceName");
	mapping->virtual_name = fields_optional(fields, "virtualName");
	mapping->snapshot_id = fields_optional(&ebs, "snapshotId");
	mapping->volume_size_gib = fields_u64(&ebs, "volumeSize");
	mapping->volume_type = fields_optional(&ebs, "volumeType");
	mapping->encrypted = fields_bool(&ebs, "encrypted");
	mapping->delete_on_termination = fields_bool(&ebs, "deleteOnTermination");
	fields_inherit(fields, &ebs);
}

static void read_image(struct fields *fields, void *item)
{
	struct image *image = item;
	struct fields reason = { .arena = fields->arena, .node = xml_child(fields->node, "stateReason") };

	image->id = fields_required(fields, "imageId");
	image->name = fields_text(fields, "name");
	image->description = fields_text(fields, "description");
	image->state = fields_text(fields, "imageState");
	image->state_reason = fields_text(&reason, "message");
	image->architecture = fields_text(fields, "architecture");
	image->root_device_name = fields_text(fields, "rootDeviceName");
	image->virtualization_type = fields_text(fields, "virtualizationType");
	image->location = fields_text(fields, "imageLocation");
	image->mappings = fields_list(fields, "blockDeviceMapping", sizeof(struct image_mapping), read_mapping,
				      &image->n_mappings);
	image->tags = fields_tags(fields);
	fields_inherit(fields, &reason);
}

struct image_query {
	struct ec2_ids ids;
	struct ec2_filters filters;
	const char *owner;
	bool created_by_us;
};

static int describe_images(struct ec2_client *ec2, struct arena *arena, const struct image_query *query,
			   struct image **ret_images, size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeImages",
		.id_name = "ImageId",
		.set = "imagesSet",
		.what = query->ids.count == 1 ? "image" : "images",
		.owner = query->owner,
		.owner_name = "Owner",
		.include_deprecated = true,
		.page_size = PAGE_SIZE,
		.created_by_us = query->created_by_us,
		.item_size = sizeof(struct image),
		.read = read_image,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, query->ids, query->filters, &items, ret_count, err) != 0)
		return -1;
	*ret_images = items;
	return 0;
}

int image_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		   const char *owner, struct image **ret_images, size_t *ret_count, struct error *err)
{
	struct image_query query = { .ids = ids, .filters = filters, .owner = owner };

	return describe_images(ec2, arena, &query, ret_images, ret_count, err);
}

/* --- registering -------------------------------------------------------------------------------------------------- */

static void add_mapping(struct aws_params *params, size_t number, const struct image_mapping *mapping)
{
	char prefix[48];
	char size[24];

	snprintf(prefix, sizeof(prefix), "BlockDeviceMapping.%zu", number);
	aws_params_addf(params, mapping->device_name, "%s.DeviceName", prefix);
	aws_params_addf(params, mapping->virtual_name, "%s.VirtualName", prefix);
	if (mapping->snapshot_id == NULL)
		return;
	/* Encrypted is not taken here: an image is as encrypted as its snapshot */
	aws_params_addf(params, mapping->snapshot_id, "%s.Ebs.SnapshotId", prefix);
	snprintf(size, sizeof(size), "%" PRIu64, mapping->volume_size_gib);
	aws_params_addf(params, mapping->volume_size_gib == 0 ? NULL : size, "%s.Ebs.VolumeSize", prefix);
	aws_params_addf(params, mapping->volume_type, "%s.Ebs.VolumeType", prefix);
	aws_params_addf(params, mapping->delete_on_termination ? "true" : "false", "%s.Ebs.DeleteOnTermination",
			prefix);
}

static void register_params(struct aws_params *params, const struct image_register_request *request)
{
	aws_params_add(params, "Name", request->name);
	aws_params_add(params, "Description", request->description);
	aws_params_add(params, "Architecture", request->architecture);
	aws_params_add(params, "VirtualizationType", request->virtualization_type);
	aws_params_add(params, "RootDeviceName", request->root_device_name);
	aws_params_add(params, "KernelId", request->kernel_id);
	aws_params_add(params, "BootMode", request->boot_mode);
	aws_params_add(params, "SriovNetSupport", request->sriov_support);
	params_true(params, "EnaSupport", request->ena_support);
	for (size_t i = 0; i < request->n_mappings; i++)
		add_mapping(params, i + 1, &request->mappings[i]);
	params_tag_specification(params, 1, "image", request->tags);
}

/* Whether a call whose answer was lost registered the image. */
struct lost_image {
	struct ec2_client *ec2;
	struct arena *arena;
	const struct image_register_request *request;
	const char *found_id;
};

static bool has_snapshot(const struct image *image, const char *snapshot_id)
{
	for (size_t i = 0; i < image->n_mappings; i++) {
		const char *theirs = image->mappings[i].snapshot_id;
		if (theirs != NULL && strcmp(theirs, snapshot_id) == 0)
			return true;
	}
	return false;
}

/* The name alone proves nothing: another one's image may have it. Our tags do, else our snapshots. */
static bool is_ours(const struct image *image, const struct image_register_request *request)
{
	bool proved = false;

	for (size_t i = 0; i < request->tags.count; i++) {
		const struct ec2_tag *tag = &request->tags.items[i];
		const char *theirs = tags_get(image->tags, tag->key);
		if (theirs == NULL || strcmp(theirs, tag->value == NULL ? "" : tag->value) != 0)
			return false;
		proved = true;
	}
	for (size_t i = 0; !proved && i < request->n_mappings; i++) {
		const char *snapshot_id = request->mappings[i].snapshot_id;
		proved = snapshot_id != NULL && has_snapshot(image, snapshot_id);
	}
	return proved;
}

static int settle_image(void *self, struct error *err)
{
	struct lost_image *lost = self;
	struct ec2_filter filter = { .name = "name", .values = &lost->request->name, .n_values = 1 };
	struct image *images;
	size_t count;

	if (image_describe(lost->ec2, lost->arena, NO_IDS, (struct ec2_filters){ &filter, 1 }, "self", &images, &count,
			   err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (is_ours(&images[i], lost->request)) {
			lost->found_id = images[i].id;
			return 1;
		}
	}
	return 0;
}

static int read_image_id(const struct xml_node *root, const char *action, struct arena *arena,
			 const char **ret_image_id, struct error *err)
{
	struct fields fields = { .arena = arena, .node = root };
	const char *id = fields_required(&fields, "imageId");

	if (fields_check(&fields, action, err) != 0)
		return -1;
	*ret_image_id = id;
	return 0;
}

int image_register(struct ec2_client *ec2, struct arena *arena, const struct image_register_request *request,
		   const char **ret_image_id, struct error *err)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct lost_image lost = { .ec2 = ec2, .arena = arena, .request = request };
	struct aws_params params PARAMS_CLEANUP;
	const struct xml_node *root = NULL;
	struct error failure = { 0 };
	char purpose[192];

	aws_params_init(&params);
	if (scratch == NULL)
		return error_nomem(err);
	register_params(&params, request);
	snprintf(purpose, sizeof(purpose), "new image %s", request->name);
	struct aws_call call = {
		.action = "RegisterImage",
		.params = &params,
		.purpose = purpose,
		.created_by_us = true, /* the snapshot, a moment ago */
		.settle = settle_image,
		.settle_self = &lost,
	};
	if (action_call(ec2, call, scratch, &root, &failure) != 0) {
		/* a lost attempt may have become visible only after it was looked up */
		bool duplicate = strcmp(failure.aws_code, "InvalidAMIName.Duplicate") == 0;
		if (!duplicate || settle_image(&lost, NULL) != 1) {
			if (err != NULL)
				*err = failure;
			return -1;
		}
	}
	if (root != NULL)
		return read_image_id(root, call.action, arena, ret_image_id, err);
	*ret_image_id = lost.found_id;
	return 0;
}

int image_deregister(struct ec2_client *ec2, const char *image_id, bool *ret_existed, struct error *err)
{
	static const struct action_removal removal = { .action = "DeregisterImage", .id_name = "ImageId", .what = "image" };

	return action_remove(ec2, &removal, image_id, ret_existed, err);
}

int image_copy(struct ec2_client *ec2, struct arena *arena, const struct image_copy_request *request,
	       const char **ret_image_id, struct error *err)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct aws_params params PARAMS_CLEANUP;
	const struct xml_node *root;
	char purpose[192];

	aws_params_init(&params);
	if (action_check_token("CopyImage", request->client_token, err) != 0)
		return -1;
	if (scratch == NULL)
		return error_nomem(err);
	aws_params_add(&params, "SourceRegion", request->source_region);
	aws_params_add(&params, "SourceImageId", request->source_image_id);
	aws_params_add(&params, "Name", request->name);
	aws_params_add(&params, "Description", request->description);
	params_true(&params, "Encrypted", request->encrypted);
	aws_params_add(&params, "KmsKeyId", request->kms_key_id);
	aws_params_add(&params, "ClientToken", request->client_token);
	params_tag_specification(&params, 1, "image", request->tags);
	params_tag_specification(&params, 2, "snapshot", request->tags);
	snprintf(purpose, sizeof(purpose), "copy of image %s", request->source_image_id);
	struct aws_call call = { .action = "CopyImage", .params = &params, .purpose = purpose };
	if (action_call(ec2, call, scratch, &root, err) != 0)
		return -1;
	return read_image_id(root, call.action, arena, ret_image_id, err);
}

/* NULL where there is none of that id; for one that this call made, that is not the answer. */
static int find_image(struct ec2_client *ec2, struct arena *arena, const char *image_id, bool created_by_us,
		      struct image **ret_image, struct error *err)
{
	struct image_query query = { .ids = { &image_id, 1 }, .created_by_us = created_by_us };
	struct error failure = { 0 };
	struct image *images = NULL;
	size_t count = 0;

	if (describe_images(ec2, arena, &query, &images, &count, &failure) != 0 &&
	    (created_by_us || !ec2_is_not_found(&failure))) {
		if (err != NULL)
			*err = failure;
		return -1;
	}
	*ret_image = count > 0 ? &images[0] : NULL;
	return 0;
}

int image_find(struct ec2_client *ec2, struct arena *arena, const char *image_id, struct image **ret_image,
	       struct error *err)
{
	return find_image(ec2, arena, image_id, false, ret_image, err);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

struct image_wait {
	struct ec2_client *ec2;
	const char *image_id;
	bool just_created; /* and not seen yet */
};

/* The image as it is now (NULL: none), described in seen. */
static int look_at_image(struct image_wait *wait, struct arena *scratch, struct image **ret_image, char *seen,
			 size_t seen_size, struct error *err)
{
	struct image *image;

	if (find_image(wait->ec2, scratch, wait->image_id, wait->just_created, &image, err) != 0)
		return -1;
	snprintf(seen, seen_size, "%s%s", image == NULL ? "no such image" : "state ",
		 image == NULL ? "" : image->state);
	if (image != NULL)
		wait->just_created = false;
	*ret_image = image;
	return 0;
}

static int look_available(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			  struct error *err)
{
	static const char *const failed[] = { "failed", "error", "invalid", "deregistered" };
	struct image_wait *wait = self;
	struct image *image;

	if (look_at_image(wait, scratch, &image, seen, seen_size, err) != 0)
		return -1;
	if (image == NULL)
		return error_set(err, ERROR_CLOUD, "image %s does not exist (any more)", wait->image_id);
	for (size_t i = 0; i < sizeof(failed) / sizeof(failed[0]); i++) {
		if (strcmp(image->state, failed[i]) == 0)
			return error_set(err, ERROR_CLOUD, "image %s is in state %s: %s", wait->image_id, image->state,
					 *image->state_reason == '\0' ? "EC2 gives no reason" : image->state_reason);
	}
	*ret_look = strcmp(image->state, "available") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

static int look_deregistered(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			     struct error *err)
{
	struct image *image;

	if (look_at_image(self, scratch, &image, seen, seen_size, err) != 0)
		return -1;
	*ret_look = image == NULL || strcmp(image->state, "deregistered") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

int image_wait_available(struct ec2_client *ec2, const char *image_id, const struct wait_options *wait,
			 struct error *err)
{
	struct image_wait look = { ec2, image_id, wait_just_created(wait) };
	const struct wait_goal goal = { "image", image_id, "available", AVAILABLE_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_available, &look, err);
}

int image_wait_deregistered(struct ec2_client *ec2, const char *image_id, const struct wait_options *wait,
			    struct error *err)
{
	struct image_wait look = { ec2, image_id, wait_just_created(wait) };
	const struct wait_goal goal = { "image", image_id, "deregistered", DEREGISTERED_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_deregistered, &look, err);
}
