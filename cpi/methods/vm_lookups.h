/* SPDX-License-Identifier: Apache-2.0 */
/* What create_vm looks up before it makes anything, all at the same time, and what can be refused because of it. */
#ifndef CPI_METHODS_VM_LOOKUPS_H
#define CPI_METHODS_VM_LOOKUPS_H

#include "cpi/ec2/images.h"
#include "cpi/ec2/routes.h"
#include "cpi/methods/call.h"
#include "cpi/methods/instance_facts.h"
#include "cpi/methods/nic_plan.h"
#include "cpi/methods/vm_spec.h"

/* Texts live in the call's arena. */
struct vm_lookups {
	struct image image;
	const char *availability_zone; /* the one that VM type, subnets and disks agree on */
	const char *vpc_id;
	struct ec2_ids security_group_ids;
	struct ec2_ids types; /* the instance type and then the further ones */
	const struct instance_facts *facts; /* one for each of types */
	const char *vip_allocation_id;      /* NULL: no vip network */
	struct ec2_ids target_group_arns;
	const struct route_table *tables; /* those of spec->routes */
	size_t n_tables;
};

/* ERROR_CLOUD, ERROR_NETWORK_NOT_FOUND or ERROR_DISK_NOT_FOUND that names what is missing or does not go together. */
int vm_lookups_make(struct call *call, const struct vm_spec *spec, const struct nic_plan *nics,
		    struct vm_lookups *ret_lookups, struct error *err);
/* NULL where there is none of that id. */
const struct route_table *vm_lookups_table(const struct vm_lookups *lookups, const char *table_id);

#endif
