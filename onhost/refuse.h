/* SPDX-License-Identifier: Apache-2.0 */
/* What must never be written to, whoever asks: a device that something on this machine uses or is made of. Looks at
 * /sys and /proc only; the contents are probe.h's business. */
#ifndef ONHOST_REFUSE_H
#define ONHOST_REFUSE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "onhost/sysfs.h"

/* 0, or -1 and ERROR_DEVICE_REFUSED that says what was found, where, and what to do: a partition, a mapped (dm, md)
 * device, instance storage, read-only, mounted, swap, held by dm, md or LVM, behind a loop device; each also for the disk's partitions.
 * ERROR_NO_DEVICE when it went away; ERROR_IO when that cannot be found out. node is for the message. */
int refuse_if_used(const struct device_paths *paths, const char *node, dev_t number, struct error *err);
/* A device of size bytes that is smaller than what must go onto it. */
int refuse_if_small(const char *node, uint64_t size, uint64_t needed, struct error *err);

#endif
