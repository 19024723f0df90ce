/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the checks: what is asked of /sys and /proc first, then the exclusive opening, which keeps others out
 * from then on, then what only the descriptor can say. */
#include "onhost/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "onhost/gone.h"
#include "onhost/proof.h"
#include "onhost/probe.h"
#include "onhost/refuse.h"

void target_close(struct target *target)
{
	if (target->fd >= 0)
		close(target->fd);
	free(target->node);
	free(target->recognised_by);
	*target = (struct target)TARGET_INIT;
}

int target_name(const char *path, struct device *ret_device, struct error *err)
{
	struct device device = { .number = 0 };
	struct stat st;

	if (realpath(path, device.node) == NULL || stat(device.node, &st) != 0)
		return error_errno(err, ERROR_NO_DEVICE, errno, "the device %s cannot be found", path);
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s is not a block device but a %s: name the disk that the volume is, such as "
				 "/dev/nvme1n1",
				 path,
				 S_ISREG(st.st_mode)   ? "regular file"
				 : S_ISDIR(st.st_mode) ? "folder"
				 : S_ISCHR(st.st_mode) ? "character device"
						       : "file of another kind");
	device.number = st.st_rdev;
	snprintf(device.recognised_by, sizeof(device.recognised_by), "named by a person");
	*ret_device = device;
	return 0;
}

static int size_of(int fd, const char *node, bool regular_file, uint64_t *ret_size, struct error *err)
{
	struct stat st;

	if (regular_file ? fstat(fd, &st) != 0 : ioctl(fd, BLKGETSIZE64, ret_size) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot tell the size of %s", node);
	if (regular_file)
		*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int open_device(const struct device *device, int flags, struct error *err)
{
	int fd = open(device->node, flags | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case EBUSY:
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s is busy: something else has opened it exclusively (a mount in another namespace, "
				 "RAID, LVM, another onhost). It is not touched",
				 device->node);
	case EROFS:
	case EACCES:
	case EPERM:
		return error_errno(err, ERROR_DEVICE_REFUSED, errno,
				   "%s cannot be opened%s (read-only, or onhost does not run as root)", device->node,
				   flags == O_RDONLY ? "" : " for writing");
	case ENOENT:
	case ENXIO:
	case ENODEV:
	case ENOMEDIUM:
		return error_errno(err, ERROR_NO_DEVICE, errno, "%s went away before it was opened", device->node);
	default:
		return error_errno(err, ERROR_IO, errno, "%s cannot be opened", device->node);
	}
}

/* The node may have been replaced since it was looked at: what was opened must be what was checked. */
static int check_opened(int fd, const struct device *device, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot look at %s", device->node);
	if (device->regular_file ? !S_ISREG(st.st_mode) : !S_ISBLK(st.st_mode) || st.st_rdev != device->number)
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s was replaced by something else while it was opened: it is not touched. Try again",
				 device->node);
	return 0;
}

static int check_writable(int fd, const struct device *device, struct error *err)
{
	int read_only = 0;

	if (!device->regular_file && ioctl(fd, BLKROGET, &read_only) == 0 && read_only != 0)
		return error_set(err, ERROR_DEVICE_REFUSED, "%s is read-only: attach a volume that can be written to",
				 device->node);
	return 0;
}

static int check_contents(int fd, const struct device *device, uint64_t size, const struct target_rules *rules,
			  struct error *err)
{
	if (rules->force)
		return 0;
	if (probe_signatures(fd, device->node, err) != 0)
		return -1;
	return rules->encrypted ? 0 : probe_zero_ends(fd, device->node, size, err);
}

/* What the open device says of itself. It comes before the other checks, whose messages would be about some other disk. */
static int check_identity(int fd, const struct device *device, uint64_t *ret_size, char *ret_text, size_t text_size,
			  struct error *err)
{
	if (check_opened(fd, device, err) != 0 || size_of(fd, device->node, device->regular_file, ret_size, err) != 0)
		return -1;
	return proof_check(fd, device, *ret_size, ret_text, text_size, err);
}

/* A disk that goes away makes any check fail somehow: that is what must be said of it. */
static int blame(int fd, const struct device *device, struct error *err)
{
	if (err == NULL || err->kind == ERROR_NO_DEVICE || !gone_device(fd, 0))
		return -1;
	error_prefix(err, "%s went away while it was checked", device->node);
	err->kind = ERROR_NO_DEVICE;
	return -1;
}

int target_open(const struct device_paths *paths, const struct device *device, const struct target_rules *rules,
		struct target *ret_target, struct error *err)
{
	uint64_t size = 0;
	char text[sizeof(device->recognised_by)];

	if (!device->regular_file && refuse_if_used(paths, device->node, device->number, err) != 0)
		return -1;
	int fd CLEANUP_FD = open_device(device, O_RDWR | O_EXCL, err);
	if (fd < 0)
		return -1;
	if (check_identity(fd, device, &size, text, sizeof(text), err) != 0 || check_writable(fd, device, err) != 0 ||
	    refuse_if_small(device->node, size, rules->min_size, err) != 0 ||
	    check_contents(fd, device, size, rules, err) != 0)
		return blame(fd, device, err);

	char *node CLEANUP_FREE = strdup(device->node);
	char *recognised_by CLEANUP_FREE = strdup(text);
	if (node == NULL || recognised_by == NULL)
		return error_nomem(err);
	*ret_target = (struct target){
		.fd = steal_fd(&fd), .node = STEAL(node), .size = size, .recognised_by = STEAL(recognised_by),
	};
	return 0;
}

int target_identify(struct device *device, struct error *err)
{
	uint64_t size = 0;
	char text[sizeof(device->recognised_by)];

	int fd CLEANUP_FD = open_device(device, O_RDONLY, err);
	if (fd < 0)
		return -1;
	if (check_identity(fd, device, &size, text, sizeof(text), err) != 0)
		return blame(fd, device, err);
	memcpy(device->recognised_by, text, sizeof(text));
	return 0;
}

int target_open_to_read(const char *path, struct target *ret_target, struct error *err)
{
	struct stat st;
	uint64_t size = 0;

	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_errno(err, errno == ENOENT || errno == ENXIO ? ERROR_NO_DEVICE : ERROR_IO, errno,
				   "%s cannot be opened", path);
	if (fstat(fd, &st) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot look at %s", path);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return error_set(err, ERROR_DEVICE_REFUSED, "%s is neither a block device nor a regular file", path);
	if (size_of(fd, path, S_ISREG(st.st_mode), &size, err) != 0)
		return -1;
	char *node = strdup(path);
	if (node == NULL)
		return error_nomem(err);
	*ret_target = (struct target){ .fd = steal_fd(&fd), .node = node, .size = size };
	return 0;
}
