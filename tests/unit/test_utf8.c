/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: every code point there and back, and the malformed forms of RFC 3629. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/utf8.h"

static void test_every_code_point(void **state)
{
	(void)state;
	for (uint32_t code = 0; code <= 0x10FFFF; code++) {
		char bytes[4] = { 0 };
		if (code >= 0xD800 && code <= 0xDFFF)
			continue;
		size_t want = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		assert_int_equal(utf8_encode(code, bytes), want);
		assert_int_equal(utf8_length(bytes, 4), want);
		assert_int_equal(utf8_length(bytes, want), want);
		/* cut */
		assert_int_equal(utf8_length(bytes, want - 1), 0);
	}
}

static void test_encoding(void **state)
{
	(void)state;
	char bytes[4];
	assert_int_equal(utf8_encode(0x20AC, bytes), 3);
	assert_memory_equal(bytes, "\xE2\x82\xAC", 3);
	assert_int_equal(utf8_encode(0x1F600, bytes), 4);
	assert_memory_equal(bytes, "\xF0\x9F\x98\x80", 4);
	assert_int_equal(utf8_encode(0xE9, bytes), 2);
	assert_memory_equal(bytes, "\xC3\xA9", 2);
}

static void test_malformed(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"\x80",         "\xBF",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x80\x80", "\xE0\x9F\xBF",
		"\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
		"\xF5\x80\x80\x80", "\xFE",     "\xFF",             "\xC3(",            "\xE2\x82(",    "\xE2(\xAC",
		"\xF0\x9F\x98(", "\xF0\x9F(\x80", "\xF0(\x98\x80",  "\xC3\xC3",         "\xF8\x88\x80\x80\x80",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(utf8_length(cases[i], strlen(cases[i])), 0);
	assert_int_equal(utf8_length("", 0), 0);
	assert_int_equal(utf8_length("\0", 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
