/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: separators, escapes, numbers, and that what was read comes out again. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/json_write.h"
#include "tests/unit/fail_alloc.h"

struct fixture {
	struct buf out;
	struct json_writer writer;
};

static int setup(void **state)
{
	static struct fixture fixture;
	fixture.out = (struct buf)BUF_INIT(100000);
	json_writer_init(&fixture.writer, &fixture.out);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	buf_free(&fixture->out);
	return 0;
}

static void test_structure(void **state)
{
	struct fixture *f = *state;
	struct json_writer *w = &f->writer;

	json_begin_object(w);
	json_member_string(w, "s", "text");
	json_member_string(w, "none", NULL);
	json_member_integer(w, "i", INT64_MIN);
	json_member_unsigned(w, "u", UINT64_MAX);
	json_member_boolean(w, "t", true);
	json_member_boolean(w, "f", false);
	json_key(w, "a");
	json_begin_array(w);
	json_begin_array(w);
	json_end_array(w);
	json_begin_object(w);
	json_end_object(w);
	json_null(w);
	json_integer(w, -1);
	json_unsigned(w, 1);
	json_boolean(w, true);
	json_end_array(w);
	json_key(w, "o");
	json_begin_object(w);
	json_member_integer(w, "x", 0);
	json_end_object(w);
	json_end_object(w);
	assert_string_equal(buf_text(&f->out),
			    "{\"s\":\"text\",\"none\":null,\"i\":-9223372036854775808,\"u\":18446744073709551615,"
			    "\"t\":true,\"f\":false,\"a\":[[],{},null,-1,1,true],\"o\":{\"x\":0}}");
}

static void check_string(struct fixture *f, const char *text, size_t len, const char *json)
{
	buf_reset(&f->out);
	json_writer_init(&f->writer, &f->out);
	json_string_n(&f->writer, text, len);
	assert_string_equal(buf_text(&f->out), json);
}

static void test_escapes(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text;
		const char *json;
	} cases[] = {
		{ "", "\"\"" },
		{ "plain / text", "\"plain / text\"" },
		{ "\"\\", "\"\\\"\\\\\"" },
		{ "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"" },
		{ "a\nb\n", "\"a\\nb\\n\"" },
		{ "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"" },
		/* not UTF-8: Latin-1, a cut character, a surrogate, too high */
		{ "\xE9t\xE9", "\"\xEF\xBF\xBDt\xEF\xBF\xBD\"" },
		{ "\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
		{ "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
		{ "\xF4\x90\x80\x80x", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx\"" },
		{ "\xC3\"", "\"\xEF\xBF\xBD\\\"\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(f, cases[i].text, strlen(cases[i].text), cases[i].json);
	check_string(f, "a\0b", 3, "\"a\\u0000b\"");
}

/* Whatever the bytes, the reader takes what was written, and it is one line. */
static void test_every_byte(void **state)
{
	struct fixture *f = *state;
	struct arena *arena = arena_new(1000000);
	const struct json *root;

	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			char text[2] = { (char)first, (char)second };
			buf_reset(&f->out);
			arena_reset(arena);
			json_writer_init(&f->writer, &f->out);
			json_string_n(&f->writer, text, 2);
			assert_int_equal(json_parse(arena, f->out.data, f->out.len, 100, &root, NULL), 0);
			assert_null(memchr(f->out.data, '\n', f->out.len));
			assert_null(memchr(f->out.data, '\r', f->out.len));
			if (first < 0x80 && second < 0x80) {
				assert_int_equal(root->len, 2);
				assert_memory_equal(root->text, text, 2);
			}
		}
	}
	arena_free(arena);
}

static void test_keys_are_escaped(void **state)
{
	struct fixture *f = *state;
	json_begin_object(&f->writer);
	json_member_integer(&f->writer, "a\"\n", 1);
	json_end_object(&f->writer);
	assert_string_equal(buf_text(&f->out), "{\"a\\\"\\n\":1}");
}

static void test_numbers(void **state)
{
	struct fixture *f = *state;
	static const struct {
		double value;
		const char *json;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ -2.5, "-2.5" },
		{ 0.1, "0.1" },
		{ 12.345, "12.345" },
		{ 1e21, "1e+21" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ (double)NAN, "null" },
		{ (double)INFINITY, "null" },
		{ -(double)INFINITY, "null" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&f->out);
		json_writer_init(&f->writer, &f->out);
		json_number(&f->writer, cases[i].value);
		assert_string_equal(buf_text(&f->out), cases[i].json);
	}
}

static void test_number_heeds_no_locale(void **state)
{
	struct fixture *f = *state;
	if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL)
		print_message("no locale with a decimal comma is installed here\n");
	json_number(&f->writer, 0.5);
	setlocale(LC_ALL, "C");
	assert_string_equal(buf_text(&f->out), "0.5");
}

static void test_tree_comes_out_as_it_went_in(void **state)
{
	struct fixture *f = *state;
	static const char *const cases[] = {
		"null",
		"true",
		"false",
		"-1.50e+03",
		"123456789012345678901234567890",
		"\"a\\u0000b\\\"\"",
		"[]",
		"{}",
		"{\"a\":[1,{\"b\\u0000\":\"x\"},null],\"a\":2,\"\":{}}",
	};
	struct arena *arena = arena_new(100000);
	const struct json *root;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(json_parse(arena, cases[i], strlen(cases[i]), 1000, &root, NULL), 0);
		buf_reset(&f->out);
		json_writer_init(&f->writer, &f->out);
		json_value(&f->writer, root);
		assert_string_equal(buf_text(&f->out), cases[i]);
	}
	arena_free(arena);
}

static void test_value_within(void **state)
{
	struct fixture *f = *state;
	struct arena *arena = arena_new(100000);
	const struct json *root;

	assert_int_equal(json_parse(arena, "[1,2]", 5, 1000, &root, NULL), 0);
	json_begin_object(&f->writer);
	json_key(&f->writer, "a");
	json_value(&f->writer, root);
	json_key(&f->writer, "b");
	json_value(&f->writer, root->child);
	json_end_object(&f->writer);
	assert_string_equal(buf_text(&f->out), "{\"a\":[1,2],\"b\":1}");
	arena_free(arena);
}

static void test_depth(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 128; i++)
		json_begin_array(&f->writer);
	assert_false(f->out.failed);
	json_null(&f->writer);
	json_null(&f->writer);
	for (size_t i = 0; i < 128; i++) {
		json_end_array(&f->writer);
		if (i < 127)
			json_null(&f->writer);
	}
	assert_int_equal(f->writer.depth, 0);
	assert_non_null(strstr(buf_text(&f->out), "[[null,null],null],null]"));

	buf_reset(&f->out);
	json_writer_init(&f->writer, &f->out);
	for (size_t i = 0; i < 129; i++)
		json_begin_object(&f->writer);
	json_null(&f->writer);
	for (size_t i = 0; i < 129; i++)
		json_end_object(&f->writer);
	assert_true(f->out.failed);
	assert_int_equal(f->writer.depth, 0);
}

static void test_failure_sticks(void **state)
{
	(void)state;
	struct error err;
	struct buf out = BUF_INIT(10);
	struct json_writer writer;

	json_writer_init(&writer, &out);
	json_string(&writer, "longer than ten bytes");
	json_string(&writer, "x");
	assert_int_equal(buf_check(&out, "the answer", &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	assert_true(out.len <= 10);
	buf_free(&out);

	struct buf none = BUF_INIT(1000);
	json_writer_init(&writer, &none);
	fail_alloc_after(0);
	json_begin_object(&writer);
	json_member_string(&writer, "a", "b");
	json_end_object(&writer);
	assert_true(fail_alloc_off());
	assert_true(none.failed);
	buf_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_structure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_number_heeds_no_locale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree_comes_out_as_it_went_in, setup, teardown),
		cmocka_unit_test_setup_teardown(test_value_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
		cmocka_unit_test(test_failure_sticks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
