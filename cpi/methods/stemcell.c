/* SPDX-License-Identifier: Apache-2.0 */
/* The stories of create_stemcell and delete_stemcell, from top to bottom. The build volume's acts are in build_volume.c; undoing
 * what a failure leaves is the caller's (undo.h). */
#include "cpi/methods/stemcell.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "cpi/builder/builder.h"
#include "cpi/ec2/images.h"
#include "cpi/ec2/instances.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "cpi/methods/build_volume.h"
#include "cpi/methods/created.h"
#include "cpi/methods/kernel_image.h"
#include "cpi/methods/leftover.h"
#include "cpi/methods/stemcell_light.h"
#include "cpi/methods/stemcell_plan.h"

/* On snapshots that are about to lose their AMI: a delete that was cut short finds them again. */
#define DELETING_TAG "aws-cpi-deleting"

static bool is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

/* --- heavy --- */

static int open_image(const char *path, int *ret_fd, struct error *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_errno(err, ERROR_CLOUD, errno, "cannot open the stemcell image %s", path);
	if (fstat(fd, &st) != 0)
		return error_errno(err, ERROR_CLOUD, errno, "cannot look at the stemcell image %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CLOUD, "the stemcell image %s is not a file", path);
	if (st.st_size == 0)
		return error_set(err, ERROR_CLOUD, "the stemcell image %s is empty", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

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

static int register_image(struct call *call, const struct stemcell_plan *plan, const char *snapshot_id, const char **ret_image_id,
			  struct error *err)
{
	const struct image_mapping mappings[] = {
		{
			.device_name = plan->paravirtual ? "/dev/sda" : "/dev/xvda",
			.snapshot_id = snapshot_id,
			.delete_on_termination = true,
		},
		{ .device_name = "/dev/sdb", .virtual_name = "ephemeral0" },
	};
	char uuid[UUID_SIZE];
	struct undo_step step;
	const char *image_id;

	if (digest_uuid(uuid, err) != 0 || undo_intend(call->undo, UNDO_IMAGE, &step, err) != 0)
		return -1;
	struct image_register_request request = {
		.name = arena_printf(call->arena, "BOSH-%s", uuid),
		.description = plan->description,
		.architecture = plan->architecture,
		.virtualization_type = plan->paravirtual ? NULL : "hvm",
		.root_device_name = plan->root_device_name,
		.kernel_id = plan->kernel_id,
		.boot_mode = plan->boot_mode,
		.sriov_support = plan->paravirtual ? NULL : "simple",
		.ena_support = !plan->paravirtual,
		.mappings = mappings,
		.n_mappings = sizeof(mappings) / sizeof(mappings[0]),
	};
	if (request.name == NULL)
		return error_nomem(err);
	if (created_tags(call->arena, plan->tags, &step, &request.tags, err) != 0)
		return -1;
	if (image_register(call->ec2, call->arena, &request, &image_id, err) != 0) {
		created_not(call->undo, &step, err);
		return error_prefix(err, "cannot register an AMI on snapshot %s", snapshot_id);
	}
	undo_created(call->undo, &step, image_id);
	log_info(call->runtime->log, "registered AMI %s (%s) on snapshot %s", image_id, request.name, snapshot_id);
	*ret_image_id = image_id;
	return 0;
}

static void close_builder(struct builder **builder)
{
	builder_close(STEAL(*builder));
}

/* From the image file to a detached volume that holds its disk. */
static int fill_volume(struct call *call, const struct stemcell_plan *plan, const char *image_path, int image_fd,
		       struct build_volume *ret_volume, struct error *err)
{
	CLEANUP(close_builder) struct builder *builder = NULL;
	struct instance instance = { 0 };
	struct builder_place place;

	if (builder_open(call->runtime, call->config, call->arena, &builder, &place, err) != 0 ||
	    find_instance(call, place.instance_id, &instance, err) != 0)
		return -1;
	const struct build_volume_spec spec = {
		.size_gib = plan->disk_gib,
		.availability_zone = instance.availability_zone != NULL ? instance.availability_zone :
									  place.availability_zone,
		.encrypted = plan->encrypted,
		.kms_key_arn = plan->kms_key_arn,
		.tags = plan->tags,
	};
	log_info(call->runtime->log, "building the stemcell on instance %s in %s (%s, onhost %s)", instance.id,
		 spec.availability_zone, place.how, place.release);
	if (build_volume_create(call, &spec, ret_volume, err) != 0 ||
	    build_volume_attach(call, ret_volume, &instance, err) != 0 ||
	    build_volume_write(call, builder, ret_volume, image_fd, image_path, err) != 0)
		return -1;
	/* onhost must have let go of the device */
	close_builder(&builder);
	return build_volume_detach(call, ret_volume, err);
}

static int create_heavy(struct call *call, const struct stemcell_create_request *request, const char **ret_cid,
			struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	CLEANUP_FD int image_fd = -1;
	struct stemcell_plan plan = { 0 };
	struct build_volume volume;
	const char *snapshot_id = NULL;
	const char *image_id = NULL;

	if (stemcell_plan_common(call, request, &plan, err) != 0 ||
	    stemcell_plan_heavy(call, &request->properties, &plan, err) != 0)
		return -1;
	if (open_image(request->image_path, &image_fd, err) != 0)
		return -1;
	if (plan.paravirtual && plan.kernel_id == NULL &&
	    kernel_image_pick(call, plan.architecture, plan.root_device_name, &plan.kernel_id, err) != 0)
		return -1;

	if (fill_volume(call, &plan, request->image_path, image_fd, &volume, err) != 0 ||
	    created_snapshot(call, volume.id, plan.description, plan.tags, &snapshot_id, err) != 0 ||
	    build_volume_delete(call, &volume, err) != 0 ||
	    register_image(call, &plan, snapshot_id, &image_id, err) != 0 ||
	    image_wait_available(call->ec2, image_id, &wait, err) != 0 ||
	    build_volume_wait_gone(call, &volume, err) != 0)
		return -1;
	*ret_cid = image_id;
	return 0;
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
