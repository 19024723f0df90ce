/* SPDX-License-Identifier: Apache-2.0 */
/* What people see while an image is written. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "onhost/progress.h"

#define MIB ((uint64_t)1024 * 1024)

static const struct onhost_progress halfway = {
	.read = 300 * MIB, .written = 1024 * MIB, .skipped = 512 * MIB, .total = 3072 * MIB, .seconds = 6,
};

static void test_line(void **state)
{
	static const struct {
		struct onhost_progress done;
		const char *text;
	} cases[] = {
		{ { 300 * MIB, 1024 * MIB, 512 * MIB, 3072 * MIB, 6 }, "1.5 of 3.0 GiB (50 %), 256 MiB/s, 0:06 left" },
		{ { 0, 0, 0, 64 * MIB, 0 }, "0.0 of 64.0 MiB (0 %), 0 MiB/s" },
		{ { 10 * MIB, 0, 0, 0, 2 }, "10.0 MiB read, 5 MiB/s" },
		{ { 0, 0, 0, 0, 0 }, "0.0 MiB read, 0 MiB/s" },
		{ { 64 * MIB, 64 * MIB, 0, 64 * MIB, 4 }, "64.0 of 64.0 MiB (100 %), 16 MiB/s, 0:00 left" },
		/* never more than all of it */
		{ { 64 * MIB, 60 * MIB, 60 * MIB, 64 * MIB, 4 }, "64.0 of 64.0 MiB (100 %), 16 MiB/s, 0:00 left" },
		{ { 0, MIB, 0, 3072 * MIB, 2 }, "0.0 of 3.0 GiB (0 %), 0 MiB/s, 1:42:22 left" },
		{ { 0, 4096, 0, UINT64_MAX / 2, 9 }, "0.0 of 8589934592.0 GiB (0 %), 0 MiB/s, 99:59:59 left" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[PROGRESS_TEXT_MAX];
		progress_format_line(&cases[i].done, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_bar(void **state)
{
	char text[PROGRESS_TEXT_MAX];
	(void)state;
	progress_format_bar(&halfway, 79, text);
	assert_string_equal(text, "[================>                ]  50 %  1.5 of 3.0 GiB  256 MiB/s  0:06 left");
	assert_int_equal(strlen(text), 79);
	for (unsigned columns = 0; columns < 300; columns++) {
		progress_format_bar(&halfway, columns, text);
		assert_true(strlen(text) <= columns);
	}
	const struct onhost_progress done = { .written = 8 * MIB, .total = 8 * MIB, .seconds = 1 };
	progress_format_bar(&done, 60, text);
	assert_null(strchr(text, '>'));
	assert_non_null(strstr(text, "=] 100 %"));
	const struct onhost_progress unknown = { .read = 8 * MIB, .seconds = 1 };
	progress_format_bar(&unknown, 60, text);
	assert_string_equal(text, "8.0 MiB read, 8 MiB/s");
}

static int64_t read_clock(void *self)
{
	return *(const int64_t *)self;
}

/* Elsewhere than on a terminal a line comes every few seconds, not with every call. */
static void test_lines_are_rare(void **state)
{
	int64_t now = 1000;
	struct clock clock = { .monotonic_ms = read_clock, .self = &now, .scale = 1 };
	struct progress progress;
	char text[1024];
	int fds[2];
	size_t lines = 0;
	(void)state;
	assert_int_equal(pipe(fds), 0);
	progress_init(&progress, fds[1], &clock);
	for (int i = 0; i < 21; i++, now += 1000)
		assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	progress_end(&progress);
	close(fds[1]);
	ssize_t len = read(fds[0], text, sizeof(text) - 1);
	assert_true(len > 0);
	for (ssize_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, 4);
	assert_null(memchr(text, '\r', (size_t)len));
	close(fds[0]);
}

static void test_terminal(void **state)
{
	int64_t now = 0;
	struct clock clock = { .monotonic_ms = read_clock, .self = &now, .scale = 1 };
	struct progress progress;
	char text[1024] = "";
	int fds[2];
	(void)state;
	assert_int_equal(pipe(fds), 0);
	progress_init(&progress, fds[1], &clock);
	assert_false(progress.terminal);
	progress.terminal = true;
	assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	progress_end(&progress);
	progress_end(&progress);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_int_equal(text[0], '\r');
	assert_non_null(strstr(text, "left\033[K\r["));
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
	close(fds[0]);
	close(fds[1]);
}

/* What cannot be shown is no reason to stop. */
static void test_closed(void **state)
{
	int64_t now = 0;
	struct clock clock = { .monotonic_ms = read_clock, .self = &now, .scale = 1 };
	struct progress progress;
	(void)state;
	progress_init(&progress, -1, &clock);
	now += PROGRESS_LINE_EVERY_MS;
	assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	progress.terminal = true;
	assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	progress_end(&progress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),	 cmocka_unit_test(test_bar),	cmocka_unit_test(test_lines_are_rare),
		cmocka_unit_test(test_terminal), cmocka_unit_test(test_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
