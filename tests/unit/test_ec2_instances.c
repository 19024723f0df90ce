/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeInstances: instances out of their reservations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/instances.h"
#include "cpi/ec2/tags.h"
#include "tests/unit/fake_aws.h"

#define INSTANCE(id)                                                                                                   \
	"<item><instanceId>" id                                                                                        \
	"</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name>"                      \
	"</instanceState><instanceType>m5.large</instanceType><placement><availabilityZone>us-east-1a</"               \
	"availabilityZone>"                                                                                            \
	"</placement><architecture>x86_64</architecture><blockDeviceMapping><item><deviceName>/dev/xvda</"             \
	"deviceName><ebs>"                                                                                             \
	"<volumeId>vol-1</volumeId><status>attached</status><deleteOnTermination>true</deleteOnTermination></ebs></"   \
	"item>"                                                                                                        \
	"</blockDeviceMapping><tagSet><item><key>Name</key><value>n</value></item></tagSet></item>"
#define RESERVATION(items)                                                                                             \
	"<item><reservationId>r-1</reservationId><groupSet/><instancesSet>" items "</instancesSet></item>"
#define LIST(items) "<DescribeInstancesResponse><requestId>x</requestId><reservationSet>" items \
		    "</reservationSet></DescribeInstancesResponse>"

static void test_describe(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const ids[] = { "i-1", "i-2", "i-3" };
	struct fake_aws fake;
	struct instance *instances;
	size_t count;

	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .action = "DescribeInstances", .body =
		LIST(RESERVATION(INSTANCE("i-1") INSTANCE("i-2")) RESERVATION("") RESERVATION(INSTANCE("i-3"))) });
	assert_int_equal(instance_describe(&fake.ec2, arena, (struct ec2_ids){ ids, 3 },
					   (struct ec2_filters){ NULL, 0 }, &instances, &count, NULL),
			 0);
	assert_string_equal(fake.bodies[0],
			    "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1&InstanceId.2=i-2"
			    "&InstanceId.3=i-3");
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct instance *instance = &instances[i];
		assert_string_equal(instance->id, ids[i]);
		assert_string_equal(instance->state, "running");
		assert_string_equal(instance->type, "m5.large");
		assert_string_equal(instance->image_id, "ami-1");
		assert_string_equal(instance->availability_zone, "us-east-1a");
		assert_string_equal(instance->architecture, "x86_64");
		assert_int_equal(instance->n_mappings, 1);
		assert_string_equal(instance->mappings[0].device_name, "/dev/xvda");
		assert_string_equal(instance->mappings[0].volume_id, "vol-1");
		assert_string_equal(instance->mappings[0].status, "attached");
		assert_true(instance->mappings[0].delete_on_termination);
		assert_string_equal(tags_get(instance->tags, "Name"), "n");
	}
	fake_aws_close(&fake);
}

static void test_what_is_missing(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const values[] = { "n" };
	const struct ec2_filter filter = { "tag:Name", values, 1 };
	struct fake_aws fake;
	struct instance *instances;
	size_t count;
	struct error err;

	fake_aws_open(&fake);
	/* fields that EC2 leaves out read as "" */
	fake_aws_script(&fake,
			(struct fake_answer){ .body = LIST(RESERVATION("<item><instanceId>i-1</instanceId></item>")) });
	assert_int_equal(instance_describe(&fake.ec2, arena, (struct ec2_ids){ NULL, 0 },
					   (struct ec2_filters){ &filter, 1 }, &instances, &count, NULL),
			 0);
	assert_true(fake_aws_sent(&fake, 0, "MaxResults=1000"));
	assert_int_equal(count, 1);
	assert_string_equal(instances[0].state, "");
	assert_string_equal(instances[0].availability_zone, "");
	assert_int_equal(instances[0].n_mappings, 0);

	fake_aws_script(&fake, (struct fake_answer){ .status = 400,
						     .body = fake_aws_error("InvalidInstanceID.NotFound", "no") });
	assert_int_equal(instance_describe(&fake.ec2, arena, (struct ec2_ids){ values, 1 },
					   (struct ec2_filters){ NULL, 0 }, &instances, &count, &err),
			 -1);
	assert_true(ec2_is_not_found(&err));
	fake_aws_script(&fake, (struct fake_answer){ .body = LIST(RESERVATION("<item/>")) });
	assert_int_equal(instance_describe(&fake.ec2, arena, (struct ec2_ids){ NULL, 0 },
					   (struct ec2_filters){ NULL, 0 }, &instances, &count, &err),
			 -1);
	assert_false(ec2_is_not_found(&err));
	assert_non_null(strstr(err.message, "instanceId"));
	fake_aws_close(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_what_is_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
