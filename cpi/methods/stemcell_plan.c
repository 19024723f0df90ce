/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults and limits of a stemcell's properties. Makes no call; what is made of the plan is stemcell.c's. */
#include "cpi/methods/stemcell_plan.h"

#include <inttypes.h>
#include <string.h>

#include "cpi/ec2/tags.h"
#include "cpi/methods/created.h"

#define DISK_DEFAULT_MIB 2048
#define DISK_LEAST_MIB 1024
#define DISK_MOST_MIB ((uint64_t)16 * 1024 * 1024) /* of a gp3 volume in every region */

static bool is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

static int one_of(const char *property, const char *value, const char *const *allowed, struct error *err)
{
	if (value == NULL)
		return 0;
	for (size_t i = 0; allowed[i] != NULL; i++)
		if (strcmp(value, allowed[i]) == 0)
			return 0;
	return error_set(err, ERROR_CLOUD, "the stemcell's %s is '%.64s'; it must be one that EC2 knows (%s, %s …)", property,
			 value, allowed[0], allowed[1]);
}

/* --- the plan --- */

static int plan_tags(struct call *call, const struct stemcell_create_request *request, struct stemcell_plan *plan,
		     struct error *err)
{
	const struct stemcell_properties *properties = &request->properties;
	struct ec2_tag name = { .key = "Name" };

	if (properties->name != NULL && properties->version != NULL) {
		const char *text = arena_printf(call->arena, "%s %s", properties->name, properties->version);
		plan->description = text != NULL ? tags_cut(call->arena, text, TAG_VALUE_MAX) : NULL;
		if (plan->description == NULL)
			return error_nomem(err);
		name.value = plan->description;
	}
	const struct ec2_tags lists[] = {
		properties->tags,
		request->env_tags,
		{ .items = &name, .count = name.value != NULL ? 1 : 0 },
	};
	return created_merge(call->arena, lists, sizeof(lists) / sizeof(lists[0]), &plan->tags, err);
}

int stemcell_plan_common(struct call *call, const struct stemcell_create_request *request, struct stemcell_plan *plan,
			 struct error *err)
{
	const struct stemcell_properties *properties = &request->properties;

	plan->encrypted = properties->encrypted_set ? properties->encrypted : call->config->encrypted;
	plan->kms_key_arn = properties->kms_key_arn_set ? properties->kms_key_arn : call->config->kms_key_arn;
	return plan_tags(call, request, plan, err);
}

static int plan_disk(const struct stemcell_properties *properties, struct stemcell_plan *plan, struct error *err)
{
	uint64_t mib = properties->disk_mib != 0 ? properties->disk_mib : DISK_DEFAULT_MIB;

	if (mib < DISK_LEAST_MIB || mib > DISK_MOST_MIB)
		return error_set(err, ERROR_CLOUD, "the stemcell's disk is %" PRIu64 " MiB; it must be from %d to %" PRIu64
				 " MiB (a gp3 volume's most)", mib, DISK_LEAST_MIB, DISK_MOST_MIB);
	plan->disk_gib = (mib + 1023) / 1024;
	return 0;
}

static int plan_machine(const struct stemcell_properties *properties, struct stemcell_plan *plan, struct error *err)
{
	static const char *const types[] = { "hvm", "paravirtual", NULL };
	static const char *const architectures[] = { "x86_64", "arm64", "i386", "x86_64_mac", "arm64_mac", NULL };
	static const char *const boot_modes[] = { "legacy-bios", "uefi", "uefi-preferred", NULL };

	if (one_of("virtualization_type", properties->virtualization_type, types, err) != 0 ||
	    one_of("architecture", properties->architecture, architectures, err) != 0 ||
	    one_of("boot_mode", properties->boot_mode, boot_modes, err) != 0)
		return -1;
	plan->architecture = properties->architecture;
	plan->paravirtual = is(properties->virtualization_type, "paravirtual");
	if (plan->paravirtual) {
		if (properties->root_device_name == NULL)
			return error_set(err, ERROR_CLOUD, "a paravirtual stemcell must name its root_device_name (such as /dev/sda1)");
		plan->root_device_name = properties->root_device_name;
		plan->kernel_id = properties->kernel_id;
		return 0;
	}
	plan->root_device_name = "/dev/xvda";
	plan->boot_mode = properties->boot_mode;
	/* arm64 boots by UEFI alone, and EC2 knows */
	if (plan->boot_mode == NULL && !is(plan->architecture, "arm64"))
		plan->boot_mode = "legacy-bios";
	return 0;
}

int stemcell_plan_heavy(struct call *call, const struct stemcell_properties *properties, struct stemcell_plan *plan,
			struct error *err)
{
	if (plan_disk(properties, plan, err) != 0 || plan_machine(properties, plan, err) != 0)
		return -1;
	if (plan->encrypted && call->config->stemcell.skip_zero_blocks)
		return error_set(err, ERROR_CONFIG,
				 "aws.stemcell.skip_zero_blocks does not go with an encrypted stemcell: blocks that are never written "
				 "read as noise; switch one of them off");
	return 0;
}
