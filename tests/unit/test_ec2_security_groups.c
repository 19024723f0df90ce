/* SPDX-License-Identifier: Apache-2.0 */
/* Security groups by name and by id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/security_groups.h"
#include "tests/unit/fake_ec2.h"

#define ITEM(id, name)                                                                                                 \
	"<item><ownerId>1</ownerId><groupId>" id "</groupId><groupName>" name "</groupName>"                           \
	"<groupDescription>d</groupDescription><vpcId>vpc-1</vpcId><ipPermissions><item><ipProtocol>tcp</ipProtocol>"  \
	"<groups><item><groupId>sg-inner</groupId></item></groups></item></ipPermissions></item>"
#define LIST(items, end)                                                                                               \
	"<DescribeSecurityGroupsResponse" FAKE_EC2_START "<securityGroupInfo>" items "</securityGroupInfo>" end        \
	"</DescribeSecurityGroupsResponse>"

static void test_by_name(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const names[] = { "bosh", "web server" };
	const struct ec2_filter filter = { "group-name", names, 2 };
	struct security_group *groups;
	size_t count;

	fake_ec2_say(fake, "DescribeSecurityGroups", LIST(ITEM("sg-1", "bosh"), "<nextToken>more</nextToken>"));
	fake_ec2_say(fake, "DescribeSecurityGroups", LIST(ITEM("sg-2", "web server"), ""));
	assert_int_equal(security_group_describe(&fake->ec2, arena, FAKE_NO_IDS, (struct ec2_filters){ &filter, 1 },
						 &groups, &count, NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=DescribeSecurityGroups&Version=2016-11-15&Filter.1.Name=group-name"
					     "&Filter.1.Value.1=bosh&Filter.1.Value.2=web%20server&MaxResults=1000");
	assert_true(fake_aws_sent(fake, 1, "NextToken=more"));
	assert_int_equal(count, 2);
	assert_string_equal(groups[0].id, "sg-1");
	assert_string_equal(groups[0].name, "bosh");
	assert_string_equal(groups[0].vpc_id, "vpc-1");
	assert_string_equal(groups[1].name, "web server");
}

static void test_by_id(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const id = "sg-1";
	struct security_group *groups;
	size_t count;
	struct error err;

	fake_ec2_refuse(fake, "DescribeSecurityGroups", "InvalidGroup.NotFound");
	assert_int_equal(security_group_describe(&fake->ec2, arena, (struct ec2_ids){ &id, 1 }, FAKE_NO_FILTERS, &groups,
						 &count, &err), -1);
	assert_string_equal(err.aws_code, "InvalidGroup.NotFound");
	assert_string_equal(fake->bodies[0], "Action=DescribeSecurityGroups&Version=2016-11-15&GroupId.1=sg-1");
	fake_ec2_say(fake, "DescribeSecurityGroups", LIST("<item><groupName>g</groupName></item>", ""));
	assert_int_equal(security_group_describe(&fake->ec2, arena, (struct ec2_ids){ &id, 1 }, FAKE_NO_FILTERS, &groups,
						 &count, &err), -1);
	assert_non_null(strstr(err.message, "lacks groupId"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_by_name),
		FAKE_EC2_TEST(test_by_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
