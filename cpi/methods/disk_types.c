/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/disk_types.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define TIB 1024 /* in GiB */

static const struct limits {
	const char *type;
	uint64_t least_gib;
	uint64_t most_gib;
} limits[] = {
	{ "gp3", 1, 64 * TIB }, { "gp2", 1, 16 * TIB },	  { "io2", 4, 64 * TIB },   { "io1", 4, 16 * TIB },
	{ "st1", 125, 16 * TIB }, { "sc1", 125, 16 * TIB }, { "standard", 1, 1 * TIB },
};

uint64_t disk_types_gib(uint64_t mib)
{
	return mib / 1024 + (mib % 1024 != 0 ? 1 : 0);
}

int disk_types_check(const char *type, uint64_t size_gib, struct error *err)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limits *limit = &limits[i];
		if (strcmp(limit->type, type) != 0)
			continue;
		if (size_gib < limit->least_gib || size_gib > limit->most_gib)
			return error_set(err, ERROR_CLOUD,
					 "a disk of %" PRIu64 " GiB is asked for, but volumes of type %s have from %" PRIu64 " to %" PRIu64
					 " GiB",
					 size_gib, type, limit->least_gib, limit->most_gib);
	}
	return 0;
}

bool disk_types_can_change(const char *type)
{
	return strcmp(type, "standard") != 0;
}
