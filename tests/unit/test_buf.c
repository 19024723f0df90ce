/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded buffer: growth, the maximum, failures that stick, and no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "tests/unit/fail_alloc.h"

static void test_appends(void **state)
{
	(void)state;
	struct buf buf CLEANUP_BUF = BUF_INIT(1000);

	assert_string_equal(buf_text(&buf), "");
	buf_str(&buf, "abc");
	buf_char(&buf, '-');
	buf_append(&buf, "d\0e", 3);
	buf_append(&buf, NULL, 0);
	buf_printf(&buf, "%d%s", 42, "!");
	assert_int_equal(buf.len, 10);
	assert_memory_equal(buf.data, "abc-d\0e42!", 11);
	assert_int_equal(buf_check(&buf, "it", NULL), 0);
}

static void test_grows_to_the_maximum_and_no_further(void **state)
{
	(void)state;
	struct buf buf CLEANUP_BUF = BUF_INIT(5000);
	struct error err;

	for (unsigned i = 0; i < 5000; i++)
		buf_char(&buf, (char)('a' + i % 26));
	assert_int_equal(buf.len, 5000);
	assert_int_equal(buf_check(&buf, "it", &err), 0);
	assert_int_equal(buf.data[5000], '\0');
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(buf.data[i], 'a' + i % 26);
	buf_char(&buf, 'x');
	assert_int_equal(buf.len, 5000);
	assert_int_equal(buf_check(&buf, "the answer", &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	assert_non_null(strstr(err.message, "the answer"));
	assert_non_null(strstr(err.message, "5000"));
}

static void test_failure_sticks(void **state)
{
	(void)state;
	struct buf buf CLEANUP_BUF = BUF_INIT(4);

	buf_str(&buf, "abc");
	buf_str(&buf, "de");
	assert_true(buf.failed);
	buf_char(&buf, 'd');
	buf_printf(&buf, "%d", 1);
	assert_null(buf_reserve(&buf, 0));
	assert_string_equal(buf_text(&buf), "abc");
	buf_reset(&buf);
	assert_false(buf.failed);
	assert_string_equal(buf_text(&buf), "");
	buf_printf(&buf, "%s", "abcd");
	assert_string_equal(buf_text(&buf), "abcd");
	buf_printf(&buf, "%s", "e");
	assert_true(buf.failed);
	assert_string_equal(buf_text(&buf), "abcd");
}

static void test_sizes_that_cannot_be(void **state)
{
	(void)state;
	struct buf buf CLEANUP_BUF = BUF_INIT(100);
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_true(buf.failed);
	buf_reset(&buf);
	buf_char(&buf, 'x');
	assert_null(buf_reserve(&buf, SIZE_MAX));

	struct buf endless CLEANUP_BUF = BUF_INIT(SIZE_MAX);
	assert_null(buf_reserve(&endless, 1));
}

static void test_reserve(void **state)
{
	(void)state;
	struct buf buf CLEANUP_BUF = BUF_INIT(100);

	char *to = buf_reserve(&buf, 10);
	assert_non_null(to);
	memcpy(to, "abcdefghij", 10);
	buf_commit(&buf, 4);
	assert_string_equal(buf_text(&buf), "abcd");
	to = buf_reserve(&buf, 96);
	assert_ptr_equal(to, buf.data + 4);
	buf_commit(&buf, 0);
	assert_null(buf_reserve(&buf, 97));
}

static void test_empty_maximum(void **state)
{
	(void)state;
	struct buf buf CLEANUP_BUF = BUF_INIT(0);
	buf_str(&buf, "");
	assert_false(buf.failed);
	buf_char(&buf, 'x');
	assert_true(buf.failed);
}

static void test_no_memory(void **state)
{
	(void)state;
	struct buf buf CLEANUP_BUF = BUF_INIT(100000);

	fail_alloc_after(0);
	buf_str(&buf, "abc");
	fail_alloc_off();
	assert_true(buf.failed);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf_check(&buf, "it", NULL), -1);
	buf_reset(&buf);
	buf_str(&buf, "abc");
	fail_alloc_after(0);
	buf_printf(&buf, "%5000s", "x");
	fail_alloc_off();
	assert_true(buf.failed);
	assert_string_equal(buf_text(&buf), "abc");
}

static void test_free_twice(void **state)
{
	(void)state;
	struct buf buf = BUF_INIT(100);
	buf_str(&buf, "abc");
	buf_free(&buf);
	buf_free(&buf);
	assert_string_equal(buf_text(&buf), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_grows_to_the_maximum_and_no_further),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_sizes_that_cannot_be),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_empty_maximum),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_free_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
