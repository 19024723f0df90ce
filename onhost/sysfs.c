/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /sys/block. The folder "device" of a disk leads to its controller, or with multipath to the subsystem; both
 * carry serial and model, so one way serves both. */
#include "onhost/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/parse.h"

#define ATTRIBUTE_MAX ((size_t)4096)
#define SECTOR 512

static char *trimmed(char *text)
{
	static const char blanks[] = " \t\n";

	text += strspn(text, blanks);
	size_t len = strlen(text);
	while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return text;
}

const char *sysfs_attribute(struct arena *arena, const char *format, ...)
{
	char path[4096];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(path))
		return NULL;

	char *text = NULL;
	if (io_read_file(path, ATTRIBUTE_MAX, arena, &text, NULL, NULL) != 0)
		return NULL;
	return trimmed(text);
}

const char *sysfs_folder(const struct device_paths *paths, dev_t number, struct arena *arena)
{
	return arena_printf(arena, "%s/dev/block/%u:%u", paths->sys, major(number), minor(number));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t count_entries(DIR *dir)
{
	size_t count = 0;
	while (readdir(dir) != NULL)
		count++;
	rewinddir(dir);
	return count;
}

int sysfs_list_names(const char *folder, struct arena *arena, const char ***ret_names, size_t *ret_count,
		     struct error *err)
{
	DIR *dir CLEANUP_DIR = opendir(folder);
	if (dir == NULL) {
		if (errno != ENOENT && errno != ENOTDIR)
			return error_errno(err, ERROR_IO, errno, "cannot read the folder %s", folder);
		*ret_names = NULL;
		*ret_count = 0;
		return 0;
	}
	size_t room = count_entries(dir);
	const char **names = arena_array(arena, room + 1, sizeof(*names));
	if (names == NULL)
		return error_nomem(err);

	/* what comes between the two readings is the next look's */
	size_t count = 0;
	const struct dirent *entry;
	while (count < room && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		names[count] = arena_strdup(arena, entry->d_name);
		if (names[count++] == NULL)
			return error_nomem(err);
	}
	qsort(names, count, sizeof(*names), by_name);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

bool sysfs_parse_number(const char *text, dev_t *ret_number)
{
	char part[32];
	const char *colon = text == NULL ? NULL : strchr(text, ':');
	uint64_t high;
	uint64_t low;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(part))
		return false;
	memcpy(part, text, (size_t)(colon - text));
	part[colon - text] = '\0';
	if (!parse_u64(part, &high) || !parse_u64(colon + 1, &low) || high > UINT32_MAX || low > UINT32_MAX)
		return false;
	*ret_number = makedev((unsigned)high, (unsigned)low);
	return true;
}

static uint64_t number_attribute(struct arena *arena, const char *folder, const char *name)
{
	const char *text = sysfs_attribute(arena, "%s/%s", folder, name);
	uint64_t value;
	return text != NULL && parse_u64(text, &value) ? value : 0;
}

static const char *text_attribute(struct arena *arena, const char *folder, const char *name)
{
	const char *text = sysfs_attribute(arena, "%s/%s", folder, name);
	return text == NULL ? "" : text;
}

static bool read_disk(const struct device_paths *paths, struct arena *arena, const char *name,
		      struct sysfs_disk *ret_disk)
{
	const char *folder = arena_printf(arena, "%s/block/%s", paths->sys, name);
	dev_t number;
	uint64_t sectors;

	if (folder == NULL || !sysfs_parse_number(sysfs_attribute(arena, "%s/dev", folder), &number))
		return false;
	sectors = number_attribute(arena, folder, "size");
	*ret_disk = (struct sysfs_disk){
		.name = name,
		.number = number,
		.size = sectors > UINT64_MAX / SECTOR ? 0 : sectors * SECTOR,
		.sequence = number_attribute(arena, folder, "diskseq"),
		.model = text_attribute(arena, folder, "device/model"),
		.serial = text_attribute(arena, folder, "device/serial"),
	};
	return true;
}

int sysfs_list_disks(const struct device_paths *paths, struct arena *arena, struct sysfs_disks *ret_disks,
		     struct error *err)
{
	const char *folder = arena_printf(arena, "%s/block", paths->sys);
	const char **names = NULL;
	size_t n_names;
	if (folder == NULL)
		return error_nomem(err);
	if (sysfs_list_names(folder, arena, &names, &n_names, err) != 0)
		return -1;
	if (names == NULL)
		return error_set(err, ERROR_IO, "%s is not there: onhost looks for disks in sysfs; mount it", folder);

	struct sysfs_disk *items = arena_array(arena, n_names + 1, sizeof(*items));
	if (items == NULL)
		return error_nomem(err);
	size_t count = 0;
	for (size_t i = 0; i < n_names; i++) {
		if (read_disk(paths, arena, names[i], &items[count]))
			count++;
	}
	*ret_disks = (struct sysfs_disks){ .items = items, .count = count };
	return 0;
}

bool sysfs_has_disk(const struct sysfs_disks *disks, const struct sysfs_disk *disk)
{
	for (size_t i = 0; i < disks->count; i++) {
		if (strcmp(disks->items[i].name, disk->name) == 0 && disks->items[i].sequence == disk->sequence)
			return true;
	}
	return false;
}

void sysfs_node_path(const struct device_paths *paths, const struct sysfs_disk *disk, char *text, size_t size)
{
	snprintf(text, size, "%s/%s", paths->dev, disk->name);
	for (char *c = strchr(text + strlen(paths->dev), '!'); c != NULL; c = strchr(c, '!'))
		*c = '/';
}

const char *sysfs_node_trouble(const char *node, dev_t number)
{
	struct stat st;

	if (stat(node, &st) != 0)
		return "is not there";
	if (!S_ISBLK(st.st_mode))
		return "is no block device's node but a file";
	return st.st_rdev == number ? NULL : "is the node of another device";
}

/* The kernel's own name of a device: the last part of what its folder's link leads to. */
static const char *kernel_name(const char *folder, struct arena *arena)
{
	char *real CLEANUP_FREE = realpath(folder, NULL);
	const char *slash = real == NULL ? NULL : strrchr(real, '/');
	return slash == NULL ? NULL : arena_strdup(arena, slash + 1);
}

int sysfs_list_parts(const struct device_paths *paths, dev_t number, struct arena *arena, struct sysfs_parts *ret_parts,
		     struct error *err)
{
	const char *folder = sysfs_folder(paths, number, arena);
	const char **names = NULL;
	size_t n_names;
	if (folder == NULL)
		return error_nomem(err);
	if (sysfs_list_names(folder, arena, &names, &n_names, err) != 0)
		return -1;
	if (names == NULL)
		return error_set(err, ERROR_NO_DEVICE, "%s is not there: the device went away", folder);

	struct sysfs_part *items = arena_array(arena, n_names + 1, sizeof(*items));
	if (items == NULL)
		return error_nomem(err);
	const char *name = kernel_name(folder, arena);
	items[0] = (struct sysfs_part){ .name = name == NULL ? "" : name, .number = number };
	size_t count = 1;
	for (size_t i = 0; i < n_names; i++) {
		if (sysfs_attribute(arena, "%s/%s/partition", folder, names[i]) == NULL)
			continue;
		items[count].name = names[i];
		if (sysfs_parse_number(sysfs_attribute(arena, "%s/%s/dev", folder, names[i]), &items[count].number))
			count++;
	}
	*ret_parts = (struct sysfs_parts){ .items = items, .count = count };
	return 0;
}
