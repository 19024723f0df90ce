/* SPDX-License-Identifier: Apache-2.0 */
/* Subnets by ids and by filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/subnets.h"
#include "tests/unit/fake_ec2.h"

#define ITEM(id, zone)                                                                                                 \
	"<item><subnetId>" id "</subnetId><subnetArn>arn:aws:ec2:eu-west-1:1:subnet/" id "</subnetArn>"                \
	"<state>available</state><vpcId>vpc-1</vpcId><cidrBlock>10.0.1.0/24</cidrBlock>"                               \
	"<ipv6CidrBlockAssociationSet/><availableIpAddressCount>251</availableIpAddressCount>"                         \
	"<availabilityZone>" zone "</availabilityZone><availabilityZoneId>euw1-az1</availabilityZoneId></item>"
#define LIST(items, end)                                                                                               \
	"<DescribeSubnetsResponse" FAKE_EC2_START "<subnetSet>" items "</subnetSet>" end "</DescribeSubnetsResponse>"

static void test_by_ids(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const ids[] = { "subnet-1", "subnet-2" };
	struct subnet *subnets;
	size_t count;
	struct error err;

	fake_ec2_say(fake, "DescribeSubnets", LIST(ITEM("subnet-1", "eu-west-1a") ITEM("subnet-2", "eu-west-1b"), ""));
	assert_int_equal(subnet_describe(&fake->ec2, arena, (struct ec2_ids){ ids, 2 }, FAKE_NO_FILTERS, &subnets, &count,
					 NULL), 0);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeSubnets&Version=2016-11-15&SubnetId.1=subnet-1&SubnetId.2=subnet-2");
	assert_int_equal(count, 2);
	assert_string_equal(subnets[0].id, "subnet-1");
	assert_string_equal(subnets[0].vpc_id, "vpc-1");
	assert_string_equal(subnets[0].availability_zone, "eu-west-1a");
	assert_string_equal(subnets[1].availability_zone, "eu-west-1b");

	/* one that is missing is the answer, at once */
	fake_ec2_refuse(fake, "DescribeSubnets", "InvalidSubnetID.NotFound");
	assert_int_equal(subnet_describe(&fake->ec2, arena, (struct ec2_ids){ ids, 2 }, FAKE_NO_FILTERS, &subnets, &count,
					 &err), -1);
	assert_true(ec2_is_not_found(&err));
	fake_ec2_say(fake, "DescribeSubnets", LIST("<item><vpcId>vpc-1</vpcId></item>", ""));
	assert_int_equal(subnet_describe(&fake->ec2, arena, (struct ec2_ids){ ids, 1 }, FAKE_NO_FILTERS, &subnets, &count,
					 &err), -1);
	assert_non_null(strstr(err.message, "lacks subnetId"));
}

static void test_by_filters(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const value = "vpc-1";
	const struct ec2_filter filter = { "vpc-id", &value, 1 };
	struct subnet *subnets;
	size_t count;

	fake_ec2_say(fake, "DescribeSubnets", LIST(ITEM("subnet-1", "a"), "<nextToken>more</nextToken>"));
	fake_ec2_say(fake, "DescribeSubnets", LIST(ITEM("subnet-2", "b"), ""));
	assert_int_equal(subnet_describe(&fake->ec2, arena, FAKE_NO_IDS, (struct ec2_filters){ &filter, 1 }, &subnets,
					 &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_string_equal(subnets[1].id, "subnet-2");
	assert_string_equal(fake->bodies[0], "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=vpc-id"
					     "&Filter.1.Value.1=vpc-1&MaxResults=1000");
	assert_true(fake_aws_sent(fake, 1, "NextToken=more"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_by_ids),
		FAKE_EC2_TEST(test_by_filters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
