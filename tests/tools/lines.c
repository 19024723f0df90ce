/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "common/cleanup.h"

int lines_answer(const char *name, size_t arena_bytes,
		 int (*answer)(struct arena *arena, const char *line, size_t len, struct error *err))
{
	struct arena *arena CLEANUP_ARENA = arena_new(arena_bytes);
	char *line CLEANUP_FREE = NULL;
	size_t size = 0;
	ssize_t len;

	while (arena != NULL && (len = getline(&line, &size, stdin)) > 0) {
		struct error err = { 0 };
		arena_reset(arena);
		if (answer(arena, line, (size_t)len, &err) != 0) {
			fprintf(stderr, "%s: %s\n", name, err.message);
			return EXIT_FAILURE;
		}
	}
	return arena == NULL ? EXIT_FAILURE : EXIT_SUCCESS;
}
