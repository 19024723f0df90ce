/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeInstanceTypes: a type with instance storage, one of the Xen days, a metal one; pages; unknown names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/instance_types.h"
#include "tests/unit/fake_ec2.h"

#define NITRO                                                                                                          \
	"<item><instanceType>m6id.24xlarge</instanceType><bareMetal>false</bareMetal><hypervisor>nitro</hypervisor>"   \
	"<processorInfo><supportedArchitectures><item>x86_64</item></supportedArchitectures></processorInfo>"          \
	"<instanceStorageSupported>true</instanceStorageSupported><instanceStorageInfo><totalSizeInGB>5700</"          \
	"totalSizeInGB><disks><item><sizeInGB>1425</sizeInGB><count>4</count><type>ssd</type></item></disks>"          \
	"<nvmeSupport>required</nvmeSupport></instanceStorageInfo><ebsInfo><nvmeSupport>required</nvmeSupport>"        \
	"<maximumEbsAttachments>28</maximumEbsAttachments><attachmentLimitType>shared</attachmentLimitType></ebsInfo>" \
	"<networkInfo><maximumNetworkInterfaces>15</maximumNetworkInterfaces></networkInfo></item>"
#define XEN                                                                                                            \
	"<item><instanceType>m3.medium</instanceType><bareMetal>false</bareMetal><hypervisor>xen</hypervisor>"         \
	"<processorInfo><supportedArchitectures><item>i386</item><item>x86_64</item></supportedArchitectures>"         \
	"</processorInfo><instanceStorageInfo><disks><item><sizeInGB>4</sizeInGB><count>1</count></item></disks>"      \
	"<nvmeSupport>unsupported</nvmeSupport></instanceStorageInfo><ebsInfo><nvmeSupport>unsupported</nvmeSupport>"  \
	"</ebsInfo><networkInfo><maximumNetworkInterfaces>2</maximumNetworkInterfaces></networkInfo></item>"
#define METAL                                                                                                          \
	"<item><instanceType>c7g.metal</instanceType><bareMetal>true</bareMetal>"                                      \
	"<processorInfo><supportedArchitectures><item>arm64</item></supportedArchitectures></processorInfo>"           \
	"<instanceStorageSupported>false</instanceStorageSupported><ebsInfo><nvmeSupport>required</nvmeSupport>"       \
	"<maximumEbsAttachments>31</maximumEbsAttachments><attachmentLimitType>dedicated</attachmentLimitType>"        \
	"</ebsInfo></item>"
#define X "<item><instanceType>x</instanceType>"
#define LIST(items, more) "<DescribeInstanceTypesResponse><instanceTypeSet>" items "</instanceTypeSet>" more \
			  "</DescribeInstanceTypesResponse>"

static void test_types(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const names[] = { "m6id.24xlarge", "m3.medium", "c7g.metal" };
	struct instance_type *types;
	size_t count;

	fake_ec2_say(fake, "DescribeInstanceTypes", LIST(NITRO XEN METAL, ""));
	assert_int_equal(instance_type_describe(&fake->ec2, arena, (struct ec2_ids){ names, 3 }, &types, &count, NULL), 0);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeInstanceTypes&Version=2016-11-15&InstanceType.1=m6id.24xlarge"
			    "&InstanceType.2=m3.medium&InstanceType.3=c7g.metal");
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(types[i].name, names[i]);

	const struct instance_type *nitro = &types[0];
	assert_string_equal(nitro->hypervisor, "nitro");
	assert_false(nitro->bare_metal);
	assert_string_equal(nitro->ebs_nvme, "required");
	assert_string_equal(nitro->storage_nvme, "required");
	assert_int_equal(nitro->storage_disks, 4);
	assert_int_equal(nitro->storage_disk_gb, 1425);
	assert_int_equal(nitro->n_architectures, 1);
	assert_string_equal(nitro->architectures[0], "x86_64");
	assert_int_equal(nitro->max_ebs_attachments, 28);
	assert_true(nitro->attachments_are_shared);
	assert_int_equal(nitro->max_interfaces, 15);

	const struct instance_type *xen = &types[1];
	assert_string_equal(xen->hypervisor, "xen");
	assert_string_equal(xen->ebs_nvme, "unsupported");
	assert_int_equal(xen->storage_disks, 1);
	assert_int_equal(xen->storage_disk_gb, 4);
	assert_int_equal(xen->n_architectures, 2);
	assert_string_equal(xen->architectures[1], "x86_64");
	assert_int_equal(xen->max_ebs_attachments, 0);
	assert_false(xen->attachments_are_shared);

	const struct instance_type *metal = &types[2];
	assert_true(metal->bare_metal);
	assert_string_equal(metal->hypervisor, "");
	assert_string_equal(metal->storage_nvme, "");
	assert_int_equal(metal->storage_disks, 0);
	assert_int_equal(metal->storage_disk_gb, 0);
	assert_string_equal(metal->architectures[0], "arm64");
	assert_false(metal->attachments_are_shared);
	assert_int_equal(metal->max_interfaces, 0);
}

static void test_pages(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct instance_type *types;
	size_t count;

	fake_ec2_say(fake, "DescribeInstanceTypes", LIST(NITRO, "<nextToken>more</nextToken>"));
	fake_ec2_say(fake, "DescribeInstanceTypes", LIST(XEN, ""));
	assert_int_equal(instance_type_describe(&fake->ec2, arena, FAKE_NO_IDS, &types, &count, NULL), 0);
	assert_true(fake_aws_sent(fake, 0, "MaxResults=100")); /* EC2 takes no more */
	assert_true(fake_aws_sent(fake, 1, "NextToken=more"));
	assert_int_equal(count, 2);
	assert_string_equal(types[0].architectures[0], "x86_64");
	assert_string_equal(types[1].name, "m3.medium");
}

static void test_failures(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const names[] = { "m9.huge" };
	static const char *const odd[] = {
		LIST("<item><hypervisor>nitro</hypervisor></item>", ""),
		LIST(X "<instanceStorageInfo><disks><item><count>two</count></item></disks></instanceStorageInfo></item>", ""),
		LIST(X "<ebsInfo><maximumEbsAttachments>-1</maximumEbsAttachments></ebsInfo></item>", ""),
		LIST(X "<networkInfo><maximumNetworkInterfaces>x</maximumNetworkInterfaces></networkInfo></item>", ""),
	};
	struct instance_type *types;
	size_t count = 7;
	struct error err;

	fake_ec2_refuse(fake, "DescribeInstanceTypes", "InvalidInstanceType");
	assert_int_equal(instance_type_describe(&fake->ec2, arena, (struct ec2_ids){ names, 1 }, &types, &count, &err), -1);
	assert_string_equal(err.aws_code, "InvalidInstanceType");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		fake_ec2_say(fake, "DescribeInstanceTypes", odd[i]);
		assert_int_equal(instance_type_describe(&fake->ec2, arena, FAKE_NO_IDS, &types, &count, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
	}
	assert_int_equal(count, 7);
}

/* The arena gives out at some point within the answer's fields: an error, and no half-read type. */
static void test_no_memory(void **state)
{
	struct fake_aws *fake = *state;
	struct instance_type *types = NULL;
	size_t count = 7;
	size_t failures = 0;
	struct error err;

	for (size_t room = 16; room < 2000; room += 16) {
		struct arena *arena CLEANUP_ARENA = arena_new(room);
		fake_ec2_say(fake, "DescribeInstanceTypes", LIST(NITRO, ""));
		if (instance_type_describe(&fake->ec2, arena, FAKE_NO_IDS, &types, &count, &err) == 0) {
			assert_string_equal(types[0].architectures[0], "x86_64");
			break;
		}
		assert_int_equal(err.kind, ERROR_NOMEM);
		assert_int_equal(count, 7);
		failures++;
	}
	assert_int_equal(count, 1);
	assert_true(failures > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_types),
		FAKE_EC2_TEST(test_pages),
		FAKE_EC2_TEST(test_failures),
		FAKE_EC2_TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
