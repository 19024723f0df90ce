/* SPDX-License-Identifier: Apache-2.0 */
/* Each check is a function of its own and gives its own text. Opening with O_EXCL, which target.c does, catches most of
 * this too, but cannot say who holds the device, and does not see a loop device over it. */
#include "onhost/refuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/arena.h"
#include "common/io.h"
#include "onhost/nvme.h"

#define SCRATCH_MAX ((size_t)16 * 1024 * 1024)
#define PROC_MAX ((size_t)4 * 1024 * 1024)
#define MIB ((uint64_t)1024 * 1024)

struct subject {
	const struct device_paths *paths;
	const char *node;
	const char *folder; /* "/sys/dev/block/259:0" */
	dev_t number;
	struct sysfs_parts parts;
	struct arena *arena;
};

static const struct sysfs_part *part_by_number(const struct subject *subject, dev_t number)
{
	for (size_t i = 0; i < subject->parts.count; i++) {
		if (subject->parts.items[i].number == number)
			return &subject->parts.items[i];
	}
	return NULL;
}

/* The disk or partition that a path names: by the node's number, or by its plain name where there is no such node. */
static const struct sysfs_part *part_by_path(const struct subject *subject, const char *path)
{
	struct stat st;

	if (strncmp(path, "/dev/", 5) != 0)
		return NULL;
	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		return part_by_number(subject, st.st_rdev);
	for (size_t i = 0; i < subject->parts.count; i++) {
		if (strcmp(subject->parts.items[i].name, path + 5) == 0)
			return &subject->parts.items[i];
	}
	return NULL;
}

static int refuse_partition(const struct subject *subject, struct error *err)
{
	if (sysfs_attribute(subject->arena, "%s/partition", subject->folder) == NULL)
		return 0;
	return error_set(err, ERROR_DEVICE_REFUSED,
			 "%s is a partition: a stemcell is written to a whole disk. Name the disk that it is part of",
			 subject->node);
}

static int refuse_mapped(const struct subject *subject, struct error *err)
{
	static const char *const kinds[][2] = { { "dm", "device-mapper" }, { "md", "RAID (md)" } };
	struct stat st;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *path = arena_printf(subject->arena, "%s/%s", subject->folder, kinds[i][0]);
		if (path == NULL)
			return error_nomem(err);
		if (stat(path, &st) == 0)
			return error_set(err, ERROR_DEVICE_REFUSED,
					 "%s is a %s device made of other disks, not an EBS volume: name the volume's "
					 "own disk",
					 subject->node, kinds[i][1]);
	}
	return 0;
}

static int refuse_read_only(const struct subject *subject, struct error *err)
{
	const char *read_only = sysfs_attribute(subject->arena, "%s/ro", subject->folder);

	if (read_only == NULL || strcmp(read_only, "0") == 0)
		return 0;
	return error_set(err, ERROR_DEVICE_REFUSED, "%s is read-only: attach a volume that can be written to",
			 subject->node);
}

/* Before anything is opened: what sysfs calls so is nobody's to overwrite. */
static int refuse_instance_storage(const struct subject *subject, struct error *err)
{
	const char *model = sysfs_attribute(subject->arena, "%s/device/model", subject->folder);

	if (model == NULL || strcmp(model, NVME_MODEL_INSTANCE_STORE) != 0)
		return 0;
	return error_set(err, ERROR_DEVICE_REFUSED,
			 "%s is instance storage (%s), which a stemcell is never written to: attach an EBS volume",
			 subject->node, model);
}

/* A line of mountinfo, taken apart in place: "36 35 98:0 /root /mnt rw … - ext4 /dev/root rw". */
struct mount {
	const char *number;
	const char *where;
	const char *source; /* "" when the line ends before it */
};

static bool parse_mount(char *line, struct mount *ret_mount)
{
	char *rest = NULL;
	char *field = strtok_r(line, " ", &rest);
	const char *fields[5] = { NULL };

	for (size_t i = 0; i < 5 && field != NULL; i++, field = strtok_r(NULL, " ", &rest))
		fields[i] = field;
	if (fields[4] == NULL)
		return false;
	while (field != NULL && strcmp(field, "-") != 0)
		field = strtok_r(NULL, " ", &rest);
	const char *type = field == NULL ? NULL : strtok_r(NULL, " ", &rest);
	const char *source = type == NULL ? NULL : strtok_r(NULL, " ", &rest);
	*ret_mount = (struct mount){ .number = fields[2], .where = fields[4], .source = source == NULL ? "" : source };
	return true;
}

static const struct sysfs_part *mounted_part(const struct subject *subject, const struct mount *mount)
{
	dev_t number;
	const struct sysfs_part *part = NULL;

	if (sysfs_parse_number(mount->number, &number))
		part = part_by_number(subject, number);
	/* btrfs and others show a number of their own: there the source tells */
	return part != NULL ? part : part_by_path(subject, mount->source);
}

static int read_proc(const struct subject *subject, const char *name, bool needed, char **ret_text, struct error *err)
{
	struct error why;
	const char *path = arena_printf(subject->arena, "%s/%s", subject->paths->proc, name);
	if (path == NULL)
		return error_nomem(err);
	if (io_read_file(path, PROC_MAX, subject->arena, ret_text, NULL, &why) == 0)
		return 0;
	if (!needed) {
		*ret_text = NULL;
		return 0;
	}
	return error_set(err, ERROR_IO, "cannot tell what is in use on this machine: %s", why.message);
}

static int refuse_mounted(const struct subject *subject, struct error *err)
{
	char *text = NULL;
	char *rest = NULL;

	if (read_proc(subject, "self/mountinfo", true, &text, err) != 0)
		return -1;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		struct mount mount;
		if (!parse_mount(line, &mount))
			continue;
		const struct sysfs_part *part = mounted_part(subject, &mount);
		if (part != NULL)
			return error_set(err, ERROR_DEVICE_REFUSED,
					 "%s is mounted: %s at %s. It is in use, and not the new volume; unmount it "
					 "first if it really is the one",
					 subject->node, part->name, mount.where);
	}
	return 0;
}

static int refuse_swap(const struct subject *subject, struct error *err)
{
	char *text = NULL;
	char *rest = NULL;

	/* a kernel without swap has no such file */
	if (read_proc(subject, "swaps", false, &text, err) != 0)
		return -1;
	for (char *line = text == NULL ? NULL : strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		line[strcspn(line, " \t")] = '\0';
		const struct sysfs_part *part = part_by_path(subject, line);
		if (part != NULL)
			return error_set(err, ERROR_DEVICE_REFUSED,
					 "%s is used as swap (%s in /proc/swaps): swapoff it first if it really is the "
					 "new volume",
					 subject->node, part->name);
	}
	return 0;
}

/* "dm-0 (vg-root)" where device-mapper has a name for people. */
static const char *holder_name(const struct subject *subject, const char *holder)
{
	const char *name = sysfs_attribute(subject->arena, "%s/block/%s/dm/name", subject->paths->sys, holder);
	return name == NULL ? holder : arena_printf(subject->arena, "%s (%s)", holder, name);
}

static int refuse_held(const struct subject *subject, struct error *err)
{
	for (size_t i = 0; i < subject->parts.count; i++) {
		const struct sysfs_part *part = &subject->parts.items[i];
		const char *folder = sysfs_folder(subject->paths, part->number, subject->arena);
		const char *holders = folder == NULL ? NULL : arena_printf(subject->arena, "%s/holders", folder);
		const char **names;
		size_t n_names;
		if (holders == NULL)
			return error_nomem(err);
		if (sysfs_list_names(holders, subject->arena, &names, &n_names, err) != 0)
			return -1;
		if (n_names == 0)
			continue;
		const char *holder = holder_name(subject, names[0]);
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s is held: %s is part of %s (LVM, RAID, encryption or multipath). It is in use, and "
				 "not the new volume",
				 subject->node, part->name, holder == NULL ? names[0] : holder);
	}
	return 0;
}

static int refuse_looped(const struct subject *subject, struct error *err)
{
	struct sysfs_disks disks;

	if (sysfs_list_disks(subject->paths, subject->arena, &disks, err) != 0)
		return -1;
	for (size_t i = 0; i < disks.count; i++) {
		const char *backing = sysfs_attribute(subject->arena, "%s/block/%s/loop/backing_file",
						      subject->paths->sys, disks.items[i].name);
		if (backing != NULL && disks.items[i].number != subject->number &&
		    part_by_path(subject, backing) != NULL)
			return error_set(err, ERROR_DEVICE_REFUSED,
					 "%s is in use: the loop device %s lies over %s. Detach it (losetup -d) if "
					 "this really is the new volume",
					 subject->node, disks.items[i].name, backing);
	}
	return 0;
}

int refuse_if_used(const struct device_paths *paths, const char *node, dev_t number, struct error *err)
{
	static int (*const checks[])(const struct subject *, struct error *) = {
		refuse_partition, refuse_mapped, refuse_instance_storage, refuse_mounted,   refuse_swap, refuse_held,
		refuse_looped,	  refuse_read_only,
	};
	struct arena *arena CLEANUP_ARENA = arena_new(SCRATCH_MAX);
	if (arena == NULL)
		return error_nomem(err);

	struct subject subject = { .paths = paths, .node = node, .number = number, .arena = arena };
	subject.folder = sysfs_folder(paths, number, arena);
	if (subject.folder == NULL)
		return error_nomem(err);
	if (sysfs_list_parts(paths, number, arena, &subject.parts, err) != 0)
		return error_prefix(err, "%s", node);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i](&subject, err) != 0)
			return -1;
	}
	return 0;
}

int refuse_if_small(const char *node, uint64_t size, uint64_t needed, struct error *err)
{
	if (size >= needed && size > 0)
		return 0;
	return error_set(err, ERROR_DEVICE_REFUSED,
			 "%s holds %llu bytes (%llu MiB) where at least %llu bytes (%llu MiB) are needed: it is not "
			 "the volume, or the volume is too small",
			 node, (unsigned long long)size, (unsigned long long)(size / MIB), (unsigned long long)needed,
			 (unsigned long long)((needed + MIB - 1) / MIB));
}
