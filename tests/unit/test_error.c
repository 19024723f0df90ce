/* SPDX-License-Identifier: Apache-2.0 */
/* The error type: filling, context in front, cutting, and the names of kinds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/error.h"
#include "common/utf8.h"

static void test_set(void **state)
{
	(void)state;
	struct error err = { .retryable = true, .http_status = 500, .aws_code = "Old" };

	assert_int_equal(error_set(&err, ERROR_CONFIG, "%s is %d", "it", 7), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_string_equal(err.message, "it is 7");
	/* nothing of an earlier error is left */
	assert_false(err.retryable);
	assert_int_equal(err.http_status, 0);
	assert_string_equal(err.aws_code, "");
}

static void test_null_is_taken(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ERROR_IO, "x"), -1);
	assert_int_equal(error_errno(NULL, ERROR_IO, ENOENT, "x"), -1);
	assert_int_equal(error_prefix(NULL, "x"), -1);
	assert_int_equal(error_nomem(NULL), -1);
}

static void test_errno(void **state)
{
	(void)state;
	struct error err;
	assert_int_equal(error_errno(&err, ERROR_IO, ENOENT, "cannot open %s", "/x"), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_string_equal(err.message, "cannot open /x: No such file or directory");
	error_nomem(&err);
	assert_int_equal(err.kind, ERROR_NOMEM);
}

static void test_prefix(void **state)
{
	(void)state;
	struct error err;
	error_set(&err, ERROR_AWS, "no such volume");
	err.retryable = true;
	err.http_status = 400;
	memcpy(err.aws_code, "Code", 5);
	assert_int_equal(error_prefix(&err, "attaching %s", "vol-1"), -1);
	assert_string_equal(err.message, "attaching vol-1: no such volume");
	assert_int_equal(error_prefix(&err, "create_stemcell"), -1);
	assert_string_equal(err.message, "create_stemcell: attaching vol-1: no such volume");
	assert_int_equal(err.kind, ERROR_AWS);
	assert_true(err.retryable);
	assert_int_equal(err.http_status, 400);
	assert_string_equal(err.aws_code, "Code");
}

static void assert_is_utf8(const char *text)
{
	size_t len = strlen(text);
	for (size_t at = 0; at < len;) {
		size_t bytes = utf8_length(text + at, len - at);
		assert_true(bytes > 0);
		at += bytes;
	}
}

static void assert_was_cut(const struct error *err)
{
	static const char end[] = "…";
	size_t len = strlen(err->message);
	assert_true(len < sizeof(err->message));
	assert_true(len > sizeof(err->message) - 10);
	assert_string_equal(err->message + len - strlen(end), end);
	assert_is_utf8(err->message);
}

/* Characters of one to four bytes, so that the cut falls inside them at every place. */
static void test_too_long_is_cut(void **state)
{
	(void)state;
	static const char *const fillers[] = { "x", "é", "€", "😀" };
	char text[5000];
	struct error err;

	for (size_t i = 0; i < 4; i++) {
		for (size_t shift = 0; shift < 5; shift++) {
			size_t len = shift;
			memset(text, '.', shift);
			while (len + strlen(fillers[i]) < sizeof(text)) {
				memcpy(text + len, fillers[i], strlen(fillers[i]));
				len += strlen(fillers[i]);
			}
			text[len] = '\0';
			error_set(&err, ERROR_IO, "%s", text);
			assert_was_cut(&err);
			error_errno(&err, ERROR_IO, ENOENT, "%s", text);
			assert_was_cut(&err);
			error_set(&err, ERROR_IO, "short");
			error_prefix(&err, "%s", text);
			assert_was_cut(&err);
			error_set(&err, ERROR_IO, "%.2000s", text);
			error_prefix(&err, "%.100s", "a prefix that is too much for the rest");
			assert_true(strlen(err.message) < sizeof(err.message));
		}
	}
}

static void test_exactly_full(void **state)
{
	(void)state;
	struct error err;
	error_set(&err, ERROR_IO, "%*s", (int)sizeof(err.message) - 1, "x");
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_int_equal(err.message[sizeof(err.message) - 2], 'x');
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(error_kind_name(ERROR_IMAGE), "image");
	assert_string_equal(error_kind_name(ERROR_DEVICE_REFUSED), "device_refused");
	for (int kind = ERROR_NONE; kind <= ERROR_SANDBOX; kind++) {
		const char *name = error_kind_name((enum error_kind)kind);
		assert_non_null(name);
		assert_int_equal(error_kind_by_name(name), kind);
	}
	assert_string_equal(error_kind_name((enum error_kind)9999), "internal");
	assert_int_equal(error_kind_by_name("no such kind"), ERROR_INTERNAL);
	assert_int_equal(error_kind_by_name(""), ERROR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_null_is_taken),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_too_long_is_cut),
		cmocka_unit_test(test_exactly_full),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
