/* SPDX-License-Identifier: Apache-2.0 */
/* Names without devices: nothing here looks at the machine. */
#include "onhost/names.h"

#include <stddef.h>
#include <string.h>

#define XEN_SHIFT 4

static const char *without_folder(const char *name)
{
	return strncmp(name, "/dev/", 5) == 0 ? name + 5 : name;
}

/* "f" of "/dev/sdf", "sdf" or "/dev/xvdf"; NULL for a name of another kind. */
static const char *letters_of(const char *name)
{
	static const char *const prefixes[] = { "xvd", "sd", "hd" };

	name = without_folder(name);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);
		if (strncmp(name, prefixes[i], len) == 0 && name[len] >= 'a' && name[len] <= 'z')
			return name + len;
	}
	return NULL;
}

static bool is_four_later(const char *wanted, const char *found)
{
	return wanted[0] + XEN_SHIFT <= 'z' && found[0] == wanted[0] + XEN_SHIFT &&
	       strcmp(wanted + 1, found + 1) == 0 && (wanted[1] < 'a' || wanted[1] > 'z');
}

bool names_xen_fit(const char *asked, const char *disk, enum names_shift shift)
{
	const char *wanted = letters_of(asked);
	const char *found = letters_of(disk);

	if (wanted == NULL || found == NULL)
		return false;
	/* names of Xen's own, and disks that are not named in Xen's way: as they are */
	if (strncmp(without_folder(asked), "xvd", 3) == 0 || strncmp(disk, "xvd", 3) != 0)
		return strcmp(wanted, found) == 0;
	return (shift != NAMES_SHIFT_FOUR && strcmp(wanted, found) == 0) ||
	       (shift != NAMES_SHIFT_NONE && is_four_later(wanted, found));
}

bool names_same(const char *a, const char *b)
{
	const char *letters_a = letters_of(a);
	const char *letters_b = letters_of(b);

	if (letters_a != NULL && letters_b != NULL)
		return strcmp(letters_a, letters_b) == 0;
	return strcmp(without_folder(a), without_folder(b)) == 0;
}

bool names_given(const char *name)
{
	return name != NULL && name[0] != '\0' && strcmp(name, "none") != 0;
}
