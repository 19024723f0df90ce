/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeAvailabilityZones: which zones count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/zones.h"
#include "tests/unit/fake_ec2.h"

#define ZONE(name, state, more)                                                                                        \
	"<item><zoneName>" name "</zoneName><zoneState>" state "</zoneState><regionName>eu-west-1</regionName>" more     \
	"</item>"
#define TYPE(type) "<zoneType>" type "</zoneType>"
#define LIST(items) "<DescribeAvailabilityZonesResponse><availabilityZoneInfo>" items \
		    "</availabilityZoneInfo></DescribeAvailabilityZonesResponse>"

static void test_zones(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct ec2_ids names;

	fake_ec2_say(fake, "DescribeAvailabilityZones",
		     LIST(ZONE("eu-west-1c", "available", TYPE("availability-zone"))
			  ZONE("eu-west-1a", "impaired", TYPE("availability-zone"))
			  ZONE("eu-west-1-lhr-1a", "available", TYPE("local-zone"))
			  ZONE("eu-west-1-wl1-lhr-wlz-1", "available", TYPE("wavelength-zone"))
			  ZONE("eu-west-1b", "available", "")));
	assert_int_equal(zone_describe(&fake->ec2, arena, &names, NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=DescribeAvailabilityZones&Version=2016-11-15");
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "eu-west-1c");
	assert_string_equal(names.items[1], "eu-west-1b");

	fake_ec2_say(fake, "DescribeAvailabilityZones", LIST(""));
	assert_int_equal(zone_describe(&fake->ec2, arena, &names, NULL), 0);
	assert_int_equal(names.count, 0);
}

static void test_failures(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct ec2_ids names = { NULL, 7 };
	struct error err;

	fake_ec2_refuse(fake, "DescribeAvailabilityZones", "UnauthorizedOperation");
	assert_int_equal(zone_describe(&fake->ec2, arena, &names, &err), -1);
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
	fake_ec2_say(fake, "DescribeAvailabilityZones", LIST("<item><zoneState>available</zoneState></item>"));
	assert_int_equal(zone_describe(&fake->ec2, arena, &names, &err), -1);
	assert_non_null(strstr(err.message, "zoneName"));
	assert_int_equal(names.count, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_zones),
		FAKE_EC2_TEST(test_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
