/* SPDX-License-Identifier: Apache-2.0 */
/* Reads boot device and version out of the kernel images' locations ("…/pv-grub-hd00_1.05-x86_64.gz"), the only place where
 * they stand. */
#include "cpi/methods/kernel_image.h"

#include <ctype.h>
#include <string.h>

#include "cpi/ec2/images.h"

struct version {
	unsigned long major;
	unsigned long minor;
};

static bool read_number(const char **at, unsigned long *ret_number)
{
	unsigned long number = 0;

	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); (*at)++)
		number = number < 1000000 ? number * 10 + (unsigned long)(**at - '0') : number;
	*ret_number = number;
	return true;
}

/* The marker ("-hd00" or "-hd0"), "_" or "-", MAJOR.MINOR. */
static bool read_version(const char *location, const char *marker, struct version *ret_version)
{
	for (const char *at = strstr(location, marker); at != NULL; at = strstr(at, marker)) {
		at += strlen(marker);
		if (*at != '_' && *at != '-')
			continue;
		const char *number = at + 1;
		struct version version;
		if (!read_number(&number, &version.major) || *number++ != '.' || !read_number(&number, &version.minor))
			continue;
		*ret_version = version;
		return true;
	}
	return false;
}

static bool is_newer(const struct version *a, const struct version *b)
{
	return a->major != b->major ? a->major > b->major : a->minor > b->minor;
}

int kernel_image_pick(struct call *call, const char *architecture, const char *root_device_name, const char **ret_image_id,
		      struct error *err)
{
	const char *wanted_architecture = architecture != NULL ? architecture : "x86_64";
	const char *kernel = "kernel";
	const struct ec2_filter filters[] = {
		{ .name = "architecture", .values = &wanted_architecture, .n_values = 1 },
		{ .name = "image-type", .values = &kernel, .n_values = 1 },
	};
	bool partitioned = root_device_name != NULL && strcmp(root_device_name, "/dev/sda1") == 0;
	const struct image *newest = NULL;
	struct version newest_version = { 0 };
	struct image *images;
	size_t count;

	if (image_describe(call->ec2, call->arena, (struct ec2_ids){ 0 },
			   (struct ec2_filters){ .items = filters, .count = 2 }, "amazon", &images, &count, err) != 0)
		return error_prefix(err, "cannot look for a kernel image");
	for (size_t i = 0; i < count; i++) {
		struct version version;
		if (images[i].location == NULL || !read_version(images[i].location, partitioned ? "-hd00" : "-hd0", &version))
			continue;
		if (newest == NULL || is_newer(&version, &newest_version)) {
			newest = &images[i];
			newest_version = version;
		}
	}
	if (newest == NULL)
		return error_set(err, ERROR_CLOUD,
				 "unable to find AKI: Amazon has no kernel image for %s with root device %s here; name one in the "
				 "stemcell's kernel_id",
				 wanted_architecture, root_device_name != NULL ? root_device_name : "(none)");
	log_info(call->runtime->log, "auto-selected AKI: %s", newest->id);
	*ret_image_id = newest->id;
	return 0;
}
