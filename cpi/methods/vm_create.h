/* SPDX-License-Identifier: Apache-2.0 */
/* create_vm: a running EC2 instance with its networks, disks, routes and load balancers, whose agent finds its settings. */
#ifndef CPI_METHODS_VM_CREATE_H
#define CPI_METHODS_VM_CREATE_H

#include "cpi/methods/call.h"
#include "cpi/methods/vm_spec.h"

/* The instance's id, in the call's arena. What can be refused is refused before anything is made; what was made when
 * something fails later is the caller's to undo (undo.h). */
int vm_create(struct call *call, const struct vm_spec *spec, const char **ret_vm_cid, struct error *err);

#endif
