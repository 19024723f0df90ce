/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeRegions: names in EC2's order, and what is no list of regions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/regions.h"
#include "tests/unit/fake_ec2.h"

#define ANSWER(items) "<DescribeRegionsResponse" FAKE_EC2_START "<regionInfo>" items "</regionInfo></DescribeRegionsResponse>"
#define REGION(name)                                                                                                   \
	"<item><optInStatus>opt-in-not-required</optInStatus><regionName>" name "</regionName><regionEndpoint>ec2." name  \
	".amazonaws.com</regionEndpoint></item>"

static void test_names(void **state)
{
	struct fake_aws *fake = *state;
	CLEANUP_ARENA struct arena *arena = arena_new((size_t)1024 * 1024);
	struct ec2_ids names;
	struct error err;

	fake_ec2_say(fake, "DescribeRegions", ANSWER(REGION("eu-west-1") REGION("ap-south-1")));
	assert_int_equal(region_describe(&fake->ec2, arena, &names, &err), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "eu-west-1");
	assert_string_equal(names.items[1], "ap-south-1");
	/* those that are enabled alone, on one page */
	assert_string_equal(fake->bodies[0], "Action=DescribeRegions&Version=2016-11-15");
	fake_ec2_say(fake, "DescribeRegions", ANSWER(""));
	assert_int_equal(region_describe(&fake->ec2, arena, &names, &err), 0);
	assert_int_equal(names.count, 0);
}

static void test_trouble(void **state)
{
	struct fake_aws *fake = *state;
	CLEANUP_ARENA struct arena *arena = arena_new((size_t)1024 * 1024);
	struct ec2_ids names = { .count = 77 };
	struct error err;

	fake_ec2_refuse(fake, "DescribeRegions", "UnauthorizedOperation");
	assert_int_equal(region_describe(&fake->ec2, arena, &names, &err), -1);
	assert_true(ec2_is_denied(&err));
	fake_ec2_say(fake, "DescribeRegions", ANSWER("<item><optInStatus>x</optInStatus></item>"));
	assert_int_equal(region_describe(&fake->ec2, arena, &names, &err), -1);
	assert_non_null(strstr(err.message, "regionName"));
	assert_int_equal(names.count, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_EC2_TEST(test_names), FAKE_EC2_TEST(test_trouble) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
