/* SPDX-License-Identifier: Apache-2.0 */
/* The network interfaces of a new VM, where they must be there before it: its user data carries their MAC addresses. */
#ifndef CPI_METHODS_VM_INTERFACES_H
#define CPI_METHODS_VM_INTERFACES_H

#include "cpi/methods/call.h"
#include "cpi/methods/nic_plan.h"
#include "cpi/methods/undo.h"
#include "cpi/methods/vm_lookups.h"
#include "cpi/methods/vm_spec.h"

struct vm_interfaces {
	const struct instance_own_interface *items; /* one for each nic of the plan, in its order */
	size_t count;
};

/* Makes them, side by side, with their addresses, prefixes and public addresses, and enters the MACs into the plan. */
int vm_interfaces_create(struct call *call, const struct vm_spec *spec, const struct nic_plan *nics,
			 const struct vm_lookups *lookups, struct vm_interfaces *ret_interfaces, struct error *err);
/* Until they can be attached again, after an instance that had them has terminated. */
int vm_interfaces_wait_free(struct call *call, const struct vm_interfaces *interfaces, struct error *err);

#endif
