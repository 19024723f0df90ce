/* SPDX-License-Identifier: Apache-2.0 */
/* When to look again for a block device: events of udev, or of the kernel where no udevd runs. What an event was about
 * is nobody's business: links and properties come late and have been seen stale. */
#ifndef ONHOST_UDEV_H
#define ONHOST_UDEV_H

#include "common/log.h"
#include "onhost/sysfs.h"

struct udev_watch {
	struct udev *udev;
	struct udev_monitor *monitor; /* NULL: no events are to be had, and regular looks must do */
};

#define UDEV_WATCH_INIT { .udev = NULL }

/* Begins to watch; what comes from now on is not missed. Without events (no netlink in a container) it is an empty
 * watch, which is no failure. */
void udev_watch_open(const struct device_paths *paths, struct log *log, struct udev_watch *ret_watch);
void udev_watch_close(struct udev_watch *watch);
/* Readable when there is an event; -1 where none ever comes. */
int udev_watch_fd(const struct udev_watch *watch);
/* Takes all events that are there. */
void udev_watch_drain(struct udev_watch *watch);

#endif
