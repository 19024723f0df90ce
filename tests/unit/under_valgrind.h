/* SPDX-License-Identifier: Apache-2.0 */
/* valgrind makes vfork a fork, and posix_spawn does not learn of a failed exec then: tests of that pass it by there. */
#ifndef TESTS_UNIT_UNDER_VALGRIND_H
#define TESTS_UNIT_UNDER_VALGRIND_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");
	return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

#endif
