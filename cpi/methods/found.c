/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/found.h"

#include <string.h>

int found_no_vm(const char *vm_cid, struct error *err)
{
	return error_set(err, ERROR_VM_NOT_FOUND, "VM '%s' not found", vm_cid);
}

int found_vm(struct call *call, const char *vm_cid, struct instance *ret_instance, struct error *err)
{
	struct instance *instances;
	struct error why;
	size_t count = 0;

	if (instance_describe(call->ec2, call->arena, (struct ec2_ids){ .items = &vm_cid, .count = 1 },
			      (struct ec2_filters){ 0 }, &instances, &count, &why) != 0 &&
	    !ec2_is_not_found(&why)) {
		*err = why;
		return error_prefix(err, "cannot look at VM '%s'", vm_cid);
	}
	if (count == 0)
		return found_no_vm(vm_cid, err);
	*ret_instance = instances[0];
	return 0;
}

int found_no_disk(const char *disk_cid, struct error *err)
{
	return error_set(err, ERROR_DISK_NOT_FOUND, "Disk '%s' not found", disk_cid);
}

int found_disk(struct call *call, const char *disk_cid, struct volume *ret_volume, struct error *err)
{
	struct volume *volumes;
	struct error why;
	size_t count = 0;

	if (volume_describe(call->ec2, call->arena, (struct ec2_ids){ .items = &disk_cid, .count = 1 },
			    (struct ec2_filters){ 0 }, &volumes, &count, &why) != 0 &&
	    !ec2_is_not_found(&why)) {
		*err = why;
		return error_prefix(err, "cannot look at disk '%s'", disk_cid);
	}
	if (count == 0 || strcmp(volumes[0].state, "deleted") == 0)
		return found_no_disk(disk_cid, err);
	*ret_volume = volumes[0];
	return 0;
}
