/* SPDX-License-Identifier: Apache-2.0 */
/* The VM or disk that the Director named, as EC2 shows it now. */
#ifndef CPI_METHODS_FOUND_H
#define CPI_METHODS_FOUND_H

#include "cpi/ec2/instances.h"
#include "cpi/ec2/volumes.h"
#include "cpi/methods/call.h"

/* ERROR_VM_NOT_FOUND where EC2 knows none of that id; a terminated one is found. Texts live in the call's arena. */
int found_vm(struct call *call, const char *vm_cid, struct instance *ret_instance, struct error *err);
int found_no_vm(const char *vm_cid, struct error *err);
/* ERROR_DISK_NOT_FOUND where EC2 knows none of that id, or shows it as deleted. Texts live in the call's arena. */
int found_disk(struct call *call, const char *disk_cid, struct volume *ret_volume, struct error *err);
int found_no_disk(const char *disk_cid, struct error *err);

#endif
