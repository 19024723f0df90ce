/* SPDX-License-Identifier: Apache-2.0 */
/* A running instance: the types and ways of paying that are tried in turn, and the instance that dies at birth. */
#ifndef CPI_METHODS_VM_LAUNCH_H
#define CPI_METHODS_VM_LAUNCH_H

#include "cpi/methods/agent_settings.h"
#include "cpi/methods/call.h"
#include "cpi/methods/vm_interfaces.h"
#include "cpi/methods/vm_lookups.h"

/* One type that may be launched, with what depends on it. */
struct vm_candidate {
	const char *type;
	struct block_devices devices;
};

struct vm_launch {
	const struct vm_spec *spec;
	const struct nic_plan *nics;
	const struct vm_lookups *lookups;
	const struct vm_candidate *candidates;
	size_t n_candidates;
	struct agent_settings settings; /* its devices are set for each candidate */
	bool whole_settings;            /* in the user data */
	const struct vm_interfaces *interfaces; /* NULL: RunInstances makes the only one */
};

/* *ret_instance is running, *ret_candidate is what it is. ERROR_VM_CREATION_FAILED: retryable when it did not get to run
 * in time, not when there is no capacity (type and zone are named), no spot instance, or it dies again and again. */
int vm_launch_run(struct call *call, const struct vm_launch *launch, struct instance *ret_instance,
		  const struct vm_candidate **ret_candidate, struct error *err);

#endif
