/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent disks changed in place: resize_disk and update_disk. On ERROR_NOT_SUPPORTED the Director makes a new disk and
 * copies. */
#ifndef CPI_METHODS_DISK_CHANGE_H
#define CPI_METHODS_DISK_CHANGE_H

#include "cpi/methods/disk.h"

/* The same size (in GiB, rounded up) is nothing to do. ERROR_NOT_SUPPORTED for a smaller one, for a magnetic disk, and while
 * EC2 takes no further modification of it; ERROR_CLOUD while it is attached. */
int disk_change_size(struct call *call, const char *disk_cid, uint64_t new_size_mib, struct error *err);
/* To the size and to what the properties give; what they do not give stays as it is. Whatever cannot be done in place, or is
 * refused before anything changed, is ERROR_NOT_SUPPORTED; once the modification has begun nothing is. A disk that does not
 * exist is ERROR_DISK_NOT_FOUND. Tags that are new or different are put on, and may fail. */
int disk_change_update(struct call *call, const char *disk_cid, uint64_t new_size_mib,
		       const struct disk_properties *properties, struct error *err);

#endif
