/* SPDX-License-Identifier: Apache-2.0 */
/* The story of upload-image: create_stemcell's own parts, put together for a person. */
#include "cpi/methods/upload_image.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "cpi/builder/builder.h"
#include "cpi/ec2/images.h"
#include "cpi/methods/created.h"
#include "cpi/methods/image_file.h"
#include "cpi/methods/stemcell_plan.h"
#include "cpi/methods/stemcell_register.h"

#define GIB ((uint64_t)1024 * 1024 * 1024)
#define VOLUME_MAX_GIB 16384 /* a gp3 volume's most; also stemcell_plan.c's */

static void close_blocks(struct image_blocks **blocks)
{
	image_blocks_close(*blocks);
}

/* --- how large it is ---------------------------------------------------------------------------------------------- */

/* Packed raw images say it only at their end. */
static int read_to_end(struct call *call, struct image_blocks *blocks, uint64_t *ret_bytes, struct error *err)
{
	CLEANUP_FREE uint8_t *data = malloc(ONHOST_BLOCK_SIZE);
	struct onhost_written written;
	struct image_block block;
	bool more = true;

	if (data == NULL)
		return error_nomem(err);
	while (more) {
		if (image_blocks_next(blocks, data, &block, &more, err) != 0)
			return -1;
	}
	if (image_blocks_result(blocks, call->arena, &written, err) != 0)
		return -1;
	*ret_bytes = written.image_size;
	return 0;
}

static int find_size(struct call *call, const char *image_path, const char *onhost_path, uint64_t *ret_bytes, struct error *err)
{
	CLEANUP(close_blocks) struct image_blocks *blocks = NULL;
	const struct image_blocks_options options = { .onhost_path = onhost_path, .image_path = image_path };
	uint64_t bytes;

	if (image_blocks_open(call->runtime, &options, &blocks, err) != 0 || image_blocks_size(blocks, &bytes, err) != 0 ||
	    (bytes == 0 && read_to_end(call, blocks, &bytes, err) != 0))
		return -1;
	if (bytes > VOLUME_MAX_GIB * GIB)
		return error_set(err, ERROR_IMAGE, "the image %s is larger than the largest gp3 volume (%d GiB)", image_path,
				 VOLUME_MAX_GIB);
	*ret_bytes = bytes;
	return 0;
}

/* --- the AMI ------------------------------------------------------------------------------------------------------ */

static int check_name(struct call *call, const char *name, struct error *err)
{
	const struct ec2_filter filter = { .name = "name", .values = &name, .n_values = 1 };
	struct image *images;
	size_t count;

	if (image_describe(call->ec2, call->arena, (struct ec2_ids){ 0 },
			   (struct ec2_filters){ .items = &filter, .count = 1 }, "self", &images, &count, err) != 0)
		return error_prefix(err, "cannot look whether there is an AMI with the name %s", name);
	if (count > 0)
		return error_set(err, ERROR_CLOUD, "AMI %s has the name %s already; take another --name, or deregister it",
				 images[0].id, name);
	return 0;
}

static int pick_name(struct call *call, const struct upload_image_request *request, const char **ret_name, struct error *err)
{
	char uuid[UUID_SIZE];

	if (request->name != NULL) {
		*ret_name = request->name;
		return check_name(call, request->name, err);
	}
	if (digest_uuid(uuid, err) != 0)
		return -1;
	*ret_name = arena_printf(call->arena, "BOSH-%s", uuid);
	return *ret_name != NULL ? 0 : error_nomem(err);
}

/* create_stemcell's, with its checks of what goes together. */
static int make_plan(struct call *call, const struct upload_image_request *request, uint64_t size_gib,
		     struct stemcell_plan *plan, struct error *err)
{
	const struct ec2_tag name = { .key = "Name", .value = request->name };
	const struct ec2_tags lists[] = { { .items = &name, .count = request->name != NULL ? 1 : 0 }, request->tags };
	struct stemcell_create_request wanted = {
		.image_path = request->image_path,
		.properties = {
			.architecture = request->architecture != NULL ? request->architecture : "x86_64",
			.boot_mode = request->boot_mode,
			.encrypted_set = request->encrypted || request->kms_key_arn != NULL,
			.encrypted = true,
			.kms_key_arn_set = request->kms_key_arn != NULL,
			.kms_key_arn = request->kms_key_arn,
			.disk_mib = size_gib * 1024,
		},
	};

	if (created_merge(call->arena, lists, sizeof(lists) / sizeof(lists[0]), &wanted.properties.tags, err) != 0 ||
	    stemcell_plan_common(call, &wanted, plan, err) != 0 ||
	    stemcell_plan_heavy(call, &wanted.properties, plan, err) != 0)
		return -1;
	plan->description = request->description;
	return 0;
}

/* --- the story ---------------------------------------------------------------------------------------------------- */

int upload_image(struct call *call, const struct upload_image_request *request, struct upload_image_result *ret_result,
		 struct error *err)
{
	struct upload_image_result result = { .size_gib = request->size_gib };
	CLEANUP_FD int image_fd = -1;
	struct stemcell_plan plan = { 0 };
	struct builder_place place;
	const char *ami_name = NULL;
	uint64_t bytes = 0;

	if (image_file_open(request->image_path, &image_fd, err) != 0 ||
	    builder_direct(call->runtime, call->config, call->arena, &place, err) != 0 ||
	    (result.size_gib == 0 && find_size(call, request->image_path, place.onhost_path, &bytes, err) != 0))
		return -1;
	if (result.size_gib == 0)
		result.size_gib = (bytes + GIB - 1) / GIB;
	if (make_plan(call, request, result.size_gib, &plan, err) != 0 ||
	    (request->make_ami && pick_name(call, request, &ami_name, err) != 0))
		return -1;
	const struct direct_upload_spec spec = {
		.image_path = request->image_path,
		.image_fd = image_fd,
		.onhost_path = place.onhost_path,
		.size_gib = plan.disk_gib,
		.image_size = bytes,
		.description = plan.description,
		.tags = plan.tags,
		.encrypted = plan.encrypted,
		.kms_key_arn = plan.kms_key_arn,
		.no_resume = request->no_resume,
		.progress = request->progress,
		.self = request->self,
	};
	if (direct_upload(call, &spec, &result.upload, err) != 0 ||
	    (request->make_ami &&
	     stemcell_register(call, &plan, ami_name, result.upload.snapshot_id, &result.image_id, err) != 0))
		return -1;
	*ret_result = result;
	return 0;
}
