/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: what they become. What is refused, and in which words, is test_library.py's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/library_settings.h"

#define MIB ((size_t)1024 * 1024)

struct read {
	struct setup_choice choice;
	const char *path;
	int result;
	struct error err;
};

static struct read read_settings(struct arena *arena, const char *text)
{
	struct read read = { .path = "untouched" };

	read.result = library_settings_read(text, arena, &read.choice, &read.path, &read.err);
	return read;
}

static void test_none(void **state)
{
	static const char *const texts[] = { NULL, "{}", "{\"config\":null,\"cloud\":null,\"region\":null,\"profile\":null}" };
	CLEANUP_ARENA struct arena *arena = arena_new(MIB);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct read read = read_settings(arena, texts[i]);
		assert_int_equal(read.result, 0);
		assert_null(read.path);
		assert_null(read.choice.root);
		assert_null(read.choice.region);
		assert_null(read.choice.profile);
	}
}

static void test_all(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MIB);

	(void)state;
	struct read read = read_settings(arena, "{\"config\":\"/etc/cpi.json\",\"region\":\"eu-west-1\",\"profile\":\"dev\"}");
	assert_int_equal(read.result, 0);
	assert_string_equal(read.path, "/etc/cpi.json");
	assert_null(read.choice.root);
	assert_string_equal(read.choice.region, "eu-west-1");
	assert_string_equal(read.choice.profile, "dev");
	assert_string_equal(read.choice.profile_source, "the setting profile");
	read = read_settings(arena, "{\"cloud\":{\"properties\":{\"aws\":{\"region\":\"eu-west-2\"}}}}");
	assert_int_equal(read.result, 0);
	assert_null(read.path);
	assert_string_equal(json_text(json_path(read.choice.root, "cloud", "properties", "aws", "region", NULL)), "eu-west-2");
}

static void test_refused(void **state)
{
	static const char *const texts[] = { "{\"clod\":{}}", "{\"cloud\":{},\"config\":\"x\"}", "{\"region\":{}}", "7", "{" };
	CLEANUP_ARENA struct arena *arena = arena_new(MIB);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct read read = read_settings(arena, texts[i]);
		assert_int_equal(read.result, -1);
		assert_int_equal(read.err.kind, ERROR_INVALID_CALL);
		assert_string_equal(read.path, "untouched");
	}
}

static void test_no_memory(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(16);

	(void)state;
	struct read read = read_settings(arena, "{\"region\":\"eu-west-1\"}");
	assert_int_equal(read.result, -1);
	assert_int_equal(read.err.kind, ERROR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
