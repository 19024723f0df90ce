/* SPDX-License-Identifier: Apache-2.0 */
/* The look-ups side by side, each into fields of its own; then the checks that need more than one of them. */
#include "cpi/methods/vm_lookups.h"

#include <stdlib.h>
#include <string.h>

#include "common/parallel.h"
#include "cpi/ec2/addresses.h"
#include "cpi/ec2/load_balancers.h"
#include "cpi/ec2/security_groups.h"
#include "cpi/ec2/subnets.h"
#include "cpi/ec2/volumes.h"

#define MAX_TASKS 9

struct looking {
	struct call *call;
	const struct vm_spec *spec;
	const struct nic_plan *nics;
	struct vm_lookups found;
	struct subnet *subnets;
	size_t n_subnets;
	struct security_group *groups; /* that have one of the names, in any VPC */
	size_t n_groups;
	struct volume *volumes; /* of disk_cids */
	size_t n_volumes;
};

static struct ec2_filters one_filter(const struct ec2_filter *filter)
{
	return (struct ec2_filters){ .items = filter, .count = 1 };
}

/* --- one look-up each --- */

static int look_image(void *self, struct error *err)
{
	struct looking *looking = self;
	struct call *call = looking->call;
	const char *id = looking->spec->stemcell_cid;
	struct image *image;

	if (image_find(call->ec2, call->arena, id, &image, err) != 0)
		return error_prefix(err, "cannot look at stemcell '%s'", id);
	if (image == NULL)
		return error_set(err, ERROR_CLOUD,
				 "could not find AMI '%s': upload the stemcell again (`bosh upload-stemcell --fix`), and look whether "
				 "this is the account and region that it was uploaded to",
				 id);
	looking->found.image = *image;
	return 0;
}

static int subnet_ids(const struct looking *looking, struct ec2_ids *ret_ids, struct error *err)
{
	const struct nic_plan *nics = looking->nics;
	const char **ids = arena_array(looking->call->arena, nics->n_nics, sizeof(*ids));
	struct ec2_ids list = { .items = ids };

	if (ids == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < nics->n_nics; i++)
		if (!ec2_ids_have(list, nics->nics[i].subnet))
			ids[list.count++] = nics->nics[i].subnet;
	*ret_ids = list;
	return 0;
}

static int look_subnets(void *self, struct error *err)
{
	struct looking *looking = self;
	struct call *call = looking->call;
	struct ec2_ids ids;

	if (subnet_ids(looking, &ids, err) != 0)
		return -1;
	if (subnet_describe(call->ec2, call->arena, ids, (struct ec2_filters){ 0 }, &looking->subnets,
			    &looking->n_subnets, err) == 0)
		return 0;
	if (ec2_is_not_found(err))
		err->kind = ERROR_NETWORK_NOT_FOUND;
	return error_prefix(err, "cannot look at the networks' subnets");
}

static bool is_group_id(const char *text)
{
	return strncmp(text, "sg-", 3) == 0 && strspn(text + 3, "abcdefghijklmnopqrstuvwxyz0123456789") >= 8;
}

/* By name alone: the VPC is known only when the subnets are, and this need not wait for them. */
static int look_groups(void *self, struct error *err)
{
	struct looking *looking = self;
	struct call *call = looking->call;
	struct ec2_ids wanted = looking->nics->security_groups;
	const char **names = arena_array(call->arena, wanted.count, sizeof(*names));
	struct ec2_filter filter = { .name = "group-name", .values = names };

	if (names == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < wanted.count; i++)
		if (!is_group_id(wanted.items[i]))
			names[filter.n_values++] = wanted.items[i];
	if (security_group_describe(call->ec2, call->arena, (struct ec2_ids){ 0 }, one_filter(&filter), &looking->groups,
				    &looking->n_groups, err) != 0)
		return error_prefix(err, "cannot look up security groups by name");
	return 0;
}

static int look_facts(void *self, struct error *err)
{
	struct looking *looking = self;
	struct ec2_ids types = looking->found.types;
	struct instance_facts *facts = arena_array(looking->call->arena, types.count, sizeof(*facts));

	if (facts == NULL)
		return error_nomem(err);
	looking->found.facts = facts;
	return instance_facts_find(looking->call, types, facts, err);
}

static int look_volumes(void *self, struct error *err)
{
	struct looking *looking = self;
	struct call *call = looking->call;

	if (volume_describe(call->ec2, call->arena, looking->spec->disk_cids, (struct ec2_filters){ 0 },
			    &looking->volumes, &looking->n_volumes, err) == 0)
		return 0;
	if (ec2_is_not_found(err))
		err->kind = ERROR_DISK_NOT_FOUND;
	return error_prefix(err, "cannot look at the disks that the VM is to get");
}

static int look_address(void *self, struct error *err)
{
	static const char *const vpc = "vpc";
	struct looking *looking = self;
	struct call *call = looking->call;
	const struct vm_network *vip = looking->nics->vip;
	const struct ec2_filter filters[] = {
		{ .name = "public-ip", .values = &vip->ip, .n_values = 1 },
		{ .name = "domain", .values = &vpc, .n_values = 1 },
	};
	struct address *addresses;
	size_t count;

	if (address_describe(call->ec2, call->arena, (struct ec2_filters){ .items = filters, .count = 2 }, &addresses,
			     &count, err) != 0)
		return error_prefix(err, "cannot look up elastic IP %s", vip->ip);
	if (count == 0)
		return error_set(err, ERROR_CLOUD,
				 "Elastic IP with VPC scope not found with address '%s': allocate it in this account and region, or "
				 "correct the network '%s'",
				 vip->ip, vip->name);
	looking->found.vip_allocation_id = addresses[0].allocation_id;
	return 0;
}

static int look_load_balancers(void *self, struct error *err)
{
	struct looking *looking = self;
	struct call *call = looking->call;
	struct ec2_ids wanted = looking->spec->elbs, found;

	if (load_balancer_find(call->ec2, call->arena, wanted, &found, err) != 0) {
		/* a right of its own: without it, the work itself will tell */
		if (!ec2_is_denied(err))
			return error_prefix(err, "cannot look up the load balancers of elbs");
		log_warn(call->runtime->log, "not looked whether the load balancers exist: %s", err->message);
		return 0;
	}
	for (size_t i = 0; i < wanted.count; i++)
		if (!ec2_ids_have(found, wanted.items[i]))
			return error_set(err, ERROR_CLOUD, "there is no classic load balancer '%s' (elbs)", wanted.items[i]);
	return 0;
}

static bool is_arn(const char *text)
{
	return strncmp(text, "arn:", 4) == 0;
}

static int names_to_arns(struct looking *looking, struct ec2_ids names, const char **arns, size_t *count,
			 struct error *err)
{
	struct call *call = looking->call;
	struct target_group *groups;
	size_t n_groups;

	if (names.count == 0)
		return 0;
	if (target_group_find(call->ec2, call->arena, names, (struct ec2_ids){ 0 }, &groups, &n_groups, err) != 0)
		return error_prefix(err, "cannot look up target group '%s'%s of lb_target_groups", names.items[0],
				    names.count > 1 ? " and others" : "");
	for (size_t i = 0; i < n_groups; i++)
		arns[(*count)++] = groups[i].arn;
	return 0;
}

static int check_arns(struct looking *looking, struct ec2_ids arns, struct error *err)
{
	struct call *call = looking->call;
	struct target_group *groups;
	size_t n_groups;

	if (arns.count == 0 || target_group_find(call->ec2, call->arena, (struct ec2_ids){ 0 }, arns, &groups, &n_groups,
						 err) == 0)
		return 0;
	if (!ec2_is_denied(err))
		return error_prefix(err, "cannot look up target group %s%s of lb_target_groups", arns.items[0],
				    arns.count > 1 ? " and others" : "");
	log_warn(call->runtime->log, "not looked whether the target groups exist: %s", err->message);
	return 0;
}

static int look_target_groups(void *self, struct error *err)
{
	struct looking *looking = self;
	struct ec2_ids wanted = looking->spec->target_groups;
	const char **names = arena_array(looking->call->arena, wanted.count, sizeof(*names));
	const char **arns = arena_array(looking->call->arena, wanted.count * 2, sizeof(*arns));
	size_t n_names = 0, n_arns = 0;

	if (names == NULL || arns == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < wanted.count; i++) {
		if (is_arn(wanted.items[i]))
			arns[n_arns++] = wanted.items[i];
		else
			names[n_names++] = wanted.items[i];
	}
	if (check_arns(looking, (struct ec2_ids){ .items = arns, .count = n_arns }, err) != 0 ||
	    names_to_arns(looking, (struct ec2_ids){ .items = names, .count = n_names }, arns, &n_arns, err) != 0)
		return -1;
	looking->found.target_group_arns = (struct ec2_ids){ .items = arns, .count = n_arns };
	return 0;
}

static int look_tables(void *self, struct error *err)
{
	struct looking *looking = self;
	struct call *call = looking->call;
	const struct vm_spec *spec = looking->spec;
	const char **ids = arena_array(call->arena, spec->n_routes, sizeof(*ids));
	struct ec2_ids list = { .items = ids };
	struct route_table *tables;

	if (ids == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < spec->n_routes; i++)
		if (!ec2_ids_have(list, spec->routes[i].table_id))
			ids[list.count++] = spec->routes[i].table_id;
	if (route_table_describe(call->ec2, call->arena, list, (struct ec2_filters){ 0 }, &tables,
				 &looking->found.n_tables, err) != 0)
		return error_prefix(err, "cannot look up the route tables of advertised_routes");
	looking->found.tables = tables;
	return 0;
}

/* --- which of them --- */

static bool any_group_by_name(const struct nic_plan *nics)
{
	for (size_t i = 0; i < nics->security_groups.count; i++)
		if (!is_group_id(nics->security_groups.items[i]))
			return true;
	return false;
}

static int list_types(struct looking *looking, struct error *err)
{
	const struct vm_spec *spec = looking->spec;
	const char **types = arena_array(looking->call->arena, spec->further_types.count + 1, sizeof(*types));
	struct ec2_ids list = { .items = types, .count = 1 };

	if (types == NULL)
		return error_nomem(err);
	types[0] = spec->instance_type;
	for (size_t i = 0; i < spec->further_types.count; i++)
		if (!ec2_ids_have(list, spec->further_types.items[i]))
			types[list.count++] = spec->further_types.items[i];
	looking->found.types = list;
	return 0;
}

/* Only instance storage makes a difference between types. */
static bool needs_facts(const struct vm_spec *spec)
{
	return spec->raw_instance_storage || spec->ephemeral_disk.use_instance_storage;
}

static int default_facts(struct looking *looking, struct error *err)
{
	struct ec2_ids types = looking->found.types;
	struct instance_facts *facts = arena_array(looking->call->arena, types.count, sizeof(*facts));

	if (facts == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < types.count; i++)
		instance_facts_built_in(types.items[i], &facts[i]);
	looking->found.facts = facts;
	return 0;
}

static int look(struct looking *looking, struct error *err)
{
	const struct vm_spec *spec = looking->spec;
	struct parallel_task tasks[MAX_TASKS];
	size_t n = 0;

	tasks[n++] = (struct parallel_task){ .run = look_image, .self = looking };
	tasks[n++] = (struct parallel_task){ .run = look_subnets, .self = looking };
	if (any_group_by_name(looking->nics))
		tasks[n++] = (struct parallel_task){ .run = look_groups, .self = looking };
	if (needs_facts(spec))
		tasks[n++] = (struct parallel_task){ .run = look_facts, .self = looking };
	else if (default_facts(looking, err) != 0)
		return -1;
	if (spec->disk_cids.count > 0)
		tasks[n++] = (struct parallel_task){ .run = look_volumes, .self = looking };
	if (looking->nics->vip != NULL)
		tasks[n++] = (struct parallel_task){ .run = look_address, .self = looking };
	if (spec->elbs.count > 0)
		tasks[n++] = (struct parallel_task){ .run = look_load_balancers, .self = looking };
	if (spec->target_groups.count > 0)
		tasks[n++] = (struct parallel_task){ .run = look_target_groups, .self = looking };
	if (spec->n_routes > 0)
		tasks[n++] = (struct parallel_task){ .run = look_tables, .self = looking };
	return parallel_run(tasks, n, err);
}

/* --- checks --- */

/* All interfaces of an instance are in one zone. */
static int check_subnets(const struct looking *looking, struct error *err)
{
	for (size_t i = 1; i < looking->n_subnets; i++)
		if (strcmp(looking->subnets[i].availability_zone, looking->subnets[0].availability_zone) != 0)
			return error_set(err, ERROR_CLOUD,
					 "All nic groups must be in the same availability zone. Found subnets in zones: %s (%s), %s (%s)",
					 looking->subnets[0].availability_zone, looking->subnets[0].id,
					 looking->subnets[i].availability_zone, looking->subnets[i].id);
	if (looking->n_subnets == 0)
		return error_set(err, ERROR_NETWORK_NOT_FOUND, "EC2 shows no subnet %s", looking->nics->nics[0].subnet);
	return 0;
}

static int refuse_zones(const struct looking *looking, const char *subnets, const char *vm, struct error *err)
{
	const char *volumes = "";

	for (size_t i = 0; i < looking->n_volumes; i++) {
		volumes = arena_printf(looking->call->arena, "%s%s%s (%s)", volumes, i == 0 ? ", and volume in " : ", ",
				       looking->volumes[i].availability_zone, looking->volumes[i].id);
		if (volumes == NULL)
			return error_nomem(err);
	}
	return error_set(err, ERROR_CLOUD, "can't use multiple availability zones: subnet in %s, VM in %s%s", subnets, vm,
			 volumes);
}

static int agree_on_zone(struct looking *looking, struct error *err)
{
	const char *subnets = looking->subnets[0].availability_zone;
	const char *vm = looking->spec->availability_zone != NULL ? looking->spec->availability_zone : subnets;
	bool agreed = strcmp(vm, subnets) == 0;

	for (size_t i = 0; i < looking->n_volumes; i++)
		agreed = agreed && strcmp(looking->volumes[i].availability_zone, vm) == 0;
	if (!agreed)
		return refuse_zones(looking, subnets, vm, err);
	looking->found.availability_zone = vm;
	return 0;
}

static int group_id(const struct looking *looking, const char *name, const char **ret_id, struct error *err)
{
	const char *id = NULL;

	for (size_t i = 0; i < looking->n_groups; i++) {
		const struct security_group *group = &looking->groups[i];
		if (strcmp(group->name, name) != 0 || strcmp(group->vpc_id, looking->found.vpc_id) != 0)
			continue;
		if (id != NULL)
			return error_set(err, ERROR_CLOUD,
					 "Found multiple matching security groups with name '%s': %s, %s; give the id of the one that "
					 "is meant",
					 name, id, group->id);
		id = group->id;
	}
	if (id == NULL)
		return error_set(err, ERROR_CLOUD, "Security group not found with name '%s' in %s, the VPC of subnet %s", name,
				 looking->found.vpc_id, looking->subnets[0].id);
	*ret_id = id;
	return 0;
}

static int resolve_groups(struct looking *looking, struct error *err)
{
	struct ec2_ids wanted = looking->nics->security_groups;
	const char **ids = arena_array(looking->call->arena, wanted.count, sizeof(*ids));
	struct ec2_ids list = { .items = ids };

	if (ids == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < wanted.count; i++) {
		const char *id = wanted.items[i];
		if (!is_group_id(id) && group_id(looking, id, &id, err) != 0)
			return -1;
		/* EC2 refuses a group that is given twice, as its name and its id */
		if (!ec2_ids_have(list, id))
			ids[list.count++] = id;
	}
	looking->found.security_group_ids = list;
	return 0;
}

static int check_tables(const struct looking *looking, struct error *err)
{
	for (size_t i = 0; i < looking->spec->n_routes; i++) {
		const char *id = looking->spec->routes[i].table_id;
		const struct route_table *table = vm_lookups_table(&looking->found, id);
		if (table == NULL)
			return error_set(err, ERROR_CLOUD, "there is no route table %s (advertised_routes)", id);
		if (strcmp(table->vpc_id, looking->found.vpc_id) != 0)
			return error_set(err, ERROR_CLOUD,
					 "route table %s (advertised_routes) is in %s, but the VM's subnet %s is in %s", id,
					 table->vpc_id, looking->subnets[0].id, looking->found.vpc_id);
	}
	return 0;
}

const struct route_table *vm_lookups_table(const struct vm_lookups *lookups, const char *table_id)
{
	for (size_t i = 0; i < lookups->n_tables; i++)
		if (strcmp(lookups->tables[i].id, table_id) == 0)
			return &lookups->tables[i];
	return NULL;
}

int vm_lookups_make(struct call *call, const struct vm_spec *spec, const struct nic_plan *nics,
		    struct vm_lookups *ret_lookups, struct error *err)
{
	struct looking looking = { .call = call, .spec = spec, .nics = nics };

	if (list_types(&looking, err) != 0 || look(&looking, err) != 0 || check_subnets(&looking, err) != 0)
		return -1;
	looking.found.vpc_id = looking.subnets[0].vpc_id;
	if (agree_on_zone(&looking, err) != 0 || resolve_groups(&looking, err) != 0 || check_tables(&looking, err) != 0)
		return -1;
	*ret_lookups = looking.found;
	return 0;
}
