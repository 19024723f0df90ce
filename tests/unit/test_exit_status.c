/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of errors to exit statuses: scripts rest on them. Real runs are the integration tests'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "onhost/exit_status.h"

static void test_kinds(void **state)
{
	(void)state;
	assert_int_equal(exit_status_of(ERROR_INVALID_CALL, 0), 2);
	assert_int_equal(exit_status_of(ERROR_IMAGE, 0), 3);
	assert_int_equal(exit_status_of(ERROR_DEVICE_REFUSED, 0), 4);
	assert_int_equal(exit_status_of(ERROR_NO_DEVICE, 0), 5);
	assert_int_equal(exit_status_of(ERROR_IO, 0), 6);
	assert_int_equal(exit_status_of(ERROR_METADATA, 0), 7);
	assert_int_equal(exit_status_of(ERROR_PROTOCOL, 0), 8);
	assert_int_equal(exit_status_of(ERROR_SANDBOX, 0), 9);
	assert_int_equal(exit_status_of(ERROR_NOMEM, 0), 10);
	assert_int_equal(exit_status_of(ERROR_CANCELLED, SIGINT), 130);
	/* a failure is never 0 */
	assert_int_equal(exit_status_of(ERROR_NONE, 0), 1);
	assert_int_equal(exit_status_of(ERROR_INTERNAL, 0), 1);
	assert_int_equal(exit_status_of(ERROR_TIMEOUT, 0), 1);
}

static void test_list(void **state)
{
	char text[2048] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(file);
	exit_status_print(file);
	assert_int_equal(fclose(file), 0);
	assert_non_null(strstr(text, "\n    0  Done\n"));
	assert_non_null(strstr(text, "\n   10  Out of memory\n"));
	assert_non_null(strstr(text, "\n  128 and more  Stopped by a signal: 128 and its number\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
