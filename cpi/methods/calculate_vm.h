/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest instance type that has what a manifest's vm_resources ask for. Makes no call. */
#ifndef CPI_METHODS_CALCULATE_VM_H
#define CPI_METHODS_CALCULATE_VM_H

#include "common/error.h"

struct calculate_vm_request {
	double cpu;
	double ram_mib;
};

/* By the incumbent's list in its order: another answer would make the Director recreate every such VM. Newer types serve
 * only what the list has no match for. ERROR_CLOUD names the largest type when none is large enough. */
int calculate_vm_type(const struct calculate_vm_request *request, const char **ret_type, struct error *err);

#endif
