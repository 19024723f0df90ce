/* SPDX-License-Identifier: Apache-2.0 */
/* Which block device is the volume, and waiting until it is there. udev's events only say when to look again: links and
 * properties come late and have been seen stale, so identity is read from sysfs each time. */
#include "onhost/device.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "onhost/names.h"
#include "onhost/nvme.h"
#include "onhost/udev.h"

#define LOOK_EVERY_MS 500
#define SCRATCH_MAX ((size_t)8 * 1024 * 1024)
#define DESCRIPTION_MAX ((size_t)1500) /* an error's message has room for it and for what goes around it */
#define LINK_PREFIX "nvme-Amazon_Elastic_Block_Store_"

/* The volume's id as its controller shows it: without the dash. */
static void serial_of(const char *volume_id, char *ret_serial, size_t size)
{
	const char *dash = strchr(volume_id, '-');
	if (dash == NULL)
		snprintf(ret_serial, size, "%s", volume_id);
	else
		snprintf(ret_serial, size, "%.*s%s", (int)(dash - volume_id), volume_id, dash + 1);
}

static bool is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* udev adds "_1" or "-ns-1", the namespace; "-part1" is a partition. */
static bool link_fits(const char *name, const char *serial)
{
	size_t prefix = strlen(LINK_PREFIX);
	size_t len = strlen(serial);

	if (strncmp(name, LINK_PREFIX, prefix) != 0 || strncmp(name + prefix, serial, len) != 0)
		return false;
	const char *suffix = name + prefix + len;
	return suffix[0] == '\0' || (suffix[0] == '_' && is_number(suffix + 1)) ||
	       (strncmp(suffix, "-ns-", 4) == 0 && is_number(suffix + 4));
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* A second device with as good a claim: taking either would be a guess. */
static int take(struct device *device, bool *found, const struct device *candidate, const char *volume_id,
		struct error *err)
{
	if (*found && strcmp(device->node, candidate->node) != 0)
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s and %s could both be %s (%s; %s): neither is touched. Detach the other volume, or "
				 "name the device with `onhost write --device`",
				 device->node, candidate->node, volume_id, device->recognised_by,
				 candidate->recognised_by);
	*device = *candidate;
	*found = true;
	return 0;
}

static void node_of(const struct device_paths *paths, const struct sysfs_disk *disk, struct device *device)
{
	sysfs_node_path(paths, disk, device->node, sizeof(device->node));
	device->number = disk->number;
}

static const char *node_trouble(const struct device *device)
{
	return sysfs_node_trouble(device->node, device->number);
}

/* Whether this kernel counts Xen's disks from xvda or from xvde, which the disks that were there before can tell. */
static enum names_shift shift_of(const struct sysfs_disks *before)
{
	enum names_shift shift = NAMES_SHIFT_UNKNOWN;

	for (size_t i = 0; i < before->count; i++) {
		const char *name = before->items[i].name;
		if (strncmp(name, "xvd", 3) != 0)
			continue;
		if (name[3] >= 'a' && name[3] <= 'd')
			return NAMES_SHIFT_NONE;
		if (name[3] == 'e')
			shift = NAMES_SHIFT_FOUR;
	}
	return shift;
}

static bool xen_name_fits(const struct device_want *want, const struct sysfs_disk *disk)
{
	return want->device_name != NULL &&
	       names_xen_fit(want->device_name, disk->name,
			     want->before == NULL ? NAMES_SHIFT_UNKNOWN : shift_of(want->before));
}

static bool xen_disk_fits(const struct device_want *want, const struct sysfs_disk *disk)
{
	return want->before != NULL && disk->size != 0 && disk->serial[0] == '\0' && xen_name_fits(want, disk) &&
	       !sysfs_has_disk(want->before, disk) && (want->size == 0 || disk->size == want->size);
}

static bool serial_fits(const struct sysfs_disk *disk, const char *serial)
{
	return strcmp(disk->serial, serial) == 0 && strcmp(disk->model, NVME_MODEL_INSTANCE_STORE) != 0 &&
	       disk->size != 0;
}

static bool disk_fits(const struct device_paths *paths, const struct device_want *want, const struct sysfs_disk *disk,
		      const char *serial, struct device *ret_candidate)
{
	char *text = ret_candidate->recognised_by;
	size_t size = sizeof(ret_candidate->recognised_by);

	if (serial_fits(disk, serial)) {
		snprintf(text, size, "controller serial %s", serial);
		ret_candidate->claim = DEVICE_BY_SERIAL;
	} else if (xen_disk_fits(want, disk)) {
		snprintf(text, size, "new disk %s, asked for as %.64s", disk->name, want->device_name);
		ret_candidate->claim = DEVICE_BY_NAME;
	} else {
		return false;
	}
	snprintf(ret_candidate->serial, sizeof(ret_candidate->serial), "%s", serial);
	snprintf(ret_candidate->device_name, sizeof(ret_candidate->device_name), "%s",
		 want->device_name == NULL ? "" : want->device_name);
	ret_candidate->size = want->size;
	node_of(paths, disk, ret_candidate);
	return true;
}

static int look_in_sysfs(const struct device_paths *paths, const struct device_want *want, const char *serial,
			 struct arena *arena, struct device *device, bool *found, struct error *err)
{
	struct sysfs_disks disks;

	if (sysfs_list_disks(paths, arena, &disks, err) != 0)
		return -1;
	for (size_t i = 0; i < disks.count; i++) {
		struct device candidate = { .number = 0 };
		if (!disk_fits(paths, want, &disks.items[i], serial, &candidate) || node_trouble(&candidate) != NULL)
			continue;
		if (take(device, found, &candidate, want->volume_id, err) != 0)
			return -1;
	}
	return 0;
}

/* Where a link of the lab leads, if that can be a volume: a block device, or a file where files are taken. */
static bool follow_link(const struct device_want *want, const char *name, struct device *ret_candidate)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", want->lab_links, name);
	if (realpath(path, ret_candidate->node) == NULL || stat(ret_candidate->node, &st) != 0)
		return false;
	ret_candidate->regular_file = S_ISREG(st.st_mode);
	if (!S_ISBLK(st.st_mode) && !(ret_candidate->regular_file && want->lab_files))
		return false;
	ret_candidate->number = S_ISBLK(st.st_mode) ? st.st_rdev : 0;
	ret_candidate->claim = DEVICE_BY_LINK;
	snprintf(ret_candidate->recognised_by, sizeof(ret_candidate->recognised_by), "by-id link %s (lab)", name);
	return true;
}

static int look_at_links(const struct device_want *want, const char *serial, struct arena *arena, struct device *device,
			 bool *found, struct error *err)
{
	const char **names;
	size_t n_names;

	if (sysfs_list_names(want->lab_links, arena, &names, &n_names, err) != 0)
		return -1;
	for (size_t i = 0; i < n_names; i++) {
		struct device candidate = { .number = 0 };
		if (!link_fits(names[i], serial) || !follow_link(want, names[i], &candidate))
			continue;
		if (take(device, found, &candidate, want->volume_id, err) != 0)
			return -1;
	}
	return 0;
}

int device_look(const struct device_paths *paths, const struct device_want *want, struct arena *arena,
		struct device *ret_device, bool *ret_found, struct error *err)
{
	char serial[64];
	struct device device = { .number = 0 };
	bool found = false;
	int status;

	serial_of(want->volume_id, serial, sizeof(serial));
	if (want->lab_links != NULL)
		status = look_at_links(want, serial, arena, &device, &found, err);
	else
		status = look_in_sysfs(paths, want, serial, arena, &device, &found, err);
	if (status != 0)
		return -1;
	if (found)
		*ret_device = device;
	*ret_found = found;
	return 0;
}

/* --- what was seen instead ---------------------------------------------------------------------------------------- */

static const char *why_not(const struct device_paths *paths, const struct device_want *want,
			   const struct sysfs_disk *disk)
{
	char serial[64];
	struct device device = { .number = 0 };

	serial_of(want->volume_id, serial, sizeof(serial));
	if (strcmp(disk->model, NVME_MODEL_INSTANCE_STORE) == 0)
		return "instance storage";
	if (disk_fits(paths, want, disk, serial, &device)) {
		const char *trouble = node_trouble(&device);
		return trouble == NULL ? "just come" : "its node below /dev is of no use";
	}
	if (strcmp(disk->serial, serial) == 0)
		return "it has no size";
	if (strcmp(disk->model, NVME_MODEL_EBS) == 0)
		return "another volume";
	if (!xen_name_fits(want, disk))
		return "not an EBS controller, and not the name asked for";
	if (want->before == NULL || sysfs_has_disk(want->before, disk))
		return "the name fits, but it was there before";
	return "the name fits, but its size is another";
}

static void describe_disk(const struct device_paths *paths, const struct device_want *want,
			  const struct sysfs_disk *disk, struct buf *text)
{
	bool new = want->before != NULL && !sysfs_has_disk(want->before, disk);

	buf_printf(text, "%s%s%s (%.1f GiB", text->len == 0 ? "" : ", ", new ? "newly arrived " : "", disk->name,
		   (double)disk->size / (1 << 30));
	if (disk->model[0] != '\0')
		buf_printf(text, ", %.48s", disk->model);
	if (disk->serial[0] != '\0')
		buf_printf(text, ", serial %.48s", disk->serial);
	buf_printf(text, ": %s)", why_not(paths, want, disk));
}

static void describe_links(const struct device_want *want, struct arena *arena, struct buf *text)
{
	const char **names;
	size_t n_names;

	if (sysfs_list_names(want->lab_links, arena, &names, &n_names, NULL) != 0) {
		buf_printf(text, "the folder %s cannot be read", want->lab_links);
		return;
	}
	for (size_t i = 0; i < n_names; i++)
		buf_printf(text, "%s%s in %s", i == 0 ? "" : ", ", names[i], want->lab_links);
	if (n_names == 0)
		buf_printf(text, "no link at all in %s", want->lab_links);
}

const char *device_describe_others(const struct device_paths *paths, const struct device_want *want,
				   struct arena *arena)
{
	struct buf text CLEANUP_BUF = BUF_INIT(SCRATCH_MAX);
	struct sysfs_disks disks = { .count = 0 };

	if (want->lab_links != NULL)
		describe_links(want, arena, &text);
	else if (sysfs_list_disks(paths, arena, &disks, NULL) != 0)
		buf_str(&text, "no list of disks, for sysfs cannot be read");
	for (size_t i = 0; i < disks.count; i++) {
		/* loop devices without a file and the like are no disks to anybody */
		if (disks.items[i].size != 0)
			describe_disk(paths, want, &disks.items[i], &text);
	}
	if (text.len == 0)
		buf_str(&text, "no disk at all");
	const char *copy =
		arena_strndup(arena, buf_text(&text), text.len < DESCRIPTION_MAX ? text.len : DESCRIPTION_MAX);
	return copy == NULL ? "" : copy;
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* The session's input is at its end: the other end is closed, and nothing is left in between. */
static bool input_ended(int fd)
{
	int waiting = 0;
	return ioctl(fd, FIONREAD, &waiting) != 0 || waiting == 0;
}

enum { FD_MONITOR, FD_CANCEL, FD_IN, FD_OUT, N_FDS };

static int judge_events(struct udev_watch *watch, struct pollfd fds[N_FDS], const struct cancel *cancel, struct error *err)
{
	if (cancel_check(cancel, err) != 0)
		return -1;
	if (fds[FD_IN].revents != 0) {
		if (input_ended(fds[FD_IN].fd))
			return error_set(err, ERROR_PROTOCOL,
					 "the other side of the session went away while the device was awaited");
		fds[FD_IN].fd = -1; /* it sent ahead and closed; it would report that forever */
	}
	if (fds[FD_OUT].revents != 0)
		return error_set(err, ERROR_PROTOCOL, "standard output was closed while the device was awaited");
	if (fds[FD_MONITOR].revents != 0)
		udev_watch_drain(watch);
	return 0;
}

static int pause_until_event(struct runtime *runtime, const struct device_wait *wait, struct deadline deadline,
			     struct udev_watch *watch, struct pollfd fds[N_FDS], struct error *err)
{
	int64_t pause = wait->look_every_ms > 0 ? wait->look_every_ms : LOOK_EVERY_MS;
	int left = deadline_left_ms(runtime->clock, deadline);

	if (poll(fds, N_FDS, left < pause ? left : (int)pause) < 0 && errno != EINTR)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for the device");
	return judge_events(watch, fds, runtime->cancel, err);
}

/* The disk that is the volume in sysfs but has no node that leads to it: what /dev lacks, not what AWS did. */
static bool lacks_node(const struct device_wait *wait, struct arena *arena, struct device *ret_device)
{
	char serial[64];
	struct sysfs_disks disks = { .count = 0 };

	serial_of(wait->want.volume_id, serial, sizeof(serial));
	if (wait->want.lab_links != NULL || sysfs_list_disks(wait->paths, arena, &disks, NULL) != 0)
		return false;
	for (size_t i = 0; i < disks.count; i++) {
		struct device candidate = { .number = 0 };
		if (!disk_fits(wait->paths, &wait->want, &disks.items[i], serial, &candidate) ||
		    node_trouble(&candidate) == NULL)
			continue;
		*ret_device = candidate;
		return true;
	}
	return false;
}

static int not_there(const struct device_wait *wait, int64_t timeout_ms, struct arena *arena, struct error *err)
{
	const struct device_want *want = &wait->want;
	long long seconds = (long long)(timeout_ms + 999) / 1000;
	struct device device;

	if (lacks_node(wait, arena, &device)) {
		const char *trouble = node_trouble(&device);
		return error_set(err, ERROR_NO_DEVICE,
				 "the kernel has the disk of %s (%s), but %s %s, even after %lld s: %s does not get the "
				 "nodes of new devices, as in a container with a /dev of its own. Run onhost on the host "
				 "itself, or give the container the host's /dev",
				 want->volume_id, device.recognised_by, device.node,
				 trouble == NULL ? "was not there" : trouble, seconds, wait->paths->dev);
	}
	return error_set(err, ERROR_NO_DEVICE,
			 "the block device of %s%s%s did not appear within %lld s. Seen instead: %s. Check that the "
			 "volume is attached to this very instance, and that its state is in-use",
			 want->volume_id, want->device_name == NULL || want->device_name[0] == '\0' ? "" : " as ",
			 want->device_name == NULL ? "" : want->device_name, seconds,
			 device_describe_others(wait->paths, want, arena));
}

int device_await(struct runtime *runtime, const struct device_wait *wait, struct device *ret_device, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(SCRATCH_MAX);
	struct udev_watch watch CLEANUP(udev_watch_close) = UDEV_WATCH_INIT;
	if (arena == NULL)
		return error_nomem(err);
	int64_t timeout_ms = wait->timeout_ms > 0 ? wait->timeout_ms : DEVICE_TIMEOUT_MS;
	struct deadline deadline = deadline_in(runtime->clock, timeout_ms);

	/* watch first, then look: what comes in between is not missed */
	udev_watch_open(wait->paths, runtime->log, &watch);
	struct pollfd fds[N_FDS] = {
		[FD_MONITOR] = { .fd = udev_watch_fd(&watch), .events = POLLIN },
		[FD_CANCEL] = { .fd = runtime->cancel == NULL ? -1 : runtime->cancel->read_fd, .events = POLLIN },
		[FD_IN] = { .fd = wait->in_fd, .events = POLLRDHUP },
		[FD_OUT] = { .fd = wait->out_fd, .events = 0 },
	};
	for (;;) {
		bool found;
		bool late = deadline_passed(runtime->clock, deadline);
		arena_reset(arena);
		if (device_look(wait->paths, &wait->want, arena, ret_device, &found, err) != 0)
			return -1;
		if (found)
			return 0;
		if (late)
			return not_there(wait, timeout_ms, arena, err);
		if (pause_until_event(runtime, wait, deadline, &watch, fds, err) != 0)
			return -1;
	}
}
