/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

static void test_unicode(void **state)
{
	static const struct {
		const char *all, *type, *lang;
		bool unicode;
	} cases[] = {
		{ NULL, NULL, NULL, false },
		{ NULL, NULL, "C", false },
		{ NULL, NULL, "C.UTF-8", true },
		{ NULL, NULL, "de_DE.utf8", true },
		{ NULL, "C", "C.UTF-8", false },
		{ "", "", "C.UTF-8", true },
		{ "C", "C.UTF-8", "C.UTF-8", false },
		{ "C.UTF-8", "C", "C", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set("LC_ALL", cases[i].all);
		set("LC_CTYPE", cases[i].type);
		set("LANG", cases[i].lang);
		assert_int_equal(terminal_is_unicode(), cases[i].unicode);
	}
}

static void test_columns(void **state)
{
	const struct winsize window = { .ws_row = 24, .ws_col = 77 };
	int leader = posix_openpt(O_RDWR | O_NOCTTY);

	(void)state;
	assert_true(leader >= 0);
	assert_int_equal(ioctl(leader, TIOCSWINSZ, &window), 0);
	set("COLUMNS", NULL);
	assert_int_equal(terminal_columns(leader), 77);
	set("COLUMNS", "");
	assert_int_equal(terminal_columns(leader), 77);
	set("COLUMNS", "many");
	assert_int_equal(terminal_columns(leader), 77);
	set("COLUMNS", "120");
	assert_int_equal(terminal_columns(leader), 120);
	close(leader);
	assert_int_equal(terminal_columns(-1), 120);
	set("COLUMNS", NULL);
	assert_int_equal(terminal_columns(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_able),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_unicode),
		cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
