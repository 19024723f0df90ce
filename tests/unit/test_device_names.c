/* SPDX-License-Identifier: Apache-2.0 */
/* Device names: which count as taken, which comes next, and that there are as many as any type takes. */
#include "cpi/methods/device_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *next(const struct device_names *names, bool more, char name[DEVICE_NAME_SIZE])
{
	return device_names_next(names, more, name) ? name : "none";
}

static void take_up_to(struct device_names *names, const char *last)
{
	char name[DEVICE_NAME_SIZE];

	while (device_names_next(names, true, name)) {
		device_names_take(names, name);
		if (strcmp(name, last) == 0)
			return;
	}
	fail_msg("%s never came", last);
}

static void test_what_the_instance_has(void **state)
{
	static const struct instance_mapping mappings[] = {
		{ .device_name = "/dev/sda1" }, { .device_name = "/dev/sdf" }, { .device_name = "xvdg" },
		{ .device_name = "/dev/xvdh1" }, { .device_name = "/dev/nvme0n1" }, { .device_name = "" },
	};
	const struct instance instance = { .mappings = mappings, .n_mappings = sizeof(mappings) / sizeof(mappings[0]) };
	struct device_names names;
	char name[DEVICE_NAME_SIZE];

	(void)state;
	device_names_of(&instance, &names);
	assert_string_equal(next(&names, false, name), "/dev/sdi");
}

static void test_two_letters_are_not_one(void **state)
{
	struct device_names names = { 0 };
	char name[DEVICE_NAME_SIZE];

	(void)state;
	device_names_take(&names, "/dev/xvdfa");
	assert_string_equal(next(&names, false, name), "/dev/sdf");
	take_up_to(&names, "/dev/sdp");
	device_names_take(&names, "/dev/xvdba");
	assert_string_equal(next(&names, true, name), "/dev/xvdbb");
}

static void test_other_names_are_left_alone(void **state)
{
	static const char *const others[] = { "", "/dev/", "/dev/sd", "/dev/xvd", "/dev/sd1", "/dev/hdf", "sdF", "/dev/nvme1n1" };
	struct device_names names = { 0 };
	const struct device_names none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		device_names_take(&names, others[i]);
	assert_memory_equal(&names, &none, sizeof(names));
}

static void test_order(void **state)
{
	static const char *const steps[][2] = {
		{ "/dev/sdp", "/dev/xvdba" },  { "/dev/xvdbz", "/dev/xvdca" }, { "/dev/xvdcz", "/dev/xvdda" },
		{ "/dev/xvddx", "/dev/xvdaa" }, { "/dev/xvdaz", "/dev/sdq" },	 { "/dev/sdz", "/dev/sdc" },
		{ "/dev/sde", "none" },
	};
	struct device_names names = { 0 };
	char name[DEVICE_NAME_SIZE];

	(void)state;
	assert_string_equal(next(&names, true, name), "/dev/sdf");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		take_up_to(&names, steps[i][0]);
		assert_string_equal(next(&names, true, name), steps[i][1]);
		assert_string_equal(next(&names, false, name), "none");
	}
}

/* With root and ephemeral disk the 128 that the largest types take. */
static void test_how_many(void **state)
{
	struct device_names names = { 0 };
	char name[DEVICE_NAME_SIZE];
	unsigned few = 0, many = 0;

	(void)state;
	for (; device_names_next(&names, false, name); few++)
		device_names_take(&names, name);
	for (many = few; device_names_next(&names, true, name); many++)
		device_names_take(&names, name);
	assert_int_equal(few, 11);
	assert_int_equal(many, 126);
}

static void test_lost_races(void **state)
{
	static const struct {
		struct error error;
		bool lost;
	} cases[] = {
		{ { ERROR_AWS, .aws_code = "InvalidParameterValue", .message = "Attachment point /dev/sdf is already in use" }, true },
		{ { ERROR_AWS, .aws_code = "InvalidParameterValue", .message = "Value (x) for parameter device is invalid" }, false },
		{ { ERROR_AWS, .aws_code = "VolumeInUse", .message = "vol-1 is already in use" }, false },
		{ { ERROR_CLOUD, .message = "is already in use" }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(device_names_lost(&cases[i].error), cases[i].lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_instance_has), cmocka_unit_test(test_two_letters_are_not_one),
		cmocka_unit_test(test_other_names_are_left_alone), cmocka_unit_test(test_order),
		cmocka_unit_test(test_how_many), cmocka_unit_test(test_lost_races),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
