/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/builder/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_in_order_and_ended(void **state)
{
	struct builder_command command = { .name = "x" };

	(void)state;
	builder_command_add(&command, "a");
	builder_command_add(&command, "b");
	assert_int_equal(command.count, 2);
	assert_string_equal(command.argv[0], "a");
	assert_string_equal(command.argv[1], "b");
	assert_null(command.argv[2]);
}

static void test_full(void **state)
{
	struct builder_command command = { .name = "x" };

	(void)state;
	for (size_t i = 0; i < 2 * (size_t)BUILDER_MAX_ARGS; i++)
		builder_command_add(&command, "a");
	assert_int_equal(command.count, BUILDER_MAX_ARGS - 1);
	assert_null(command.argv[BUILDER_MAX_ARGS - 1]);
	assert_string_equal(command.name, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_and_ended),
		cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
