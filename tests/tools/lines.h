/* SPDX-License-Identifier: Apache-2.0 */
/* A filter's loop: what each line of standard input is answered with is its driver's. */
#ifndef TESTS_TOOLS_LINES_H
#define TESTS_TOOLS_LINES_H

#include "common/arena.h"
#include "common/error.h"

/* name is the program's, for messages; arena_bytes is what one line and its answer may take. Main's result. */
int lines_answer(const char *name, size_t arena_bytes,
		 int (*answer)(struct arena *arena, const char *line, size_t len, struct error *err));

#endif
