/* SPDX-License-Identifier: Apache-2.0 */
/* current_vm_id: the EC2 instance on which this program runs. */
#ifndef CPI_METHODS_CURRENT_VM_H
#define CPI_METHODS_CURRENT_VM_H

#include "cpi/methods/call.h"

/* From instance metadata, within METADATA_TIMEOUT. The id is owned by the call's arena. ERROR_METADATA off EC2, and
 * for an answer that is no instance id. */
int current_vm_id(struct call *call, const char **ret_vm_cid, struct error *err);

#endif
