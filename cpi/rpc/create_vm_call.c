/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/create_vm_call.h"

#include "cpi/methods/vm_create.h"
#include "cpi/rpc/vm_args.h"

#define NETWORKS_ARGUMENT 3

int create_vm_call(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	struct vm_spec spec;
	const char *vm_cid;

	if (vm_args_create(arguments, call->config, call->arena, &spec, err) != 0 ||
	    vm_create(call, &spec, &vm_cid, err) != 0)
		return -1;
	if (call->api_version < 2) {
		json_string(result, vm_cid);
		return 0;
	}
	json_begin_array(result);
	json_string(result, vm_cid);
	json_value(result, json_at(arguments, NETWORKS_ARGUMENT));
	json_end_array(result);
	return 0;
}
