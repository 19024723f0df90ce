/* SPDX-License-Identifier: Apache-2.0 */
/* calculate_vm_cloud_properties: from its JSON to cpi/methods/calculate_vm and back. */
#ifndef CPI_RPC_VM_SIZE_CALLS_H
#define CPI_RPC_VM_SIZE_CALLS_H

#include "common/error.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "cpi/methods/call.h"

/* Needs neither network nor credentials. ERROR_CLOUD names the keys that are missing, ERROR_INVALID_CALL a wrong type. */
int vm_size_calls_calculate(struct call *call, const struct json *arguments, struct json_writer *result,
			    struct error *err);

#endif
