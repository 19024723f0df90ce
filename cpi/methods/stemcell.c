/* SPDX-License-Identifier: Apache-2.0 */
/* The stories of create_stemcell and delete_stemcell, from top to bottom. The build volume's acts are in build_volume.c; undoing
 * what a failure leaves is the caller's (undo.h). */
#include "cpi/methods/stemcell.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "cpi/builder/builder.h"
#include "cpi/ec2/images.h"
#include "cpi/ec2/instances.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "cpi/methods/build_volume.h"
#include "cpi/methods/created.h"
#include "cpi/methods/direct_upload.h"
#include "cpi/methods/image_file.h"
#include "cpi/methods/kernel_image.h"
#include "cpi/methods/leftover.h"
#include "cpi/methods/stemcell_light.h"
#include "cpi/methods/stemcell_plan.h"
#include "cpi/methods/stemcell_register.h"

/* On snapshots that are about to lose their AMI: a delete that was cut short finds them again. */
#define DELETING_TAG "aws-cpi-deleting"

static bool is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

/* --- heavy --- */

struct heavy_image {
	const char *path;
	int fd;
	const char *ami_name; /* of the AMI to come */
};

static int find_instance(struct call *call, const char *id, struct instance *ret_instance, struct error *err)
{
	struct instance *instance;

	if (instance_find(call->ec2, call->arena, id, &instance, err) != 0)
		return error_prefix(err, "cannot look at the current VM %s", id);
	if (instance == NULL)
		return error_set(err, ERROR_CLOUD,
				 "Could not locate the current VM with id '%s'. Ensure that the current VM is located in the same "
				 "region, and belongs to the same account, as configured",
				 id);
	*ret_instance = *instance;
	return 0;
}

static void close_builder(struct builder **builder)
{
	builder_close(STEAL(*builder));
}

/* From the image file to a detached volume that holds its disk. */
static int fill_volume(struct call *call, const struct stemcell_plan *plan, const struct heavy_image *image,
		       struct builder **builder, const struct builder_place *place, struct build_volume *ret_volume,
		       struct error *err)
{
	struct instance instance = { 0 };

	if (find_instance(call, place->instance_id, &instance, err) != 0)
		return -1;
	const struct build_volume_spec spec = {
		.size_gib = plan->disk_gib,
		.availability_zone = instance.availability_zone != NULL ? instance.availability_zone :
									  place->availability_zone,
		.encrypted = plan->encrypted,
		.kms_key_arn = plan->kms_key_arn,
		.tags = plan->tags,
	};
	log_info(call->runtime->log, "building the stemcell on instance %s in %s (%s, onhost %s)", instance.id,
		 spec.availability_zone, place->how, place->release);
	if (build_volume_create(call, &spec, ret_volume, err) != 0 ||
	    build_volume_attach(call, ret_volume, &instance, err) != 0 ||
	    build_volume_write(call, *builder, ret_volume, image->fd, image->path, err) != 0)
		return -1;
	/* onhost must have let go of the device */
	close_builder(builder);
	return build_volume_detach(call, ret_volume, err);
}

static int build_on_volume(struct call *call, const struct stemcell_plan *plan, const struct heavy_image *image,
			   struct builder **builder, const struct builder_place *place, const char **ret_image_id,
			   struct error *err)
{
	struct build_volume volume;
	const char *snapshot_id = NULL;

	if (fill_volume(call, plan, image, builder, place, &volume, err) != 0 ||
	    created_snapshot(call, volume.id, plan->description, plan->tags, &snapshot_id, err) != 0 ||
	    build_volume_delete(call, &volume, err) != 0 ||
	    stemcell_register(call, plan, image->ami_name, snapshot_id, ret_image_id, err) != 0)
		return -1;
	return build_volume_wait_gone(call, &volume, err);
}

static int build_directly(struct call *call, const struct stemcell_plan *plan, const struct heavy_image *image,
			  const struct builder_place *place, const char **ret_image_id, struct error *err)
{
	const struct direct_upload_spec spec = {
		.image_path = image->path,
		.image_fd = image->fd,
		.onhost_path = place->onhost_path,
		.size_gib = plan->disk_gib,
		.description = plan->description,
		.tags = plan->tags,
		.encrypted = plan->encrypted,
		.kms_key_arn = plan->kms_key_arn,
	};
	struct direct_uploaded uploaded;

	log_info(call->runtime->log, "building the stemcell without an instance (%s, onhost %s)", place->how, place->release);
	if (direct_upload(call, &spec, &uploaded, err) != 0)
		return error_prefix(err, "cannot build the stemcell (%s)", place->how);
	return stemcell_register(call, plan, image->ami_name, uploaded.snapshot_id, ret_image_id, err);
}

static int create_heavy(struct call *call, const struct stemcell_create_request *request, const char **ret_cid,
			struct error *err)
{
	CLEANUP(close_builder) struct builder *builder = NULL;
	struct heavy_image image = { .path = request->image_path };
	CLEANUP_FD int image_fd = -1;
	struct stemcell_plan plan = { 0 };
	struct builder_place place;
	char uuid[UUID_SIZE];

	if (stemcell_plan_common(call, request, &plan, err) != 0 ||
	    stemcell_plan_heavy(call, &request->properties, &plan, err) != 0)
		return -1;
	if (image_file_open(request->image_path, &image_fd, err) != 0 || digest_uuid(uuid, err) != 0)
		return -1;
	if (plan.paravirtual && plan.kernel_id == NULL &&
	    kernel_image_pick(call, plan.architecture, plan.root_device_name, &plan.kernel_id, err) != 0)
		return -1;
	image.fd = image_fd;
	image.ami_name = arena_printf(call->arena, "BOSH-%s", uuid);
	if (image.ami_name == NULL)
		return error_nomem(err);
	if (builder_open(call->runtime, call->config, call->arena, &builder, &place, err) != 0)
		return -1;
	return place.direct ? build_directly(call, &plan, &image, &place, ret_cid, err) :
			      build_on_volume(call, &plan, &image, &builder, &place, ret_cid, err);
}

int stemcell_create(struct call *call, const struct stemcell_create_request *request, const char **ret_stemcell_cid,
		    struct error *err)
{
	const char *cid;
	int result = request->properties.n_amis > 0 ? stemcell_light_create(call, request, &cid, err) :
						      create_heavy(call, request, &cid, err);

	if (result != 0)
		return -1;
	log_info(call->runtime->log, "created stemcell '%s'", cid);
	*ret_stemcell_cid = cid;
	return 0;
}

/* --- delete --- */

/* Only said: EC2 lets instances outlive their AMI, and the Director has decided. */
static void log_users(struct call *call, const char *image_id)
{
	static const char *const alive[] = { "pending", "running", "stopping", "stopped" };
	const struct ec2_filter filters[] = {
		{ .name = "image-id", .values = &image_id, .n_values = 1 },
		{ .name = "instance-state-name", .values = alive, .n_values = sizeof(alive) / sizeof(alive[0]) },
	};
	struct instance *instances;
	struct error why;
	size_t count;

	if (instance_describe(call->ec2, call->arena, (struct ec2_ids){ 0 },
			      (struct ec2_filters){ .items = filters, .count = 2 }, &instances, &count, &why) != 0)
		log_warn(call->runtime->log, "cannot see whether instances use AMI %s: %s", image_id, why.message);
	else if (count > 0)
		log_warn(call->runtime->log, "AMI %s is deleted while %zu instances were made from it, %s among them", image_id,
			 count, instances[0].id);
}

static int snapshots_of(struct call *call, const struct image *image, struct ec2_ids *ret_ids, struct error *err)
{
	const char **ids = arena_array(call->arena, image->n_mappings + 1, sizeof(*ids));
	size_t count = 0;

	if (ids == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < image->n_mappings; i++)
		if (image->mappings[i].snapshot_id != NULL)
			ids[count++] = image->mappings[i].snapshot_id;
	*ret_ids = (struct ec2_ids){ .items = ids, .count = count };
	return 0;
}

/* A kill between the AMI's end and theirs must not leave them without anything that points to them. */
static void mark_snapshots(struct call *call, struct ec2_ids snapshots, const char *image_id)
{
	const struct ec2_tag tag = { .key = DELETING_TAG, .value = image_id };
	struct error why;

	if (snapshots.count > 0 &&
	    tags_create(call->ec2, snapshots, (struct ec2_tags){ .items = &tag, .count = 1 }, &why) != 0)
		log_warn(call->runtime->log, "cannot mark the snapshots of AMI %s as going: %s", image_id, why.message);
}

/* By an AMI that somebody else registered on it: then it is not ours to delete. */
static bool is_used_elsewhere(struct call *call, const char *snapshot_id)
{
	const struct ec2_filter filter = {
		.name = "block-device-mapping.snapshot-id",
		.values = &snapshot_id,
		.n_values = 1,
	};
	struct image *images;
	size_t count;

	if (image_describe(call->ec2, call->arena, (struct ec2_ids){ 0 },
			   (struct ec2_filters){ .items = &filter, .count = 1 }, "self", &images, &count, NULL) != 0 ||
	    count == 0)
		return false;
	log_warn(call->runtime->log, "snapshot %s stays: AMI %s is based on it too", snapshot_id, images[0].id);
	return true;
}

static int delete_snapshots(struct call *call, struct ec2_ids snapshots, struct error *err)
{
	for (size_t i = 0; i < snapshots.count; i++) {
		if (leftover_remove(call->ec2, UNDO_SNAPSHOT, snapshots.items[i], false, err) != 0) {
			if (err->kind == ERROR_TIMEOUT && is_used_elsewhere(call, snapshots.items[i]))
				continue;
			return error_prefix(err, "cannot delete snapshot %s", snapshots.items[i]);
		}
		log_info(call->runtime->log, "deleted snapshot %s", snapshots.items[i]);
	}
	return 0;
}

/* The AMI is gone: done, but for snapshots that an earlier delete marked and did not get to. */
static int delete_rest(struct call *call, const char *image_id, struct error *err)
{
	const struct ec2_filter filter = { .name = "tag:" DELETING_TAG, .values = &image_id, .n_values = 1 };
	struct snapshot *snapshots;
	size_t count;

	log_warn(call->runtime->log, "stemcell '%s' is gone already", image_id);
	if (snapshot_describe(call->ec2, call->arena, (struct ec2_ids){ 0 },
			      (struct ec2_filters){ .items = &filter, .count = 1 }, &snapshots, &count, err) != 0)
		return error_prefix(err, "cannot look for snapshots of AMI %s", image_id);
	for (size_t i = 0; i < count; i++)
		if (delete_snapshots(call, (struct ec2_ids){ .items = &snapshots[i].id, .count = 1 }, err) != 0)
			return -1;
	return 0;
}

int stemcell_delete(struct call *call, const char *stemcell_cid, struct error *err)
{
	const struct wait_options wait = { 0 };
	struct ec2_ids snapshots;
	struct image *image;

	if (stemcell_light_is(stemcell_cid)) {
		log_info(call->runtime->log, "light stemcell '%s': its AMI is left alone", stemcell_cid);
		return 0;
	}
	if (image_find(call->ec2, call->arena, stemcell_cid, &image, err) != 0)
		return error_prefix(err, "cannot look at stemcell '%s'", stemcell_cid);
	if (image == NULL || is(image->state, "deregistered"))
		return delete_rest(call, stemcell_cid, err);

	log_users(call, stemcell_cid);
	if (snapshots_of(call, image, &snapshots, err) != 0)
		return -1;
	mark_snapshots(call, snapshots, stemcell_cid);
	if (image_deregister(call->ec2, stemcell_cid, NULL, err) != 0 ||
	    image_wait_deregistered(call->ec2, stemcell_cid, &wait, err) != 0)
		return error_prefix(err, "cannot deregister stemcell '%s'", stemcell_cid);
	if (delete_snapshots(call, snapshots, err) != 0)
		return -1;
	log_info(call->runtime->log, "deleted stemcell '%s'", stemcell_cid);
	return 0;
}
