/* SPDX-License-Identifier: Apache-2.0 */
/* Each EC2 instance has a disk: its root volume. Loop devices and their like are no machine's. */
#include "onhost/confined.h"

#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"

#define NAMES_MAX ((size_t)400)

/* NVMe, Xen, and what other machines have; behind a controller, which sysfs leads to. */
static bool is_machines(const struct device_paths *paths, const struct sysfs_disk *disk, struct arena *arena)
{
	static const char *const prefixes[] = { "nvme", "xvd", "sd", "vd" };
	struct stat st;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(disk->name, prefixes[i], strlen(prefixes[i])) != 0)
			continue;
		const char *controller = arena_printf(arena, "%s/block/%s/device", paths->sys, disk->name);
		return controller != NULL && stat(controller, &st) == 0;
	}
	return false;
}

static bool has_node(const struct device_paths *paths, const struct sysfs_disk *disk)
{
	char node[4096];

	sysfs_node_path(paths, disk, node, sizeof(node));
	return sysfs_node_trouble(node, disk->number) == NULL;
}

static const char *explain(const struct device_paths *paths, const struct buf *names, struct arena *arena)
{
	if (names->len == 0)
		return arena_printf(arena,
				    "%s/block shows none of this machine's disks, so that an attached volume would not "
				    "show up either, as in a container that is kept from the devices",
				    paths->sys);
	return arena_printf(arena,
			    "none of this machine's disks (%s) has its node in %s, so that an attached volume's would "
			    "not show up either, as in a container with a %s of its own",
			    buf_text(names), paths->dev, paths->dev);
}

int confined_check(const struct device_paths *paths, struct arena *arena, const char **ret_why, struct error *err)
{
	struct buf names CLEANUP_BUF = BUF_INIT(NAMES_MAX);
	struct sysfs_disks disks = { .count = 0 };
	struct error why = { .kind = ERROR_NONE };
	const char *text = "";

	if (sysfs_list_disks(paths, arena, &disks, &why) != 0 && why.kind == ERROR_NOMEM)
		return error_nomem(err);
	for (size_t i = 0; i < disks.count; i++) {
		if (!is_machines(paths, &disks.items[i], arena))
			continue;
		if (has_node(paths, &disks.items[i])) {
			*ret_why = "";
			return 0;
		}
		/* a list that is too long ends early */
		buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", disks.items[i].name);
	}
	text = why.kind == ERROR_NONE ? explain(paths, &names, arena) : arena_strdup(arena, why.message);
	if (text == NULL)
		return error_nomem(err);
	*ret_why = text;
	return 0;
}
