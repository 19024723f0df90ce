/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/dispatch.h"

#include <stddef.h>
#include <string.h>

#include "cpi/actions/worker_action.h"
#include "cpi/methods/current_vm.h"
#include "cpi/methods/info.h"
#include "cpi/methods/stemcell.h"
#include "cpi/rpc/args.h"
#include "cpi/rpc/create_vm_call.h"
#include "cpi/rpc/disk_calls.h"
#include "cpi/rpc/stemcell_args.h"
#include "cpi/rpc/vm_calls.h"
#include "cpi/rpc/vm_size_calls.h"

typedef int (*dispatch_fn)(struct call *call, const struct json *arguments, struct json_writer *result,
			   struct error *err);

struct dispatch_method {
	const char *name;
	int lowest_version; /* of the API */
	int highest_version;
	unsigned least_arguments;
	unsigned most_arguments;
	enum dispatch_needs needs;
	dispatch_fn run; /* NULL: of the contract, but not served */
};

/* --- adapters --- */

static int run_info(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	struct info info;

	(void)arguments;
	(void)err;
	info_get(call, &info);
	json_begin_object(result);
	json_key(result, "stemcell_formats");
	json_begin_array(result);
	for (size_t i = 0; i < info.n_stemcell_formats; i++)
		json_string(result, info.stemcell_formats[i]);
	json_end_array(result);
	json_member_integer(result, "api_version", info.api_version);
	json_end_object(result);
	return 0;
}

static int run_ping(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	(void)call;
	(void)arguments;
	(void)err;
	json_string(result, info_ping());
	return 0;
}

static int run_current_vm_id(struct call *call, const struct json *arguments, struct json_writer *result,
			     struct error *err)
{
	const char *vm_cid;

	(void)arguments;
	if (current_vm_id(call, &vm_cid, err) != 0)
		return -1;
	json_string(result, vm_cid);
	return 0;
}

static int run_create_stemcell(struct call *call, const struct json *arguments, struct json_writer *result,
			       struct error *err)
{
	struct stemcell_create_request request;
	const char *stemcell_cid;

	if (stemcell_args_create(arguments, call->config, call->arena, &request, err) != 0 ||
	    stemcell_create(call, &request, &stemcell_cid, err) != 0)
		return -1;
	json_string(result, stemcell_cid);
	return 0;
}

static int run_delete_stemcell(struct call *call, const struct json *arguments, struct json_writer *result,
			       struct error *err)
{
	const char *stemcell_cid;

	if (args_string(arguments, 0, "stemcell_cid", &stemcell_cid, err) != 0 ||
	    stemcell_delete(call, stemcell_cid, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

static int run_configure_networks(struct call *call, const struct json *arguments, struct json_writer *result,
				  struct error *err)
{
	(void)call;
	(void)arguments;
	(void)result;
	return error_set(err, ERROR_NOT_SUPPORTED,
			 "configure_networks is not supported: the networks of an EC2 instance are set when it is made");
}

/* --- the table --- */

static const struct dispatch_method methods[] = {
	/* name, API versions, arguments, needs, function */
	{ "info", 1, 3, 0, 0, DISPATCH_NEEDS_NOTHING, run_info },
	{ "ping", 1, 3, 0, 0, DISPATCH_NEEDS_NOTHING, run_ping },
	{ "current_vm_id", 1, 3, 0, 0, DISPATCH_NEEDS_HTTP, run_current_vm_id },
	/* env came with version 3, and its tags are of use in every one */
	{ "create_stemcell", 1, 3, 2, 3, DISPATCH_NEEDS_AWS, run_create_stemcell },
	{ "delete_stemcell", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, run_delete_stemcell },
	{ "create_vm", 1, 3, 4, 6, DISPATCH_NEEDS_AWS, create_vm_call },
	{ "delete_vm", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, vm_calls_delete_vm },
	{ "has_vm", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, vm_calls_has_vm },
	{ "reboot_vm", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, vm_calls_reboot_vm },
	{ "set_vm_metadata", 1, 3, 2, 2, DISPATCH_NEEDS_AWS, vm_calls_set_vm_metadata },
	{ "configure_networks", 1, 3, 0, 2, DISPATCH_NEEDS_NOTHING, run_configure_networks },
	{ "calculate_vm_cloud_properties", 1, 3, 1, 1, DISPATCH_NEEDS_NOTHING, vm_size_calls_calculate },
	{ "create_disk", 1, 3, 2, 3, DISPATCH_NEEDS_AWS, disk_calls_create_disk },
	{ "delete_disk", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, disk_calls_delete_disk },
	{ "has_disk", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, disk_calls_has_disk },
	{ "resize_disk", 1, 3, 2, 2, DISPATCH_NEEDS_AWS, disk_calls_resize_disk },
	{ "update_disk", 1, 3, 3, 3, DISPATCH_NEEDS_AWS, disk_calls_update_disk },
	{ "attach_disk", 1, 3, 2, 2, DISPATCH_NEEDS_AWS, disk_calls_attach_disk },
	{ "detach_disk", 1, 3, 2, 2, DISPATCH_NEEDS_AWS, disk_calls_detach_disk },
	{ "set_disk_metadata", 1, 3, 2, 2, DISPATCH_NEEDS_AWS, disk_calls_set_disk_metadata },
	{ "get_disks", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, vm_calls_get_disks },
	{ "snapshot_disk", 1, 3, 1, 2, DISPATCH_NEEDS_AWS, disk_calls_snapshot_disk },
	{ "delete_snapshot", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, disk_calls_delete_snapshot },
	{ "create_network", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, NULL },
	{ "delete_network", 1, 3, 1, 1, DISPATCH_NEEDS_AWS, NULL },
};

#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

bool dispatch_known(const char *name)
{
	if (worker_action_find(name) != NULL)
		return true;
	for (size_t i = 0; i < N_METHODS; i++) {
		if (strcmp(methods[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Those that are not served stand at the table's end. */
const char *dispatch_method_name(size_t index)
{
	return index < N_METHODS && methods[index].run != NULL ? methods[index].name : NULL;
}

/* A method may have several rows, one for each range of versions. */
static const struct dispatch_method *find(const char *name, int api_version)
{
	for (size_t i = 0; i < N_METHODS; i++) {
		if (strcmp(methods[i].name, name) == 0 && api_version >= methods[i].lowest_version &&
		    api_version <= methods[i].highest_version)
			return &methods[i];
	}
	return NULL;
}

static int wrong_count(const struct dispatch_method *method, size_t got, struct error *err)
{
	if (method->least_arguments == method->most_arguments)
		return error_set(err, ERROR_INVALID_CALL, "Arguments are not correct, got: %zu, and %s takes %u", got,
				 method->name, method->most_arguments);
	return error_set(err, ERROR_INVALID_CALL, "Arguments are not correct, got: %zu, and %s takes %u to %u", got,
			 method->name, method->least_arguments, method->most_arguments);
}

int dispatch_find(const char *name, int api_version, int highest, const struct json *arguments,
		  const struct dispatch_method **ret_method, struct error *err)
{
	if (api_version > highest)
		return error_set(err, ERROR_API_VERSION,
				 "CPI API version %d was requested, but the highest that is supported is %d", api_version,
				 highest);
	const struct dispatch_method *method = find(name, api_version);
	if (method == NULL || method->run == NULL)
		return error_set(err, ERROR_NOT_IMPLEMENTED,
				 "Method '%s' is part of the CPI API, but this CPI (version " CPI_VERSION
				 ") does not have it",
				 name);
	if (arguments->count < method->least_arguments || arguments->count > method->most_arguments)
		return wrong_count(method, arguments->count, err);
	*ret_method = method;
	return 0;
}

enum dispatch_needs dispatch_needs(const struct dispatch_method *method)
{
	return method->needs;
}

int dispatch_run(const struct dispatch_method *method, struct call *call, const struct json *arguments,
		 struct json_writer *result, struct error *err)
{
	return method->run(call, arguments, result, err);
}
