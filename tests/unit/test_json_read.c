/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: the corpus in tests/json (the working directory is the repository's root), the trees that come out,
 * and the questions asked of them. Reasons and offsets of refusals are in test_json_check.c. */
#include <dirent.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "common/json_read.h"
#include "tests/unit/fail_alloc.h"

#define MAX_TEXT ((size_t)8 * 1024 * 1024)

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new((size_t)2048 * 1024 * 1024);
	return arena == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct json *parse_n(const char *text, size_t len)
{
	const struct json *root = NULL;
	struct error err;
	if (json_parse(arena, text, len, MAX_TEXT, &root, &err) != 0)
		fail_msg("%s", err.message);
	return root;
}

static const struct json *parse(const char *text)
{
	return parse_n(text, strlen(text));
}

/* Exactly as large as the file, so that a sanitizer sees a read beyond it. */
static char *read_text(const char *path, size_t *ret_len)
{
	CLEANUP_FILE FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	long size = ftell(file);
	assert_true(size >= 0);
	rewind(file);
	char *data = malloc(size > 0 ? (size_t)size : 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)size, file), size);
	*ret_len = (size_t)size;
	return data;
}

static unsigned run_directory(const char *path, bool good, unsigned *wrong)
{
	CLEANUP_DIR DIR *dir = opendir(path);
	unsigned count = 0;
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		char name[512];
		size_t len;
		const struct json *root = NULL;
		struct error err = { .kind = ERROR_NONE };
		if (strstr(entry->d_name, ".json") == NULL)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		CLEANUP_FREE char *text = read_text(name, &len);
		arena_reset(arena);
		int result = json_parse(arena, text, len, MAX_TEXT, &root, &err);
		if ((result == 0) != good || (root != NULL) != good || (!good && err.kind != ERROR_INVALID)) {
			print_error("%s: %s\n", name, result == 0 ? "accepted" : err.message);
			(*wrong)++;
		}
		count++;
	}
	return count;
}

static void test_corpus(void **state)
{
	(void)state;
	unsigned wrong = 0;
	unsigned accepted = run_directory("tests/json/accept", true, &wrong);
	unsigned refused = run_directory("tests/json/refuse", false, &wrong);

	print_message("JSON corpus: %u texts to accept, %u to refuse, %u wrong\n", accepted, refused, wrong);
	assert_int_equal(wrong, 0);
	assert_true(accepted > 0 && refused > 0 && accepted + refused >= 200);
}

static void test_tree(void **state)
{
	(void)state;
	const struct json *root = parse(" {\"a\":[1,{\"b\":[]},\"x\"],\"c\":{},\"d\":null,\"e\":true,\"f\":false} ");

	assert_true(json_is(root, JSON_OBJECT));
	assert_null(root->key);
	assert_null(root->next);
	assert_int_equal(root->count, 5);
	const struct json *a = root->child;
	assert_string_equal(a->key, "a");
	assert_int_equal(a->key_len, 1);
	assert_true(json_is(a, JSON_ARRAY));
	assert_int_equal(a->count, 3);
	assert_string_equal(json_at(a, 0)->text, "1");
	assert_int_equal(json_at(a, 0)->len, 1);
	assert_null(json_at(a, 0)->key);
	assert_true(json_is(json_get(json_at(a, 1), "b"), JSON_ARRAY));
	assert_int_equal(json_get(json_at(a, 1), "b")->count, 0);
	assert_string_equal(json_at(a, 2)->text, "x");
	assert_null(json_at(a, 2)->next);
	assert_string_equal(a->next->key, "c");
	assert_null(a->next->child);
	assert_true(json_is(json_get(root, "d"), JSON_NULL));
	assert_true(json_get(root, "e")->boolean);
	assert_false(json_get(root, "f")->boolean);
	assert_true(json_is(json_get(root, "f"), JSON_BOOL));
}

static void test_bare_roots(void **state)
{
	(void)state;
	assert_string_equal(parse(" -1.5e3\n")->text, "-1.5e3");
	assert_string_equal(parse("12")->text, "12");
	assert_true(json_true(parse("true")));
	assert_true(json_is(parse("null"), JSON_NULL));
	assert_string_equal(parse("\"\"")->text, "");
	assert_string_equal(parse("\"abc\"")->text, "abc");
	assert_true(json_is(parse("[]"), JSON_ARRAY));
}

static void test_tree_does_not_refer_to_text(void **state)
{
	(void)state;
	char text[] = "{\"key\":[\"value\",123]}";
	const struct json *root = parse(text);
	memset(text, 'x', sizeof(text));
	assert_string_equal(json_text(json_at(json_get(root, "key"), 0)), "value");
	assert_string_equal(json_at(json_get(root, "key"), 1)->text, "123");
}

static void test_strings(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *value;
		size_t len;
	} cases[] = {
		{ "\"\"", "", 0 },
		{ "\"a\"", "a", 1 },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8 },
		{ "\"\\u0041\\u00e9\\u20AC\"", "A\xC3\xA9\xE2\x82\xAC", 6 },
		{ "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", 11 },
		{ "\"\\ud800\\udc00x\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80x\xF4\x8F\xBF\xBF", 9 },
		{ "\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80", 4 },
		{ "\"a\\u0000b\"", "a\0b", 3 },
		{ "\"\\\\u0041\"", "\\u0041", 6 },
		{ "\"x\\ny\\nz\"", "x\ny\nz", 5 },
		{ "\"\xE2\x82\xAC\"", "\xE2\x82\xAC", 3 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct json *value = parse(cases[i].text);
		assert_true(json_is(value, JSON_STRING));
		assert_int_equal(value->len, cases[i].len);
		assert_memory_equal(value->text, cases[i].value, cases[i].len + 1);
	}
}

static void test_text(void **state)
{
	(void)state;
	assert_string_equal(json_text(parse("\"a\"")), "a");
	assert_null(json_text(parse("\"a\\u0000\"")));
	assert_null(json_text(parse("\"\\u0000\"")));
	assert_null(json_text(parse("1")));
	assert_null(json_text(parse("[\"a\"]")));
	assert_null(json_text(NULL));
}

static void test_keys(void **state)
{
	(void)state;
	const struct json *root =
		parse("{\"a\":1,\"b\":2,\"\\u0061\":3,\"a\\u0000b\":4,\"\":5,\"a\":{\"a\":{\"c\":6}}}");
	int64_t number = 0;

	assert_int_equal(root->count, 6);
	assert_true(json_is(json_get(root, "a"), JSON_OBJECT));
	assert_true(json_int(json_path(root, "a", "a", "c", NULL), &number));
	assert_int_equal(number, 6);
	assert_true(json_int(json_get(root, ""), &number));
	assert_int_equal(number, 5);
	assert_null(json_get(root, "c"));
	assert_null(json_path(root, "a", "x", "c", NULL));
	assert_null(json_path(root, "b", "a", NULL));
	assert_ptr_equal(json_path(root, NULL), root);
	assert_null(json_path(NULL, "a", NULL));
	assert_null(json_get(NULL, "a"));
	assert_null(json_get(json_get(root, "b"), "a"));
	assert_null(json_get(parse("[{\"a\":1}]"), "a"));
}

static void test_at(void **state)
{
	(void)state;
	const struct json *array = parse("[0,1,2]");
	assert_string_equal(json_at(array, 2)->text, "2");
	assert_null(json_at(array, 3));
	assert_null(json_at(parse("[]"), 0));
	assert_null(json_at(parse("{\"a\":1}"), 0));
	assert_null(json_at(NULL, 0));
}

static void test_int(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "42", true, 42 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "1.0", false, 0 },
		{ "1e3", false, 0 },
		{ "\"1\"", false, 0 },
		{ "true", false, 0 },
		{ "null", false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t value = 77;
		assert_int_equal(json_int(parse(cases[i].text), &value), cases[i].good);
		assert_int_equal(value, cases[i].good ? cases[i].value : 77);
	}
	int64_t value = 77;
	assert_false(json_int(NULL, &value));
}

static void test_double(void **state)
{
	(void)state;
	double value = 0;

	assert_true(json_double(parse("-1.5e2"), &value));
	assert_true(value == -150.0);
	assert_true(json_double(parse("0.1"), &value));
	assert_true(value == 0.1);
	assert_true(json_double(parse("7"), &value));
	assert_true(value == 7.0);
	assert_true(json_double(parse("1e-999"), &value));
	assert_true(value == 0.0);
	value = 3;
	assert_false(json_double(parse("1e999"), &value));
	assert_false(json_double(parse("-1e999"), &value));
	assert_false(json_double(parse("\"1\""), &value));
	assert_false(json_double(NULL, &value));
	assert_true(value == 3.0);
}

/* Where such a locale is installed; elsewhere this only repeats the above. */
static void test_double_heeds_no_locale(void **state)
{
	(void)state;
	double value = 0;
	const char *set = setlocale(LC_ALL, "de_DE.UTF-8");
	bool good = json_double(parse("0.5"), &value);
	setlocale(LC_ALL, "C");
	if (set == NULL)
		print_message("no locale with a decimal comma is installed here\n");
	assert_true(good);
	assert_true(value == 0.5);
}

static void test_truth(void **state)
{
	(void)state;
	assert_true(json_true(parse("true")));
	assert_false(json_true(parse("false")));
	assert_false(json_true(parse("1")));
	assert_false(json_true(parse("\"true\"")));
	assert_false(json_true(NULL));
	assert_true(json_truthy(parse("true")));
	assert_true(json_truthy(parse("0")));
	assert_true(json_truthy(parse("\"\"")));
	assert_true(json_truthy(parse("[]")));
	assert_false(json_truthy(parse("false")));
	assert_false(json_truthy(parse("null")));
	assert_false(json_truthy(NULL));
	assert_false(json_is(NULL, JSON_NULL));
}

static void test_limits(void **state)
{
	(void)state;
	const struct json *root = NULL;
	struct error err;

	assert_int_equal(json_parse(arena, "[1]", 3, 3, &root, &err), 0);
	root = NULL;
	assert_int_equal(json_parse(arena, "[1]", 3, 2, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	assert_non_null(strstr(err.message, "2"));
	assert_null(root);
	/* the length is looked at before the text */
	assert_int_equal(json_parse(arena, "", SIZE_MAX, SIZE_MAX, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	assert_int_equal(json_parse(arena, "{", 1, 10, &root, NULL), -1);
}

static void test_memory(void **state)
{
	(void)state;
	static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}]}";
	const struct json *root = NULL;
	struct error err;
	long n = 0;

	for (;; n++) {
		struct arena *fresh = arena_new(100000);
		assert_non_null(fresh);
		fail_alloc_after(n);
		int result = json_parse(fresh, text, strlen(text), MAX_TEXT, &root, &err);
		bool injected = fail_alloc_off();
		if (result != 0) {
			assert_true(injected);
			assert_int_equal(err.kind, ERROR_NOMEM);
			assert_null(root);
		}
		arena_free(fresh);
		if (result == 0)
			break;
		assert_true(n < 100);
	}
	assert_true(n >= 2);

	/* whatever the arena's limit is, it is refused or whole */
	for (size_t max = 0;; max += 16) {
		struct arena *small = arena_new(max);
		root = NULL;
		int result = json_parse(small, text, strlen(text), MAX_TEXT, &root, &err);
		if (result == 0)
			assert_string_equal(json_text(json_path(json_at(json_get(root, "a"), 2), "b", NULL)), "c");
		else
			assert_true(err.kind == ERROR_NOMEM && root == NULL);
		arena_free(small);
		if (result == 0)
			break;
		assert_true(max < 10000);
	}
}

/* Texts at the limit on which a reader that is not linear would take hours. */
static void test_large(void **state)
{
	(void)state;
	CLEANUP_FREE char *text = malloc(MAX_TEXT + 1);
	assert_non_null(text);
	size_t len = 0;
	text[len++] = '[';
	while (len + 5 < MAX_TEXT) {
		memcpy(text + len, "[],", 3);
		len += 3;
	}
	memcpy(text + len, "1]", 2);
	len += 2;
	assert_int_equal(parse_n(text, len)->count, (len - 3) / 3 + 1);

	arena_reset(arena);
	len = 0;
	text[len++] = '{';
	for (unsigned i = 0; i < 500000; i++)
		len += (size_t)snprintf(text + len, MAX_TEXT - len, "\"%u\":%u,", i, i % 10);
	text[len - 1] = '}';
	const struct json *root = parse_n(text, len);
	assert_int_equal(root->count, 500000);
	assert_string_equal(json_get(root, "499999")->text, "9");

	arena_reset(arena);
	memset(text, '\\', MAX_TEXT);
	text[0] = '"';
	text[MAX_TEXT - 1] = '"';
	assert_int_equal(parse_n(text, MAX_TEXT)->len, (MAX_TEXT - 2) / 2);

	arena_reset(arena);
	memset(text, '"', MAX_TEXT);
	struct error err;
	root = NULL;
	assert_int_equal(json_parse(arena, text, MAX_TEXT, MAX_TEXT, &root, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_corpus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bare_roots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree_does_not_refer_to_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_at, setup, teardown),
		cmocka_unit_test_setup_teardown(test_int, setup, teardown),
		cmocka_unit_test_setup_teardown(test_double, setup, teardown),
		cmocka_unit_test_setup_teardown(test_double_heeds_no_locale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
