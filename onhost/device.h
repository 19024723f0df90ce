/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the block device that is a given EBS volume, and waiting for it. Whether it may be written to is refuse.h's
 * and probe.h's business; opening it is target.h's. */
#ifndef ONHOST_DEVICE_H
#define ONHOST_DEVICE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"
#include "onhost/sysfs.h"

#define DEVICE_TIMEOUT_MS 60000 /* DEVICE_POLL_TIMEOUT of the original */
#define DEVICE_BY_ID "disk/by-id" /* below paths.dev: udev's links */

/* Which device is wanted. Facts: "Amazon EBS volumes and NVMe" and "Device names on Linux instances", Amazon EC2 User
 * Guide. */
struct device_want {
	const char *volume_id;   /* "vol-…" */
	const char *device_name; /* as given to AttachVolume, "/dev/sdf"; NULL or "": Xen's names are not tried */
	uint64_t size;           /* bytes of the volume; 0: not known. On Xen a disk of another size is not it */
	/* the disks that were there before the volume was attached: on Xen only another one can be it */
	const struct sysfs_disks *before;
	/* the lab: a folder of by-id links that are taken for identity, NULL otherwise */
	const char *lab_links;
	bool lab_files; /* there, a link may lead to a regular file as well */
};

/* What a device was taken for the volume by, and so what it must still prove once it is open (proof.h). */
enum device_claim {
	DEVICE_NAMED,     /* a person named it, and nothing is known of a volume */
	DEVICE_BY_SERIAL, /* sysfs shows the volume's serial: the controller must say the same */
	DEVICE_BY_NAME,   /* Xen: a new disk of the name that was asked for; there is no controller to ask */
	DEVICE_BY_LINK,   /* the lab's */
};

struct device {
	char node[PATH_MAX]; /* "/dev/nvme1n1" */
	dev_t number;        /* 0 for a regular file */
	bool regular_file;   /* the lab's */
	enum device_claim claim;
	/* of what was wanted, for the proof */
	char serial[64];      /* "vol0123…" */
	char device_name[64]; /* "/dev/sdf"; "": not known */
	uint64_t size;        /* bytes of the volume; 0: not known */
	char recognised_by[160];
};

/* One look. *ret_found false when it is not there (yet), or its node is not, or the node is another device's.
 * ERROR_DEVICE_REFUSED when two disks could be it. Of the model, only instance storage's counts here: it is never it;
 * the rest is proof.h's to find out. The arena is for scratch. */
int device_look(const struct device_paths *paths, const struct device_want *want, struct arena *arena,
		struct device *ret_device, bool *ret_found, struct error *err);
/* What there is instead, and why it is not the volume: one line for people, in the arena. */
const char *device_describe_others(const struct device_paths *paths, const struct device_want *want,
				   struct arena *arena);

struct device_wait {
	const struct device_paths *paths;
	struct device_want want;
	int64_t timeout_ms;    /* 0: DEVICE_TIMEOUT_MS */
	int64_t look_every_ms; /* besides the looks that udev's events cause; 0: 500 */
	int in_fd;             /* the session's: its other end closed ends the wait; -1: none */
	int out_fd;            /* the same */
};

/* Watches, looks, and waits. ERROR_NO_DEVICE says what was seen instead; ERROR_CANCELLED; ERROR_PROTOCOL when the
 * session's other side is gone. */
int device_await(struct runtime *runtime, const struct device_wait *wait, struct device *ret_device, struct error *err);

#endif
