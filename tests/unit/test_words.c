/* SPDX-License-Identifier: Apache-2.0 */
/* A child's standard error: lines, however they come in, and the last of them. */
#include "common/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct log silent(void)
{
	struct log log;
	struct clock clock;

	clock_system(&clock);
	log_init(&log, -1, LOG_LEVEL_ERROR, &clock);
	return log;
}

static void take(struct words *words, const char *text)
{
	struct log log = silent();
	words_take(words, &log, text, strlen(text));
}

static void end(struct words *words)
{
	struct log log = silent();
	words_end(words, &log);
}

static void test_lines(void **state)
{
	struct words words = { 0 };

	(void)state;
	assert_string_equal(words.last, "");
	take(&words, "one\r\n\r\n\ntw");
	assert_string_equal(words.last, "one");
	take(&words, "o\nthree");
	assert_string_equal(words.last, "two");
	assert_string_equal(words.kept, "one\ntwo\n");
	end(&words);
	end(&words);
	assert_string_equal(words.last, "three");
	assert_string_equal(words.kept, "one\ntwo\nthree\n");
}

static void test_a_nul(void **state)
{
	struct words words = { 0 };
	struct log log = silent();

	(void)state;
	words_take(&words, &log, "a\0b\n", 4);
	assert_string_equal(words.last, "a b");
}

static void test_a_long_line_is_cut(void **state)
{
	struct words words = { 0 };

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		take(&words, "0123456789");
	take(&words, "\nnext\n");
	assert_string_equal(words.last, "next");
	assert_int_equal(words.kept_len, WORDS_LINE - 1 + 1 + 5);
}

/* Whole lines, the last ones, whatever their lengths. */
static void test_the_oldest_go(void **state)
{
	struct words words = { 0 };
	char line[WORDS_LINE + 2];
	unsigned random = 1;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		random = random * 1103515245 + 12345;
		size_t len = 1 + (random >> 16) % (WORDS_LINE - 1);
		memset(line, 'a' + (int)(i % 26), len);
		memcpy(line + len, "\n", 2);
		take(&words, line);
		assert_true(words.kept_len < WORDS_KEPT);
		assert_int_equal(strlen(words.kept), words.kept_len);
		assert_true(words.kept_len >= len + 1);
		assert_memory_equal(words.kept + words.kept_len - len - 1, line, len + 1);
	}
	assert_true(words.kept_len > WORDS_KEPT / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_a_nul),
		cmocka_unit_test(test_a_long_line_is_cut),
		cmocka_unit_test(test_the_oldest_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
