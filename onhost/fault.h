/* SPDX-License-Identifier: Apache-2.0 */
/* What a failed request to a target means, in words: the device's trouble, or that there is no device any more. */
#ifndef ONHOST_FAULT_H
#define ONHOST_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "onhost/pipeline.h"

enum fault_kind { FAULT_WRITE, FAULT_FLUSH, FAULT_READ };

/* A request that failed; errnum 0: it took or gave nothing, as at a device's end. offset and len are the request's own
 * (what is left of it after a short one); a flush has neither. */
struct fault {
	enum fault_kind kind;
	uint64_t offset;
	size_t len;
	int errnum;
};

/* Always -1. ERROR_NO_DEVICE when the device has gone (errnum says so, or its size is 0 now) or become smaller than
 * target->size; else ERROR_IO. After EIO it looks for half a second whether the device goes. All messages have offset and
 * errno. Of the descriptor only BLKGETSIZE64 is asked.
 * Fact: when an NVMe controller or a Xen disk is taken away, Linux sets its disks' capacity to 0, and what was under way
 * ends with EIO, ENOSPC, ENODEV or ENXIO (block/genhd.c, blk_mark_disk_dead). */
int fault_tell(const struct pipeline_target *target, const struct fault *fault, struct error *err);
/* 0 while the device is there in its full size, also for a regular file; else -1 and ERROR_NO_DEVICE. For after a flush:
 * the kernel answers one with success for a device without a write cache, whether or not that is there still. */
int fault_if_gone(const struct pipeline_target *target, struct error *err);

#endif
