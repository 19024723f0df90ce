/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of volume types: rounding, each type's least and most, and what is left to EC2. */
#include "cpi/methods/disk_types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TIB 1024

static void test_rounding(void **state)
{
	(void)state;
	assert_int_equal(disk_types_gib(1), 1);
	assert_int_equal(disk_types_gib(512), 1);
	assert_int_equal(disk_types_gib(1024), 1);
	assert_int_equal(disk_types_gib(1025), 2);
	assert_int_equal(disk_types_gib(INT64_MAX), (uint64_t)1 << 53);
}

static void test_limits(void **state)
{
	static const struct {
		const char *type;
		uint64_t least, most;
	} cases[] = {
		{ "gp3", 1, 64 * TIB },	  { "gp2", 1, 16 * TIB },   { "io1", 4, 16 * TIB },    { "io2", 4, 64 * TIB },
		{ "st1", 125, 16 * TIB }, { "sc1", 125, 16 * TIB }, { "standard", 1, 1 * TIB },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { 0 };
		assert_int_equal(disk_types_check(cases[i].type, cases[i].least, &err), 0);
		assert_int_equal(disk_types_check(cases[i].type, cases[i].most, &err), 0);
		assert_int_equal(disk_types_check(cases[i].type, cases[i].least - 1, &err), -1);
		assert_int_equal(disk_types_check(cases[i].type, cases[i].most + 1, &err), -1);
		assert_int_equal(err.kind, ERROR_CLOUD);
		assert_non_null(strstr(err.message, cases[i].type));
	}
}

static void test_what_is_not_known(void **state)
{
	(void)state;
	assert_int_equal(disk_types_check("gp9", 1000 * TIB, NULL), 0);
	assert_true(disk_types_can_change("gp9"));
}

static void test_magnetic(void **state)
{
	(void)state;
	assert_false(disk_types_can_change("standard"));
	assert_true(disk_types_can_change("gp3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounding), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_what_is_not_known), cmocka_unit_test(test_magnetic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
