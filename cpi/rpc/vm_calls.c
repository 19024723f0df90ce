/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/vm_calls.h"

#include "cpi/methods/vm.h"
#include "cpi/rpc/args.h"

static int read_vm_cid(const struct json *arguments, const char **ret_vm_cid, struct error *err)
{
	return args_string(arguments, 0, "vm_cid", ret_vm_cid, err);
}

int vm_calls_delete_vm(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *vm_cid;

	if (read_vm_cid(arguments, &vm_cid, err) != 0 || vm_delete(call, vm_cid, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

int vm_calls_has_vm(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *vm_cid;
	bool exists;

	if (read_vm_cid(arguments, &vm_cid, err) != 0 || vm_has(call, vm_cid, &exists, err) != 0)
		return -1;
	json_boolean(result, exists);
	return 0;
}

int vm_calls_reboot_vm(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *vm_cid;

	if (read_vm_cid(arguments, &vm_cid, err) != 0 || vm_reboot(call, vm_cid, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

int vm_calls_set_vm_metadata(struct call *call, const struct json *arguments, struct json_writer *result,
			     struct error *err)
{
	const struct json *metadata;
	struct ec2_tags tags;
	const char *vm_cid;

	if (read_vm_cid(arguments, &vm_cid, err) != 0 || args_object(arguments, 1, "metadata", false, &metadata, err) != 0 ||
	    args_tags(metadata, "metadata", call->arena, &tags, err) != 0)
		return -1;
	if (vm_set_metadata(call, vm_cid, tags, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

int vm_calls_get_disks(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	struct ec2_ids volume_ids;
	const char *vm_cid;

	if (read_vm_cid(arguments, &vm_cid, err) != 0 || vm_get_disks(call, vm_cid, &volume_ids, err) != 0)
		return -1;
	json_begin_array(result);
	for (size_t i = 0; i < volume_ids.count; i++)
		json_string(result, volume_ids.items[i]);
	json_end_array(result);
	return 0;
}
