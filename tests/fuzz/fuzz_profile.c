/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of the shared AWS files: what it accepts holds no key and no section twice, and no blanks around them;
 * what it refuses has a reason with a line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpi/aws/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entries(const struct profile_entry *entry, size_t size, unsigned depth)
{
	for (; entry != NULL; entry = entry->next) {
		if (depth > 1 || strlen(entry->key) > size || strlen(entry->value) > size)
			abort();
		if (depth == 0 && (*entry->key == '\0' || (entry->nested != NULL) != (*entry->value == '\n')))
			abort();
		for (const char *c = entry->key; depth == 0 && *c != '\0'; c++) {
			if ((*c >= 'A' && *c <= 'Z') || *c == '\n' || *c == '=')
				abort();
		}
		check_entries(entry->nested, size, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP_ARENA = arena_new((size_t)64 * 1024 * 1024);
	const struct profile_section *sections = NULL;
	struct error err = { 0 };

	if (arena == NULL)
		return 0;
	if (ini_parse((const char *)data, size, arena, &sections, &err) != 0) {
		if (sections != NULL || (err.kind != ERROR_NOMEM && strncmp(err.message, "line ", 5) != 0))
			abort();
		return 0;
	}
	for (size_t count = 0; sections != NULL; sections = sections->next) {
		if (++count > size || *sections->name == '\0' || sections->kind != NULL)
			abort();
		check_entries(sections->entries, size, 0);
	}
	return 0;
}
