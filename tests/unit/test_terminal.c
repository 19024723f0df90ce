/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/terminal.h"

static void set(const char *name, const char *value)
{
	if (value == NULL)
		unsetenv(name);
	else
		setenv(name, value, 1);
}

static void test_able(void **state)
{
	static const struct {
		const char *term;
		bool able;
	} cases[] = { { NULL, false }, { "", false }, { "dumb", false }, { "xterm", true }, { "dumber", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set("TERM", cases[i].term);
		assert_int_equal(terminal_is_able(), cases[i].able);
	}
}

static void test_colour(void **state)
{
	static const struct {
		const char *no_color;
		bool wanted;
	} cases[] = { { NULL, true }, { "", true }, { "1", false }, { "0", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set("NO_COLOR", cases[i].no_color);
		assert_int_equal(terminal_colour_is_wanted(), cases[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_able), cmocka_unit_test(test_colour) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
