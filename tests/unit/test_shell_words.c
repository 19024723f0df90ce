/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines to words; the expected ones are what Python's shlex.split makes of the same lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/aws/credentials/shell_words.h"

static void words(void **state)
{
	static const struct {
		const char *text;
		const char *words[8];
	} rows[] = {
		{ "helper", { "helper" } },
		{ "  a\tb \r\n c ", { "a", "b", "c" } },
		{ "/opt/my\\ helper -x", { "/opt/my helper", "-x" } },
		{ "\"/opt/my helper\" 'a b'", { "/opt/my helper", "a b" } },
		{ "a\"b c\"d'e f'g", { "ab cde fg" } },
		{ "x '' \"\" y", { "x", "", "", "y" } },
		{ "\"a\\\"b\\\\c\\d\\$e\"", { "a\"b\\c\\d\\$e" } },
		{ "'a\\b\"c'", { "a\\b\"c" } },
		{ "a\\b\\\\\\'", { "ab\\'" } },
		{ "\"it's\" '\"'", { "it's", "\"" } },
		{ "a #b; c|d $HOME `x` * ~", { "a", "#b;", "c|d", "$HOME", "`x`", "*", "~" } },
		{ "a\\\nb", { "a\nb" } },
		{ "\"a\\\nb\"", { "a\\\nb" } },
		{ "gr\xc3\xbc\xc3\x9f \xc2\xa0", { "gr\xc3\xbc\xc3\x9f", "\xc2\xa0" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena CLEANUP_ARENA = arena_new(10000);
		struct error err = { 0 };
		size_t count;
		char **argv;
		if (shell_words_split(rows[i].text, arena, &argv, &count, &err) != 0)
			fail_msg("row %zu: %s", i, err.message);
		for (size_t k = 0; k < count; k++) {
			assert_non_null(rows[i].words[k]);
			assert_string_equal(argv[k], rows[i].words[k]);
		}
		assert_null(rows[i].words[count]);
		assert_null(argv[count]);
	}
}

static void no_words(void **state)
{
	static const char *const rows[][2] = {
		{ "", "no program" },	{ " \t\n", "no program" },	 { "hush 'open", "not closed" },
		{ "hush \"open", "not closed" }, { "hush \"open\\\"", "not closed" }, { "hush\\", "ends with a backslash" },
		{ "\"hush\\", "ends with a backslash" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena CLEANUP_ARENA = arena_new(10000);
		struct error err = { 0 };
		size_t count = 4711;
		char **argv;
		assert_int_equal(shell_words_split(rows[i][0], arena, &argv, &count, &err), -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_non_null(strstr(err.message, rows[i][1]));
		assert_null(strstr(err.message, "hush"));
		assert_int_equal(count, 4711);
	}
}

/* The most words that a text can hold, at each length: none is written behind the end (for the sanitizers). */
static void as_many_as_fit(void **state)
{
	(void)state;
	for (size_t len = 1; len < 64; len++) {
		struct arena *arena CLEANUP_ARENA = arena_new(10000);
		char text[65];
		size_t count;
		char **argv;
		for (size_t i = 0; i < len; i++)
			text[i] = i % 2 == 0 ? 'a' : ' ';
		text[len] = '\0';
		assert_int_equal(shell_words_split(text, arena, &argv, &count, NULL), 0);
		assert_int_equal(count, (len + 1) / 2);
		assert_string_equal(argv[count - 1], "a");
	}
}

static void no_memory(void **state)
{
	struct arena *arena CLEANUP_ARENA = arena_new(16);
	struct error err;
	size_t count;
	char **argv;

	(void)state;
	assert_int_equal(shell_words_split("a b c", arena, &argv, &count, &err), -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(no_words),
		cmocka_unit_test(as_many_as_fit),
		cmocka_unit_test(no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
