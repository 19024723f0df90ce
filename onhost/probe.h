/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a device is blank, by its contents. Reads only. */
#ifndef ONHOST_PROBE_H
#define ONHOST_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define PROBE_END_BYTES ((uint64_t)1024 * 1024) /* this much at either end */

/* 0 when neither a file system, LVM, LUKS, RAID or swap signature nor a partition table is found; -1 and
 * ERROR_DEVICE_REFUSED that says what and where; also for contents that look like several things at once.
 * ERROR_IO when the device cannot be read. node is for the message. */
int probe_signatures(int fd, const char *node, struct error *err);
/* 0 when the first and the last MiB (all of a smaller device) read as zeros; ERROR_DEVICE_REFUSED names the first byte
 * that does not. Not for encrypted volumes: their unwritten blocks may read as noise. */
int probe_zero_ends(int fd, const char *node, uint64_t size, struct error *err);

#endif
