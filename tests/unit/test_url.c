/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials inside URLs: where they begin and end, and what they mean. */
#include "common/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/fail_alloc.h"

static void same(struct arena *arena, const char *text, size_t len, const char *want)
{
	if (want == NULL)
		assert_null(text);
	else
		assert_string_equal(arena_strndup(arena, text, len), want);
}

static void test_split(void **state)
{
	static const struct {
		const char *url;
		size_t scheme_len;
		const char *user;
		const char *password;
		const char *rest;
	} table[] = {
		{ "http://host", 7, NULL, NULL, "host" },
		{ "https://u:p@host:1/x?y", 8, "u", "p", "host:1/x?y" },
		{ "http://u:p@ss:w@host/", 7, "u", "p@ss:w", "host/" },
		{ "http://u@host", 7, "u", NULL, "host" },
		{ "http://u:@host", 7, "u", "", "host" },
		{ "http://:p@host", 7, "", "p", "host" },
		{ "http://@host", 7, "", NULL, "host" },
		{ "u:p@host:25777", 0, "u", "p", "host:25777" },
		{ "host:25777", 0, NULL, NULL, "host:25777" },
		{ "http://host/a:b@c", 7, NULL, NULL, "host/a:b@c" },
		{ "http://host?a:b@c", 7, NULL, NULL, "host?a:b@c" },
		{ "u:p@host/http://x", 0, "u", "p", "host/http://x" },
		{ "host/http://u:p@x", 0, NULL, NULL, "host/http://u:p@x" },
		{ "nats://n:m@[::1]:4222", 7, "n", "m", "[::1]:4222" },
		{ "://", 3, NULL, NULL, "" },
		{ "", 0, NULL, NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(1 << 16);
		struct url_parts parts;
		url_split(table[i].url, &parts);
		assert_int_equal(parts.scheme_len, table[i].scheme_len);
		same(arena, parts.user, parts.user_len, table[i].user);
		same(arena, parts.password, parts.password_len, table[i].password);
		assert_string_equal(parts.rest, table[i].rest);
	}
}

static void test_decode(void **state)
{
	static const char *const table[][2] = {
		{ "plain", "plain" },	 { "p%40ss%3aw", "p@ss:w" }, { "%C3%A4", "\xC3\xA4" }, { "100%", "100%" },
		{ "%4", "%4" },		 { "%zz", "%zz" },	     { "a%00b", "a%00b" },     { "+", "+" },
		{ "%2525", "%25" },	 { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(1 << 16);
		assert_string_equal(url_decode(arena, table[i][0], strlen(table[i][0])), table[i][1]);
	}
}

/* Only len bytes are the text's. */
static void test_decode_is_bounded(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 16);

	(void)state;
	assert_string_equal(url_decode(arena, "ab%41", 2), "ab");
	assert_string_equal(url_decode(arena, "%41", 2), "%4");
}

static void test_decode_no_memory(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 16);

	(void)state;
	fail_alloc_after(0);
	const char *decoded = url_decode(arena, "x", 1);
	assert_true(fail_alloc_off());
	assert_null(decoded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_is_bounded),
		cmocka_unit_test(test_decode_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
