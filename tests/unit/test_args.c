/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of arguments: types, optional ones, and tags as the incumbent reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpi/rpc/args.h"
#include "tests/unit/fail_alloc.h"

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)

static const struct json *parse(struct arena *arena, const char *text)
{
	const struct json *root;
	struct error err;

	if (json_parse(arena, text, strlen(text), 1 << 20, &root, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	return root;
}

static void test_type_names(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	static const char *const want[] = {
		"null", "true", "false", "a number", "a string", "a string with a NUL character in it", "an array", "an object",
	};
	const struct json *values = parse(arena, "[null,true,false,1,\"x\",\"\\u0000\",[],{}]");

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_string_equal(args_type_name(json_at(values, i)), want[i]);
	assert_string_equal(args_type_name(NULL), "nothing");
}

static void test_string(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	const struct json *arguments = parse(arena, "[\"vol-1\",7,\"a\\u0000b\",null]");
	const char *text = "untouched";
	struct error err;

	(void)state;
	for (size_t i = 1; i < 5; i++) {
		assert_int_equal(args_string(arguments, i, "disk_cid", &text, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID_CALL);
		assert_int_equal(strncmp(err.message, "Arguments are not correct, got: ", 32), 0);
		assert_non_null(strstr(err.message, "as disk_cid (argument "));
	}
	assert_string_equal(text, "untouched");
	assert_int_equal(args_string(arguments, 0, "disk_cid", &text, &err), 0);
	assert_string_equal(text, "vol-1");
}

static void test_object(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	const struct json *arguments = parse(arena, "[{\"a\":1},null,[]]");
	const struct json *object = arguments;
	struct error err;

	(void)state;
	assert_int_equal(args_object(arguments, 0, "env", false, &object, &err), 0);
	assert_int_equal(object->count, 1);
	assert_int_equal(args_object(arguments, 1, "env", false, &object, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID_CALL);
	assert_non_null(object);
	assert_int_equal(args_object(arguments, 1, "env", true, &object, &err), 0);
	assert_null(object);
	assert_int_equal(args_object(arguments, 2, "env", true, &object, &err), -1);
	assert_int_equal(args_object(arguments, 3, "env", false, &object, &err), -1);
	assert_int_equal(args_object(arguments, 3, "env", true, &object, &err), 0);
	assert_null(object);
}

static void test_tags(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	static const char *const want[][2] = {
		{ "number", "8" },        { "float", "1.50" }, { "yes", "true" }, { "no", "false" },
		{ "list", "[1,\"two\"]" }, { "empty", "" },     { "twice", "b" },
	};
	struct ec2_tags tags;
	struct error err = { 0 };

	(void)state;
	const struct json *value = parse(arena, "{\"number\":8,\"float\":1.50,\"yes\":true,\"no\":false,\"nil\":null,\"twice\":\"a\","
						"\"list\":[1,\"two\"],\"empty\":\"\",\"twice\":\"b\"}");
	assert_int_equal(args_tags(value, "tags", arena, &tags, &err), 0);
	assert_int_equal(tags.count, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < tags.count; i++) {
		assert_string_equal(tags.items[i].key, want[i][0]);
		assert_string_equal(tags.items[i].value, want[i][1]);
	}
}

/* Characters are counted, not bytes. */
static void test_tags_are_cut(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct ec2_tags tags;
	struct error err;
	char text[3000] = "{\"";
	size_t len = strlen(text);

	(void)state;
	for (int i = 0; i < 200; i++, len += 2)
		memcpy(text + len, "ä", 3);
	len += (size_t)snprintf(text + len, 8, "\":\"");
	for (int i = 0; i < 300; i++, len += 3)
		memcpy(text + len, "€", 4);
	snprintf(text + len, 8, "\"}");
	assert_int_equal(args_tags(parse(arena, text), "tags", arena, &tags, &err), 0);
	assert_int_equal(tags.count, 1);
	assert_int_equal(strlen(tags.items[0].key), 127 * 2);
	assert_int_equal(strlen(tags.items[0].value), 255 * 3);
}

static void test_no_tags(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct error err;

	(void)state;
	const struct json *none[] = { NULL, parse(arena, "null"), parse(arena, "{}"), parse(arena, "{\"a\":null}") };
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct ec2_tags tags = { .count = 9 };
		assert_int_equal(args_tags(none[i], "tags", arena, &tags, &err), 0);
		assert_int_equal(tags.count, 0);
	}
}

static void test_bad_tags(void **state)
{
	static const char *const table[][2] = {
		{ "[]", "an array" },
		{ "\"bad\"", "a string" },
		{ "42", "a number" },
		{ "false", "false" },
		{ "{\"a\":\"b\\u0000\"}", "NUL" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct ec2_tags tags = { .count = 9 };
		struct error err = { 0 };
		assert_int_equal(args_tags(parse(arena, table[i][0]), "env.tags", arena, &tags, &err), -1);
		assert_int_equal(err.kind, ERROR_CLOUD);
		assert_non_null(strstr(err.message, "env.tags"));
		assert_non_null(strstr(err.message, table[i][1]));
		assert_int_equal(tags.count, 9);
	}
}

static void test_too_many_tags(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	CLEANUP_BUF struct buf text = BUF_INIT(1 << 20);
	struct ec2_tags tags;
	struct error err;

	(void)state;
	for (int i = 0; i <= ARGS_MAX_TAGS; i++)
		buf_printf(&text, "%s\"k%d\":1", i == 0 ? "{" : ",", i);
	buf_char(&text, '}');
	assert_int_equal(args_tags(parse(arena, buf_text(&text)), "tags", arena, &tags, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
}

static void test_no_memory(void **state)
{
	CLEANUP_ARENA struct arena *tree = arena_new(ARENA_BYTES);
	const struct json *value = parse(tree, "{\"a\":\"b\",\"c\":7}");

	(void)state;
	for (long n = 0;; n++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct ec2_tags tags;
		struct error err = { 0 };
		fail_alloc_after(n);
		int result = args_tags(value, "tags", arena, &tags, &err);
		if (!fail_alloc_off()) {
			assert_int_equal(result, 0);
			break;
		}
		assert_int_equal(result, -1);
		assert_true(err.kind == ERROR_NOMEM || err.kind == ERROR_TOO_BIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_string),
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_tags_are_cut),
		cmocka_unit_test(test_no_tags),
		cmocka_unit_test(test_bad_tags),
		cmocka_unit_test(test_too_many_tags),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
