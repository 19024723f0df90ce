/* SPDX-License-Identifier: Apache-2.0 */
/* The adapters of the methods that work on a VM that exists: JSON arguments in, one JSON value out. They have the form of
 * the dispatch table's functions. */
#ifndef CPI_RPC_VM_CALLS_H
#define CPI_RPC_VM_CALLS_H

#include "common/error.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "cpi/methods/call.h"

int vm_calls_delete_vm(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int vm_calls_has_vm(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int vm_calls_reboot_vm(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int vm_calls_set_vm_metadata(struct call *call, const struct json *arguments, struct json_writer *result,
			     struct error *err);
int vm_calls_get_disks(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);

#endif
