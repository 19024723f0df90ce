/* SPDX-License-Identifier: Apache-2.0 */
/* For what a process cannot take back: a forked child does it. */
#ifndef TESTS_UNIT_IN_CHILD_H
#define TESTS_UNIT_IN_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/under_valgrind.h"

/* In the child: ends it with a status that is the line's number, as far as a status can be, and says which. */
#define CHILD_REQUIRE(condition)                                                                                       \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                         \
			_exit(__LINE__ % 250 + 1);                                                                     \
		}                                                                                                      \
	} while (0)

/* Runs function(self) in a child; the status as waitpid gives it: 0 when the function returned. */
static inline int in_child(void (*function)(void *self), void *self)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		function(self);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid ? -1 : status;
}

/* A test that is one such function. Under valgrind it is passed by: valgrind's own calls would be refused. */
static inline void run_in_child(void **state)
{
	if (under_valgrind())
		skip();
	assert_int_equal(in_child((void (*)(void *))(uintptr_t)*state, NULL), 0);
}

#define CHILD_TEST(function)                                                                                           \
	{                                                                                                              \
		.name = #function, .test_func = run_in_child, .initial_state = (void *)(uintptr_t)(function)           \
	}

#endif
