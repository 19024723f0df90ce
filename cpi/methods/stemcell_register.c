/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/stemcell_register.h"

#include "cpi/ec2/images.h"
#include "cpi/methods/created.h"

int stemcell_register(struct call *call, const struct stemcell_plan *plan, const char *name, const char *snapshot_id,
		      const char **ret_image_id, struct error *err)
{
	const struct image_mapping mappings[] = {
		{
			.device_name = plan->paravirtual ? "/dev/sda" : "/dev/xvda",
			.snapshot_id = snapshot_id,
			.delete_on_termination = true,
		},
		{ .device_name = "/dev/sdb", .virtual_name = "ephemeral0" },
	};
	const struct wait_options wait = { .just_created = true };
	struct undo_step step;
	const char *image_id;

	if (undo_intend(call->undo, UNDO_IMAGE, &step, err) != 0)
		return -1;
	struct image_register_request request = {
		.name = name,
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
	if (created_tags(call->arena, plan->tags, &step, &request.tags, err) != 0)
		return -1;
	if (image_register(call->ec2, call->arena, &request, &image_id, err) != 0) {
		created_not(call->undo, &step, err);
		return error_prefix(err, "cannot register an AMI on snapshot %s", snapshot_id);
	}
	undo_created(call->undo, &step, image_id);
	log_info(call->runtime->log, "registered AMI %s (%s) on snapshot %s", image_id, request.name, snapshot_id);
	if (image_wait_available(call->ec2, image_id, &wait, err) != 0)
		return -1;
	*ret_image_id = image_id;
	return 0;
}
