/* SPDX-License-Identifier: Apache-2.0 */
/* attach_disk and detach_disk, and what the registry is told of them where it is used. */
#ifndef CPI_METHODS_DISK_ATTACH_H
#define CPI_METHODS_DISK_ATTACH_H

#include "cpi/methods/call.h"

/* Attached under a free device name when this returns; *ret_hint (in the call's arena) is where the agent finds the disk. One
 * that this VM has already is success. ERROR_VM_NOT_FOUND (also for a VM that is terminated), ERROR_DISK_NOT_FOUND; ERROR_CLOUD
 * that names the limit where the VM takes no further disk. */
int disk_attach(struct call *call, const char *vm_cid, const char *disk_cid, const char **ret_hint, struct error *err);
/* Detached when this returns. A disk that does not exist is success. ERROR_DISK_NOT_ATTACHED (retryable) where this VM does not
 * have it, ERROR_VM_NOT_FOUND where there is no such VM. */
int disk_detach(struct call *call, const char *vm_cid, const char *disk_cid, struct error *err);

#endif
