/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/worker.h"

#include "common/log.h"
#include "cpi/ec2/instances.h"
#include "cpi/ec2/volumes.h"
#include "cpi/methods/created.h"
#include "cpi/methods/undo.h"

static int named(struct call *call, const char *name, const struct undo_step *step, struct ec2_tags *ret_tags,
		 struct error *err)
{
	const struct ec2_tag tag = { .key = "Name", .value = name };

	return created_tags(call->arena, (struct ec2_tags){ .items = &tag, .count = 1 }, step, ret_tags, err);
}

int worker_launch(struct call *call, const struct worker_request *request, const char **ret_id, struct error *err)
{
	struct instance_run_request run = { .image_id = request->image_id, .type = request->instance_type };
	struct instance instance;
	struct undo_step step;

	if (undo_intend(call->undo, UNDO_INSTANCE, &step, err) != 0 ||
	    named(call, request->name, &step, &run.tags, err) != 0)
		return -1;
	run.client_token = step.token;
	if (instance_run(call->ec2, call->arena, &run, &instance, err) != 0) {
		created_not(call->undo, &step, err);
		return error_prefix(err, "cannot create worker %s", request->name);
	}
	undo_created(call->undo, &step, instance.id);
	log_info(call->runtime->log, "creating worker %s: instance %s (%s of %s)", request->name, instance.id,
		 request->instance_type, request->image_id);
	*ret_id = instance.id;
	return 0;
}

int worker_create_volume(struct call *call, const struct worker_volume_request *request, const char **ret_id,
			 struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	struct volume_create_request creation = {
		.size_gib = request->size_gib,
		.availability_zone = request->availability_zone,
		.type = request->type,
	};
	struct undo_step step;
	struct volume volume;

	if (undo_intend(call->undo, UNDO_VOLUME, &step, err) != 0)
		return -1;
	if (created_volume(call, &step, (struct ec2_tags){ NULL, 0 }, &creation, &volume, err) != 0)
		return error_prefix(err, "cannot create a volume in %s", request->availability_zone);
	if (volume_wait_available(call->ec2, volume.id, &wait, err) != 0)
		return -1;
	log_info(call->runtime->log, "created volume %s", volume.id);
	*ret_id = volume.id;
	return 0;
}

int worker_attach_volume(struct call *call, const char *volume_id, const char *worker_id, const char *device, struct error *err)
{
	const char *id = arena_printf(call->arena, "%s %s", volume_id, worker_id);
	struct undo_step step;
	struct volume *volume;

	if (id == NULL)
		return error_nomem(err);
	if (volume_find(call->ec2, call->arena, volume_id, &volume, err) != 0)
		return -1;
	/* what was there before must not be undone */
	if (volume != NULL && volume_attachment_to(volume, worker_id) != NULL)
		return volume_attach(call->ec2, volume_id, worker_id, device, err);
	if (undo_intend_known(call->undo, UNDO_ATTACHMENT, id, &step, err) != 0)
		return -1;
	if (volume_attach(call->ec2, volume_id, worker_id, device, err) == 0)
		return 0;
	created_not(call->undo, &step, err);
	return -1;
}

int worker_take_snapshot(struct call *call, const char *volume_id, const char *name, const char **ret_id, struct error *err)
{
	const struct ec2_tag tag = { .key = "Name", .value = name };
	const char *description = arena_printf(call->arena, "Snapshot of %s", volume_id);

	if (description == NULL)
		return error_nomem(err);
	return created_snapshot_begun(call, volume_id, description, (struct ec2_tags){ .items = &tag, .count = 1 }, ret_id, err);
}
