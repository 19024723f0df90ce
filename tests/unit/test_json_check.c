/* SPDX-License-Identifier: Apache-2.0 */
/* What the JSON check says about a refusal: where and why, and nothing of the text itself. Which texts are refused is
 * the corpus's matter, in test_json_read.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/json_check.h"

static void expect_refusal(const char *text, size_t len, const char *message)
{
	struct json_shape shape = { .n_values = 77 };
	struct error err;

	assert_int_equal(json_check(text, len, &shape, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_string_equal(err.message, message);
	assert_int_equal(shape.n_values, 77);
}

static void test_reasons(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "", "not JSON: the text is empty" },
		{ " \n", "not JSON: at byte 2: there is nothing but blanks" },
		{ "\xEF\xBB\xBF{}", "not JSON: at byte 0: a byte order mark, which must not be there" },
		{ "[1 2]", "not JSON: at byte 3: a comma or ] is missing" },
		{ "[1", "not JSON: at byte 2: a comma or ] is missing" },
		{ "{\"a\":1", "not JSON: at byte 6: a comma or } is missing" },
		{ "{\"a\":1]", "not JSON: at byte 6: a comma or } is missing" },
		{ "[1,]", "not JSON: at byte 3: a value is missing" },
		{ "[", "not JSON: at byte 1: a value is missing" },
		{ "{\"a\":}", "not JSON: at byte 5: a value is missing" },
		{ "[secret]", "not JSON: at byte 1: a value is missing" },
		{ "{\"a\"}", "not JSON: at byte 4: a colon is missing" },
		{ "{\"a\":1,}", "not JSON: at byte 7: a member's name, in double quotes, is missing" },
		{ "{a:1}", "not JSON: at byte 1: a member's name, in double quotes, is missing" },
		{ "{} {}", "not JSON: at byte 3: something follows behind the end of the value" },
		{ "tru", "not JSON: at byte 0: not one of the words true, false and null" },
		{ "[nul]", "not JSON: at byte 1: not one of the words true, false and null" },
		{ "01", "not JSON: at byte 1: a number begins with a needless zero" },
		{ "-", "not JSON: at byte 1: a number has no digit behind its minus" },
		{ "1.", "not JSON: at byte 2: a number has no digit behind its point" },
		{ "1e+", "not JSON: at byte 3: a number has no digit in its exponent" },
		{ "[\"abc", "not JSON: at byte 1: a string that begins here is not closed" },
		{ "\"a\nb\"", "not JSON: at byte 2: a control character in a string is not escaped" },
		{ "\"a\\x\"", "not JSON: at byte 2: an escape that JSON does not have" },
		{ "\"a\\u12\"", "not JSON: at byte 2: \\u without four hexadecimal digits behind it" },
		{ "\"\\ud800\"", "not JSON: at byte 1: the first half of a surrogate pair without the second" },
		{ "\"\\udc00\"", "not JSON: at byte 1: the second half of a surrogate pair without the first" },
		{ "\"ab\xC0\xAF\"", "not JSON: at byte 3: not UTF-8" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refusal(cases[i].text, strlen(cases[i].text), cases[i].message);
	expect_refusal("[1]\0", 4, "not JSON: at byte 3: something follows behind the end of the value");
}

static void test_depth(void **state)
{
	(void)state;
	char text[65];
	memset(text, '[', sizeof(text));
	expect_refusal(text, sizeof(text),
		       "not JSON: at byte 64: arrays and objects are nested too deeply (64 are allowed)");
	expect_refusal(text, 64, "not JSON: at byte 64: a value is missing");
}

static void test_shape(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct json_shape shape;
	} cases[] = {
		{ " 12 ", { .n_values = 1, .root_start = 1, .root_end = 3 } },
		{ "null", { .n_values = 1, .root_start = 0, .root_end = 4 } },
		{ "\n\"a,b\"", { .n_values = 1, .root_start = 1, .root_end = 6 } },
		{ "[]", { .n_values = 1, .root_start = 0, .root_end = 2 } },
		{ "[1,[2,\"x\"]] ", { .n_values = 5, .root_start = 0, .root_end = 11 } },
		{ "{\"a\":{\"b\":1},\"a\":2}", { .n_values = 4, .n_keys = 3, .root_start = 0, .root_end = 19 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_shape shape;
		assert_int_equal(json_check(cases[i].text, strlen(cases[i].text), &shape, NULL), 0);
		assert_int_equal(shape.n_values, cases[i].shape.n_values);
		assert_int_equal(shape.n_keys, cases[i].shape.n_keys);
		assert_int_equal(shape.root_start, cases[i].shape.root_start);
		assert_int_equal(shape.root_end, cases[i].shape.root_end);
	}
}

/* Every text cut anywhere is refused, unless what is left is whole (a bare number). */
static void test_cut(void **state)
{
	(void)state;
	static const char text[] = "{\"a\\u00e9\\ud83d\\ude00\":[-1.5e+3,true,null,\"\xE2\x82\xAC\",{}],\"b\":false}";
	struct json_shape shape;

	assert_int_equal(json_check(text, strlen(text), &shape, NULL), 0);
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(json_check(text, len, &shape, NULL), -1);
}

static void test_hex4(void **state)
{
	(void)state;
	assert_int_equal(json_check_hex4("0000", 4), 0);
	assert_int_equal(json_check_hex4("09aF", 4), 0x09AF);
	assert_int_equal(json_check_hex4("FFFF", 4), 0xFFFF);
	assert_int_equal(json_check_hex4("abcdef", 6), 0xABCD);
	assert_int_equal(json_check_hex4("abc", 3), -1);
	assert_int_equal(json_check_hex4("00g0", 4), -1);
	assert_int_equal(json_check_hex4("00@0", 4), -1);
	assert_int_equal(json_check_hex4("/000", 4), -1);
	assert_int_equal(json_check_hex4("000:", 4), -1);
	assert_int_equal(json_check_hex4("`000", 4), -1);
	assert_int_equal(json_check_hex4("G000", 4), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons), cmocka_unit_test(test_depth), cmocka_unit_test(test_shape),
		cmocka_unit_test(test_cut),     cmocka_unit_test(test_hex4),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
