/* SPDX-License-Identifier: Apache-2.0 */
/* create_vm between its JSON and the method: arguments in (vm_args), the id and the networks out. */
#ifndef CPI_RPC_CREATE_VM_CALL_H
#define CPI_RPC_CREATE_VM_CALL_H

#include "common/error.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "cpi/methods/call.h"

/* Version 1: the VM's id. From version 2 on: [id, networks], the networks as they came. */
int create_vm_call(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);

#endif
