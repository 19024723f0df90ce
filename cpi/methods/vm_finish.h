/* SPDX-License-Identifier: Apache-2.0 */
/* What a VM gets once it runs: its interfaces' end with it, load balancers, routes, its elastic address. */
#ifndef CPI_METHODS_VM_FINISH_H
#define CPI_METHODS_VM_FINISH_H

#include "cpi/methods/call.h"
#include "cpi/methods/vm_interfaces.h"
#include "cpi/methods/vm_lookups.h"

struct vm_finish {
	const struct vm_spec *spec;
	const struct nic_plan *nics;
	const struct vm_lookups *lookups;
	const struct instance *instance; /* running */
	bool own_interfaces;             /* they were made before it */
};

/* Side by side; the routes are in the journal before. The elastic address comes last: it may be taken from another VM, and
 * nothing gives it back. */
int vm_finish_run(struct call *call, const struct vm_finish *finish, struct error *err);

#endif
