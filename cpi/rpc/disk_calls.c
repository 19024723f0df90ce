/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/disk_calls.h"

#include "cpi/methods/disk.h"
#include "cpi/methods/disk_attach.h"
#include "cpi/methods/disk_change.h"
#include "cpi/methods/snapshot.h"
#include "cpi/rpc/args.h"
#include "cpi/rpc/disk_args.h"

int disk_calls_create_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	struct disk_create_request request;
	const char *disk_cid;

	if (disk_args_create(arguments, call->config, call->arena, &request, err) != 0 ||
	    disk_create(call, &request, &disk_cid, err) != 0)
		return -1;
	json_string(result, disk_cid);
	return 0;
}

int disk_calls_delete_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *disk_cid;

	if (args_string(arguments, 0, "disk_cid", &disk_cid, err) != 0 || disk_delete(call, disk_cid, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

int disk_calls_has_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *disk_cid;
	bool has;

	if (args_string(arguments, 0, "disk_cid", &disk_cid, err) != 0 || disk_has(call, disk_cid, &has, err) != 0)
		return -1;
	json_boolean(result, has);
	return 0;
}

int disk_calls_resize_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *disk_cid;
	uint64_t new_size_mib;

	if (args_string(arguments, 0, "disk_cid", &disk_cid, err) != 0 ||
	    disk_args_size(arguments, 1, "new_size", &new_size_mib, err) != 0 ||
	    disk_change_size(call, disk_cid, new_size_mib, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

/* The Director goes on, with a copy, on ERROR_NOT_SUPPORTED alone. */
static int read_changed_properties(struct call *call, const struct json *arguments, struct disk_properties *ret_properties,
				   struct error *err)
{
	if (disk_args_properties(arguments, 2, call->config, call->arena, ret_properties, err) == 0)
		return 0;
	if (err->kind == ERROR_CLOUD)
		err->kind = ERROR_NOT_SUPPORTED;
	return -1;
}

int disk_calls_update_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	struct disk_properties properties;
	const char *disk_cid;
	uint64_t new_size_mib;

	if (args_string(arguments, 0, "disk_cid", &disk_cid, err) != 0 ||
	    disk_args_size(arguments, 1, "new_size", &new_size_mib, err) != 0 ||
	    read_changed_properties(call, arguments, &properties, err) != 0 ||
	    disk_change_update(call, disk_cid, new_size_mib, &properties, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

static int read_vm_and_disk(const struct json *arguments, const char **ret_vm_cid, const char **ret_disk_cid,
			    struct error *err)
{
	if (args_string(arguments, 0, "vm_cid", ret_vm_cid, err) != 0)
		return -1;
	return args_string(arguments, 1, "disk_cid", ret_disk_cid, err);
}

int disk_calls_attach_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *vm_cid, *disk_cid, *hint;

	if (read_vm_and_disk(arguments, &vm_cid, &disk_cid, err) != 0 ||
	    disk_attach(call, vm_cid, disk_cid, &hint, err) != 0)
		return -1;
	/* before version 2 the agent learns it from the registry alone */
	if (call->api_version < 2)
		json_null(result);
	else
		json_string(result, hint);
	return 0;
}

int disk_calls_detach_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err)
{
	const char *vm_cid, *disk_cid;

	if (read_vm_and_disk(arguments, &vm_cid, &disk_cid, err) != 0 || disk_detach(call, vm_cid, disk_cid, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

static int read_disk_and_metadata(struct call *call, const struct json *arguments, const char **ret_disk_cid,
				  struct ec2_tags *ret_metadata, struct error *err)
{
	const struct json *metadata;

	if (args_string(arguments, 0, "disk_cid", ret_disk_cid, err) != 0 ||
	    args_object(arguments, 1, "metadata", true, &metadata, err) != 0)
		return -1;
	return args_tags(metadata, "metadata", call->arena, ret_metadata, err);
}

int disk_calls_set_disk_metadata(struct call *call, const struct json *arguments, struct json_writer *result,
				 struct error *err)
{
	const char *disk_cid;
	struct ec2_tags metadata;

	if (read_disk_and_metadata(call, arguments, &disk_cid, &metadata, err) != 0 ||
	    disk_set_metadata(call, disk_cid, metadata, err) != 0)
		return -1;
	json_null(result);
	return 0;
}

int disk_calls_snapshot_disk(struct call *call, const struct json *arguments, struct json_writer *result,
			     struct error *err)
{
	const char *disk_cid, *snapshot_cid;
	struct ec2_tags metadata;

	if (read_disk_and_metadata(call, arguments, &disk_cid, &metadata, err) != 0 ||
	    snapshot_take(call, disk_cid, metadata, &snapshot_cid, err) != 0)
		return -1;
	json_string(result, snapshot_cid);
	return 0;
}

int disk_calls_delete_snapshot(struct call *call, const struct json *arguments, struct json_writer *result,
			       struct error *err)
{
	const char *snapshot_cid;

	if (args_string(arguments, 0, "snapshot_cid", &snapshot_cid, err) != 0 ||
	    snapshot_discard(call, snapshot_cid, err) != 0)
		return -1;
	json_null(result);
	return 0;
}
