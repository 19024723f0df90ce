/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with a VM that exists: delete_vm, has_vm, reboot_vm, set_vm_metadata, get_disks. Making one is
 * cpi/methods/vm_create.h's. A VM that EC2 does not know is ERROR_VM_NOT_FOUND, but for has_vm. */
#ifndef CPI_METHODS_VM_H
#define CPI_METHODS_VM_H

#include <stdbool.h>

#include "cpi/methods/call.h"

/* Terminates it, waits for that, and takes its settings out of the registry where that is used. One that is terminated
 * already, and that EC2 still shows, is success. With fast_path_delete there is no wait, and its Name becomes
 * "to be deleted". Volumes that were attached to it with delete_on_termination off stay. */
int vm_delete(struct call *call, const char *vm_cid, struct error *err);
/* *ret_exists is false for one that is missing or terminated. */
int vm_has(struct call *call, const char *vm_cid, bool *ret_exists, struct error *err);
/* A soft reboot, which nothing waits for; a VM that is stopped, or on its way there, is started. */
int vm_reboot(struct call *call, const char *vm_cid, struct error *err);
/* Tags for the VM and its volumes, cut to EC2's limits; Name comes from name (whose place it takes), else from job and
 * index, else from compiling. What EC2 refuses as too many or as values is logged, and is no error. */
int vm_set_metadata(struct call *call, const char *vm_cid, struct ec2_tags metadata, struct error *err);
/* The ids of its volumes, in the order of EC2's list, in the call's arena. */
int vm_get_disks(struct call *call, const char *vm_cid, struct ec2_ids *ret_volume_ids, struct error *err);

#endif
