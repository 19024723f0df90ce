/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about instance types, from EC2 or from instance_catalog.c. */
#include "cpi/methods/instance_facts.h"

#include <string.h>

#include "cpi/ec2/instance_types.h"
#include "cpi/methods/instance_catalog.h"

static uint64_t gb_to_mib(uint64_t gb)
{
	return gb > UINT64_MAX / 1000000000 ? 0 : gb * 1000000000 / (1024 * 1024);
}

bool instance_facts_table(const char *type, uint64_t *ret_disk_gib, uint64_t *ret_disks)
{
	struct instance_catalog_storage storage;

	if (!instance_catalog_fixed(type, &storage))
		return false;
	*ret_disk_gib = storage.size;
	*ret_disks = storage.disks;
	return true;
}

void instance_facts_built_in(const char *type, struct instance_facts *ret_facts)
{
	struct instance_catalog_storage storage = { 0 };
	bool has_storage = instance_catalog_storage(type, &storage);

	*ret_facts = (struct instance_facts){
		.type = type,
		.ebs_is_nvme = instance_catalog_is_nitro(type),
		.storage_is_nvme = has_storage && instance_catalog_nvme_storage(type),
		.is_arm = instance_catalog_is_arm(type),
		.storage_disks = storage.disks,
		.storage_disk_mib = gb_to_mib(storage.size),
		.max_volumes = instance_catalog_max_volumes(type, storage.disks),
		.known = instance_catalog_knows(type),
	};
}

/* --- from EC2 --- */

static bool is(const char *text, const char *wanted)
{
	return strcmp(text, wanted) == 0;
}

static bool has_arm(const struct instance_type *type)
{
	for (size_t i = 0; i < type->n_architectures; i++)
		if (strncmp(type->architectures[i], "arm64", 5) == 0)
			return true;
	return false;
}

/* What EC2 leaves out stays as the list has it. */
static void take_answer(const char *name, const struct instance_type *type, struct instance_facts *ret_facts)
{
	struct instance_facts facts;

	instance_facts_built_in(name, &facts);
	facts.known = true;
	/* "supported" is i3: EBS volumes of Xen, NVMe for the instance storage */
	if (!is(type->ebs_nvme, ""))
		facts.ebs_is_nvme = is(type->ebs_nvme, "required");
	if (type->n_architectures > 0)
		facts.is_arm = has_arm(type);
	facts.storage_disks = type->storage_disks;
	facts.storage_disk_mib = gb_to_mib(type->storage_disk_gb);
	facts.storage_is_nvme = type->storage_disks > 0 &&
				(is(type->storage_nvme, "required") || is(type->storage_nvme, "supported"));
	/* EC2 has taken one interface and the instance storage off a limit that they share */
	if (type->max_ebs_attachments > 0)
		facts.max_volumes = type->max_ebs_attachments;
	*ret_facts = facts;
}

static const struct instance_type *find(const struct instance_type *types, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (is(types[i].name, name))
			return &types[i];
	return NULL;
}

static int take_answers(struct call *call, struct ec2_ids names, const struct instance_type *types, size_t count,
			struct instance_facts *ret_facts, struct error *err)
{
	struct instance_facts *facts = arena_array(call->arena, names.count, sizeof(*facts));

	if (facts == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < names.count; i++) {
		const struct instance_type *type = find(types, count, names.items[i]);
		if (type == NULL)
			return error_set(err, ERROR_CLOUD, "EC2 does not know the instance type '%s' in this region",
					 names.items[i]);
		take_answer(names.items[i], type, &facts[i]);
	}
	memcpy(ret_facts, facts, names.count * sizeof(*facts));
	return 0;
}

/* --- which of the two --- */

static void use_list(struct call *call, struct ec2_ids types, struct instance_facts *ret_facts)
{
	for (size_t i = 0; i < types.count; i++) {
		instance_facts_built_in(types.items[i], &ret_facts[i]);
		if (!ret_facts[i].known)
			log_warn(call->runtime->log,
				 "the built-in list does not have the instance type '%s': it is taken for Nitro without instance "
				 "storage", types.items[i]);
	}
}

static int explain_unknown(struct ec2_ids types, struct error *err)
{
	/* EC2's text names those that it does not know */
	error_prefix(err, types.count == 1 ? "EC2 does not know the instance type '%s'" :
					     "EC2 does not know an instance type ('%s' or one of its further types)",
		     types.items[0]);
	err->kind = ERROR_CLOUD;
	return -1;
}

int instance_facts_find(struct call *call, struct ec2_ids types, struct instance_facts *ret_facts, struct error *err)
{
	struct instance_type *answers;
	size_t count;

	if (!call->config->describe_instance_types) {
		use_list(call, types, ret_facts);
		return 0;
	}
	if (instance_type_describe(call->ec2, call->arena, types, &answers, &count, err) == 0)
		return take_answers(call, types, answers, count, ret_facts, err);
	if (ec2_is_denied(err)) {
		log_warn(call->runtime->log,
			 "ec2:DescribeInstanceTypes is not allowed, so the built-in list of instance types is used");
		use_list(call, types, ret_facts);
		return 0;
	}
	if (err->kind == ERROR_AWS && is(err->aws_code, "InvalidInstanceType"))
		return explain_unknown(types, err);
	return error_prefix(err, "cannot find out what instance type '%s' can do", types.items[0]);
}
