/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/found.h"

#include <string.h>

int found_no_vm(const char *vm_cid, struct error *err)
{
	return error_set(err, ERROR_VM_NOT_FOUND, "VM '%s' not found", vm_cid);
}

int found_vm(struct call *call, const char *vm_cid, struct instance *ret_instance, struct error *err)
{
	struct instance *instance;

	if (instance_find(call->ec2, call->arena, vm_cid, &instance, err) != 0)
		return error_prefix(err, "cannot look at VM '%s'", vm_cid);
	if (instance == NULL)
		return found_no_vm(vm_cid, err);
	*ret_instance = *instance;
	return 0;
}

int found_no_disk(const char *disk_cid, struct error *err)
{
	return error_set(err, ERROR_DISK_NOT_FOUND, "Disk '%s' not found", disk_cid);
}

int found_disk(struct call *call, const char *disk_cid, struct volume *ret_volume, struct error *err)
{
	struct volume *volume;

	if (volume_find(call->ec2, call->arena, disk_cid, &volume, err) != 0)
		return error_prefix(err, "cannot look at disk '%s'", disk_cid);
	if (volume == NULL || strcmp(volume->state, "deleted") == 0)
		return found_no_disk(disk_cid, err);
	*ret_volume = *volume;
	return 0;
}
