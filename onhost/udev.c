/* SPDX-License-Identifier: Apache-2.0 */
/* libudev's only home. */
#include "onhost/udev.h"

#include <libudev.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void udev_watch_close(struct udev_watch *watch)
{
	if (watch->monitor != NULL)
		udev_monitor_unref(watch->monitor);
	if (watch->udev != NULL)
		udev_unref(watch->udev);
	*watch = (struct udev_watch)UDEV_WATCH_INIT;
}

void udev_watch_open(const struct device_paths *paths, struct log *log, struct udev_watch *ret_watch)
{
	struct udev_watch watch = UDEV_WATCH_INIT;
	char control[PATH_MAX];
	snprintf(control, sizeof(control), "%s/udev/control", paths->run);
	/* udev's own events come after its rules have run; without udevd only the kernel's ever come */
	const char *group = access(control, F_OK) == 0 ? "udev" : "kernel";

	watch.udev = udev_new();
	if (watch.udev != NULL)
		watch.monitor = udev_monitor_new_from_netlink(watch.udev, group);
	if (watch.monitor != NULL &&
	    (udev_monitor_filter_add_match_subsystem_devtype(watch.monitor, "block", NULL) < 0 ||
	     udev_monitor_enable_receiving(watch.monitor) < 0)) {
		udev_monitor_unref(watch.monitor);
		watch.monitor = NULL;
	}
	log_debug(log, "watching for block devices: %s events", watch.monitor == NULL ? "no" : group);
	*ret_watch = watch;
}

int udev_watch_fd(const struct udev_watch *watch)
{
	return watch->monitor == NULL ? -1 : udev_monitor_get_fd(watch->monitor);
}

void udev_watch_drain(struct udev_watch *watch)
{
	struct udev_device *event;
	while ((event = udev_monitor_receive_device(watch->monitor)) != NULL)
		udev_device_unref(event);
}
