/* SPDX-License-Identifier: Apache-2.0 */
/* A light stemcell is somebody else's AMI, or an encrypted copy of it, which is ours. */
#include "cpi/methods/stemcell_light.h"

#include <string.h>

#include "cpi/ec2/images.h"
#include "cpi/ec2/tags.h"
#include "cpi/methods/created.h"
#include "cpi/methods/stemcell_plan.h"

#define LIGHT_SUFFIX " light"

static bool is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

static int find_ami(struct call *call, const char *const *ids, size_t n_ids, const char **ret_id, struct error *err)
{
	const struct ec2_filter filter = { .name = "image-id", .values = ids, .n_values = n_ids };
	const char *region = call->config->aws.region;
	struct image *images;
	size_t count;

	/* by filter: one id of many that is not there is not an error */
	if (image_describe(call->ec2, call->arena, (struct ec2_ids){ 0 },
			   (struct ec2_filters){ .items = &filter, .count = 1 }, NULL, &images, &count, err) != 0)
		return error_prefix(err, "cannot look for the light stemcell's AMI");
	for (size_t i = 0; i < n_ids; i++)
		for (size_t j = 0; j < count; j++)
			if (is(images[j].id, ids[i])) {
				*ret_id = ids[i];
				return 0;
			}
	return error_set(err, ERROR_CLOUD,
			 "Stemcell does not contain an AMI in region %s that this account can see (looked for %s%s)",
			 region != NULL ? region : "(none configured)", ids[0], n_ids > 1 ? " and others" : "");
}

static const char *ami_of_region(const struct stemcell_properties *properties, const char *region)
{
	for (size_t i = 0; region != NULL && i < properties->n_amis; i++)
		if (is(properties->amis[i].region, region))
			return properties->amis[i].image_id;
	return NULL;
}

/* The configured region's; where there is none in the map, and no copy to make, any that this endpoint knows. */
static int pick_ami(struct call *call, const struct stemcell_properties *properties, bool encrypted, const char **ret_id,
		    struct error *err)
{
	const char *region = call->config->aws.region;
	const char *id = ami_of_region(properties, region);

	if (id != NULL)
		return find_ami(call, &id, 1, ret_id, err);
	if (encrypted)
		return error_set(err, ERROR_CLOUD,
				 "Stemcell does not contain an AMI in region %s: only one that its map names for the configured region "
				 "can be copied encrypted",
				 region != NULL ? region : "(none configured)");
	const char **ids = arena_array(call->arena, properties->n_amis, sizeof(*ids));
	if (ids == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < properties->n_amis; i++)
		ids[i] = properties->amis[i].image_id;
	return find_ami(call, ids, properties->n_amis, ret_id, err);
}

/* Each stemcell has a copy of its own: delete_stemcell takes it along. */
static int copy_encrypted(struct call *call, const struct stemcell_plan *plan, const char **ret_image_id, struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	struct undo_step step;
	const char *image_id;

	if (undo_intend(call->undo, UNDO_IMAGE, &step, err) != 0)
		return -1;
	struct image_copy_request request = {
		.source_region = call->config->aws.region,
		.source_image_id = plan->source_image,
		.name = arena_printf(call->arena, "Copied from SourceAMI %s", plan->source_image),
		.description = plan->description,
		.encrypted = true,
		.kms_key_id = plan->kms_key_arn,
		.client_token = step.token,
	};
	if (request.name == NULL)
		return error_nomem(err);
	if (created_tags(call->arena, plan->tags, &step, &request.tags, err) != 0)
		return -1;
	if (image_copy(call->ec2, call->arena, &request, &image_id, err) != 0) {
		created_not(call->undo, &step, err);
		return error_prefix(err, "cannot copy AMI %s with encryption", plan->source_image);
	}
	undo_created(call->undo, &step, image_id);
	log_info(call->runtime->log, "copying %s to %s with encryption", plan->source_image, image_id);
	if (image_wait_available(call->ec2, image_id, &wait, err) != 0)
		return -1;
	*ret_image_id = image_id;
	return 0;
}

/* As the incumbent does. The AMI is somebody else's, so that it may not be allowed. */
static int tag_light(struct call *call, const char *image_id, struct ec2_tags tags, struct error *err)
{
	struct error why;

	if (tags_create(call->ec2, (struct ec2_ids){ .items = &image_id, .count = 1 }, tags, &why) == 0)
		return 0;
	if (why.kind == ERROR_CANCELLED) {
		*err = why;
		return -1;
	}
	log_warn(call->runtime->log, "cannot tag AMI %s: %s", image_id, why.message);
	return 0;
}

int stemcell_light_create(struct call *call, const struct stemcell_create_request *request, const char **ret_cid,
			  struct error *err)
{
	struct stemcell_plan plan = { 0 };

	if (stemcell_plan_common(call, request, &plan, err) != 0 ||
	    pick_ami(call, &request->properties, plan.encrypted, &plan.source_image, err) != 0)
		return -1;
	if (plan.encrypted)
		return copy_encrypted(call, &plan, ret_cid, err);
	const char *cid = arena_printf(call->arena, "%s" LIGHT_SUFFIX, plan.source_image);
	if (tag_light(call, plan.source_image, request->env_tags, err) != 0)
		return -1;
	if (cid == NULL)
		return error_nomem(err);
	*ret_cid = cid;
	return 0;
}

bool stemcell_light_is(const char *stemcell_cid)
{
	size_t len = strlen(stemcell_cid), suffix = strlen(LIGHT_SUFFIX);
	return len > suffix && strcmp(stemcell_cid + len - suffix, LIGHT_SUFFIX) == 0;
}
