/* SPDX-License-Identifier: Apache-2.0 */
/* From a device that was found, or named by a person, to a descriptor that may be written to: all checks, one opening.
 * What the image is, and the writing, are pipeline.h's business. */
#ifndef ONHOST_TARGET_H
#define ONHOST_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "onhost/device.h"
#include "onhost/sysfs.h"

struct target {
	int fd;        /* opened O_EXCL; -1 when closed */
	char *node;
	uint64_t size; /* bytes */
	char *recognised_by;
};

#define TARGET_INIT { .fd = -1 }

struct target_rules {
	uint64_t min_size; /* bytes; 0: any */
	bool encrypted;    /* unwritten blocks may read as noise: the ends need not be zeros */
	bool force; /* a person's word: neither signatures nor the ends are looked at. Nothing else is passed over */
};

/* The device that a person named. ERROR_NO_DEVICE when there is no such file, ERROR_DEVICE_REFUSED for what is not a
 * block device. */
int target_name(const char *path, struct device *ret_device, struct error *err);
/* Checks the device, opens it once, and checks what was opened, its controller included (proof.h): nothing is ever
 * written to one that fails a check. ERROR_DEVICE_REFUSED says what was found; ERROR_NO_DEVICE when it went away before
 * or meanwhile; ERROR_IO. target_close releases it. */
int target_open(const struct device_paths *paths, const struct device *device, const struct target_rules *rules,
		struct target *ret_target, struct error *err);
void target_close(struct target *target);
/* Only what the device is: the part of the above that needs no exclusive opening. Replaces device->recognised_by. */
int target_identify(struct device *device, struct error *err);
/* For reading only, without any of the checks (block device or regular file). */
int target_open_to_read(const char *path, struct target *ret_target, struct error *err);

#endif
