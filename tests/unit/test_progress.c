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

#include "common/progress.h"

#define MIB ((uint64_t)1024 * 1024)

static const struct onhost_progress halfway = {
	.read = 300 * MIB, .written = 1024 * MIB, .skipped = 512 * MIB, .total = 3072 * MIB, .seconds = 4,
};

static void test_line(void **state)
{
	static const struct {
		struct onhost_progress done;
		const char *text;
	} cases[] = {
		{ { 300 * MIB, 1024 * MIB, 512 * MIB, 3072 * MIB, 4 }, "1.5 of 3.0 GiB (50 %), 256 MiB/s, 0:06 left" },
		{ { 0, 0, 0, 64 * MIB, 0 }, "0.0 of 64.0 MiB (0 %), 0 MiB/s" },
		{ { 0, 0, 0, 64 * MIB, 3 }, "0.0 of 64.0 MiB (0 %), 0 MiB/s" },
		{ { 10 * MIB, 30 * MIB, 0, 0, 2 }, "10.0 MiB read, 15 MiB/s" },
		{ { 0, 0, 0, 0, 0 }, "0.0 MiB read, 0 MiB/s" },
		/* at the end: the mean, and how long it took */
		{ { 64 * MIB, 64 * MIB, 0, 64 * MIB, 4 }, "64.0 of 64.0 MiB (100 %), 16 MiB/s, in 0:04" },
		{ { 64 * MIB, 16 * MIB, 48 * MIB, 64 * MIB, 4 }, "64.0 of 64.0 MiB (100 %), 4.0 MiB/s, in 0:04" },
		/* never more than all of it */
		{ { 64 * MIB, 60 * MIB, 60 * MIB, 64 * MIB, 4 }, "64.0 of 64.0 MiB (100 %), 15 MiB/s, in 0:04" },
		{ { 0, MIB, 0, 3072 * MIB, 2 }, "0.0 of 3.0 GiB (0 %), 0.5 MiB/s, 1:42:22 left" },
		{ { 0, 4096, 0, UINT64_MAX / 2, 9 }, "0.0 of 8589934592.0 GiB (0 %), 0.0 MiB/s, 99:59:59 left" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[PROGRESS_TEXT_MAX];
		struct pace pace = { .count = 0 };
		pace_add(&pace, &cases[i].done);
		progress_format_line(&cases[i].done, &pace, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void format_bar(const struct onhost_progress *done, unsigned columns, char text[PROGRESS_TEXT_MAX])
{
	struct pace pace = { .count = 0 };

	pace_add(&pace, done);
	progress_format_bar(done, &pace, columns, text);
}

static void test_bar(void **state)
{
	char text[PROGRESS_TEXT_MAX];
	(void)state;
	format_bar(&halfway, 79, text);
	assert_string_equal(text, "[==============>              ]  50 %  1.5 of 3.0 GiB   256 MiB/s     0:06 left");
	assert_true(strlen(text) <= 79);
	for (unsigned columns = 0; columns < 300; columns++) {
		format_bar(&halfway, columns, text);
		assert_true(strlen(text) <= columns);
	}
	const struct onhost_progress done = { .written = 8 * MIB, .total = 8 * MIB, .seconds = 1 };
	format_bar(&done, 79, text);
	assert_null(strchr(text, '>'));
	assert_non_null(strstr(text, "=] 100 %"));
	assert_non_null(strstr(text, " in 0:01"));
	const struct onhost_progress unknown = { .read = 8 * MIB, .written = 20 * MIB, .seconds = 1 };
	format_bar(&unknown, 60, text);
	assert_string_equal(text, "8.0 MiB read, 20 MiB/s");
}

/* What a narrow terminal gets is never cut in the middle of a figure. */
static void test_narrow(void **state)
{
	static const struct {
		unsigned columns;
		const char *text;
	} cases[] = {
		{ 58, "1.5 of 3.0 GiB (50 %), 256 MiB/s, 0:06 left" },
		{ 43, "1.5 of 3.0 GiB (50 %), 256 MiB/s, 0:06 left" },
		{ 42, "50 %, 0:06 left" },
		{ 15, "50 %, 0:06 left" },
		{ 14, "50 %" },
		{ 4, "50 %" },
		{ 1, "5" },
		{ 0, "" },
	};
	char text[PROGRESS_TEXT_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		format_bar(&halfway, cases[i].columns, text);
		assert_string_equal(text, cases[i].text);
	}
}

/* The bar stands still: from 0 to all but the end, each text is as long as the others. */
static void test_bar_does_not_shift(void **state)
{
	char text[PROGRESS_TEXT_MAX];
	size_t len = 0;
	(void)state;
	for (uint64_t mib = 1; mib < 3072; mib += 7) {
		const struct onhost_progress done = {
			.written = mib * MIB, .total = 3072 * MIB, .seconds = (double)(mib * mib) / 40000,
		};
		format_bar(&done, 100, text);
		if (len == 0)
			len = strlen(text);
		assert_int_equal(strlen(text), len);
	}
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
	progress_init(&progress, fds[1], false, &clock);
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
	progress_init(&progress, fds[1], false, &clock);
	assert_int_equal(progress.form, PROGRESS_LINES);
	progress.form = PROGRESS_BAR;
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

/* What is over within the first second shows no bar, and no line either. */
static void test_short_run(void **state)
{
	static const struct onhost_progress done = { .written = 8 * MIB, .total = 8 * MIB, .seconds = 0.99 };
	static const enum progress_form forms[] = { PROGRESS_BAR, PROGRESS_LINES };
	int64_t now = 0;
	struct clock clock = { .monotonic_ms = read_clock, .self = &now, .scale = 1 };
	struct progress progress;
	char text[8];
	int fds[2];
	(void)state;
	assert_int_equal(pipe(fds), 0);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		progress_init(&progress, fds[1], false, &clock);
		progress.form = forms[i];
		now += 990;
		assert_int_equal(progress_show(&progress, &done, NULL), 0);
		progress_end(&progress);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], text, sizeof(text)), 0);
	close(fds[0]);
}

/* One message of the session each time. */
static void test_json(void **state)
{
	static const char expected[] = "{\"event\":\"progress\",\"read\":314572800,\"written\":1073741824,"
				       "\"skipped\":536870912,\"total\":3221225472,\"seconds\":4}\n";
	int64_t now = 0;
	struct clock clock = { .monotonic_ms = read_clock, .self = &now, .scale = 1 };
	struct progress progress;
	char text[1024] = "";
	int fds[2];
	(void)state;
	assert_int_equal(pipe(fds), 0);
	progress_init(&progress, fds[1], true, &clock);
	assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	progress_end(&progress);
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, expected);
	close(fds[0]);
}

/* What cannot be shown is no reason to stop. */
static void test_closed(void **state)
{
	int64_t now = 0;
	struct clock clock = { .monotonic_ms = read_clock, .self = &now, .scale = 1 };
	struct progress progress;
	(void)state;
	progress_init(&progress, -1, false, &clock);
	now += PROGRESS_LINE_EVERY_MS;
	assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	progress.form = PROGRESS_BAR;
	assert_int_equal(progress_show(&progress, &halfway, NULL), 0);
	progress_end(&progress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),	   cmocka_unit_test(test_bar),
		cmocka_unit_test(test_narrow),	   cmocka_unit_test(test_bar_does_not_shift),
		cmocka_unit_test(test_lines_are_rare), cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_short_run),  cmocka_unit_test(test_json),
		cmocka_unit_test(test_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
