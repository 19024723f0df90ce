/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about disks under /sys/block: names, numbers, sizes, controllers' serials and models; and
 * whether /dev has their nodes. Knows nothing of volumes; whoever asks decides what a disk is. */
#ifndef ONHOST_SYSFS_H
#define ONHOST_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/arena.h"
#include "common/error.h"

/* Where the system's own trees stand; unit tests give made-up ones. Borrowed texts without a slash at the end. */
struct device_paths {
	const char *sys;
	const char *dev;
	const char *proc;
	const char *run; /* of udevd's control socket */
};

#define DEVICE_PATHS_SYSTEM { .sys = "/sys", .dev = "/dev", .proc = "/proc", .run = "/run" }

struct sysfs_disk {
	const char *name;   /* "nvme1n1"; a '!' of the kernel's stands for a slash below /dev */
	dev_t number;
	uint64_t size;      /* bytes; 0 for a loop device without a file, an empty drive … */
	uint64_t sequence;  /* the kernel's diskseq: another disk, another number; 0 where it has none (before 5.15) */
	const char *model;  /* "" when there is none; blanks around are removed */
	const char *serial; /* the same */
};

struct sysfs_disks {
	const struct sysfs_disk *items; /* by name */
	size_t count;
};

/* A disk or one of its partitions. */
struct sysfs_part {
	const char *name;
	dev_t number;
};

struct sysfs_parts {
	const struct sysfs_part *items; /* the disk itself comes first */
	size_t count;
};

/* All whole disks that have a device number (multipath's hidden paths have none). All texts live in the arena.
 * ERROR_IO when /sys/block cannot be read. A disk that goes away meanwhile is left out. */
int sysfs_list_disks(const struct device_paths *paths, struct arena *arena, struct sysfs_disks *ret_disks,
		     struct error *err);
/* The disk of that name and sequence is in the list. */
bool sysfs_has_disk(const struct sysfs_disks *disks, const struct sysfs_disk *disk);
/* Where the disk's node should be, written into text. */
void sysfs_node_path(const struct device_paths *paths, const struct sysfs_disk *disk, char *text, size_t size);
/* NULL when the node leads to the very device that sysfs shows, else what it is instead, a literal. It is made a little later
 * than the disk is seen, and while a machine starts it can be an older disk's for a moment. */
const char *sysfs_node_trouble(const char *node, dev_t number);
/* The device of that number and its partitions. ERROR_NO_DEVICE when sysfs does not know it (any more). */
int sysfs_list_parts(const struct device_paths *paths, dev_t number, struct arena *arena, struct sysfs_parts *ret_parts,
		     struct error *err);
/* The names in a folder, sorted, without those that begin with a dot. A folder that is not there is empty. */
int sysfs_list_names(const char *folder, struct arena *arena, const char ***ret_names, size_t *ret_count,
		     struct error *err);
/* An attribute's text without blanks around, in the arena; NULL when it cannot be read. The path is made as by printf.
 */
const char *sysfs_attribute(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A device number as the kernel writes it, "259:0"; false for anything else, and for NULL. */
bool sysfs_parse_number(const char *text, dev_t *ret_number);
/* "/sys/dev/block/259:0", in the arena; NULL without memory. */
const char *sysfs_folder(const struct device_paths *paths, dev_t number, struct arena *arena);

#endif
