/* SPDX-License-Identifier: Apache-2.0 */
/* Names of attachments: which mean the same, and which disk of Xen's can be which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "onhost/names.h"

static void test_same(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} cases[] = {
		{ "/dev/sdf", "sdf", true },	     { "/dev/sdf", "/dev/sdf", true },
		{ "/dev/sdf", "xvdf", true },	     { "/dev/xvdf", "sdf", true },
		{ "/dev/xvdf", "/dev/sdf", true },   { "/dev/xvdba", "xvdba", true },
		{ "/dev/sda1", "sda1", true },	     { "/dev/sdf", "sdg", false },
		{ "/dev/sdf", "xvdj", false },	     { "/dev/sdf", "sdf1", false },
		{ "/dev/sda1", "sda", false },	     { "/dev/sdf", "", false },
		{ "/dev/sdf", "/dev/nvme1n1", false }, { "/dev/nvme1n1", "nvme1n1", true },
		{ "/dev/sdf", "sdF", false },	     { "/dev/sdf", "/dev//dev/sdf", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(names_same(cases[i].a, cases[i].b), cases[i].same);
		assert_int_equal(names_same(cases[i].b, cases[i].a), cases[i].same);
	}
}

static void test_given(void **state)
{
	(void)state;
	assert_true(names_given("sdf"));
	assert_true(names_given("/dev/none"));
	assert_false(names_given("none"));
	assert_false(names_given(""));
	assert_false(names_given(NULL));
}

/* What fits with an unknown shift, without one, with one. */
static void test_xen(void **state)
{
	static const struct {
		const char *asked;
		const char *disk;
		bool unknown;
		bool none;
		bool four;
	} cases[] = {
		{ "/dev/sdf", "xvdf", true, true, false },	 { "/dev/sdf", "xvdj", true, false, true },
		{ "sdf", "xvdf", true, true, false },		 { "/dev/sdf", "sdf", true, true, true },
		{ "/dev/xvdf", "xvdf", true, true, true },	 { "/dev/xvdf", "xvdj", false, false, false },
		{ "/dev/xvdba", "xvdba", true, true, true },	 { "/dev/sdf1", "xvdf1", true, true, false },
		{ "/dev/sdf1", "xvdj1", true, false, true },	 { "/dev/sdf", "xvdg", false, false, false },
		{ "/dev/sdf", "xvdf1", false, false, false },	 { "/dev/sdf", "sdj", false, false, false },
		{ "/dev/sdf", "xvdfa", false, false, false },	 { "/dev/sdx", "xvdb", false, false, false },
		{ "/dev/sdba", "xvdfa", false, false, false },	 { "/dev/sdf", "nvme1n1", false, false, false },
		{ "/dev/nvme1n1", "xvdf", false, false, false }, { "", "xvdf", false, false, false },
		{ "/dev/sd", "xvdf", false, false, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *asked = cases[i].asked;
		const char *disk = cases[i].disk;
		assert_int_equal(names_xen_fit(asked, disk, NAMES_SHIFT_UNKNOWN), cases[i].unknown);
		assert_int_equal(names_xen_fit(asked, disk, NAMES_SHIFT_NONE), cases[i].none);
		assert_int_equal(names_xen_fit(asked, disk, NAMES_SHIFT_FOUR), cases[i].four);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_xen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
