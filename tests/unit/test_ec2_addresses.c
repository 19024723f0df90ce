/* SPDX-License-Identifier: Apache-2.0 */
/* Elastic IP addresses: found, and led to an interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/addresses.h"
#include "tests/unit/fake_ec2.h"

#define LIST(items)                                                                                                    \
	"<DescribeAddressesResponse" FAKE_EC2_START "<addressesSet>" items "</addressesSet></DescribeAddressesResponse>"
#define ASSOCIATED                                                                                                     \
	"<AssociateAddressResponse" FAKE_EC2_START "<return>true</return><associationId>eipassoc-1</associationId>"    \
	"</AssociateAddressResponse>"

static void test_describe(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const values[] = { "203.0.113.7", "vpc" };
	const struct ec2_filter filters[] = { { "public-ip", &values[0], 1 }, { "domain", &values[1], 1 } };
	struct address *addresses;
	size_t count;

	fake_ec2_say(fake, "DescribeAddresses",
		     LIST("<item><publicIp>203.0.113.7</publicIp><allocationId>eipalloc-1</allocationId>"
			  "<domain>vpc</domain><instanceId>i-1</instanceId><associationId>eipassoc-1</associationId>"
			  "<networkInterfaceId>eni-1</networkInterfaceId><privateIpAddress>10.0.0.5</privateIpAddress></item>"
			  "<item><publicIp>203.0.113.8</publicIp><allocationId>eipalloc-2</allocationId></item>"));
	assert_int_equal(address_describe(&fake->ec2, arena, (struct ec2_filters){ filters, 2 }, &addresses, &count, NULL),
			 0);
	/* DescribeAddresses takes no page size */
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeAddresses&Version=2016-11-15&Filter.1.Name=public-ip"
			    "&Filter.1.Value.1=203.0.113.7&Filter.2.Name=domain&Filter.2.Value.1=vpc");
	assert_int_equal(count, 2);
	assert_string_equal(addresses[0].allocation_id, "eipalloc-1");
	assert_string_equal(addresses[0].public_ip, "203.0.113.7");
	assert_string_equal(addresses[0].association_id, "eipassoc-1");
	assert_string_equal(addresses[0].instance_id, "i-1");
	assert_string_equal(addresses[0].interface_id, "eni-1");
	assert_string_equal(addresses[1].association_id, "");
	assert_string_equal(addresses[1].instance_id, "");

	fake_ec2_say(fake, "DescribeAddresses", LIST(""));
	assert_int_equal(address_describe(&fake->ec2, arena, (struct ec2_filters){ filters, 2 }, &addresses, &count, NULL),
			 0);
	assert_int_equal(count, 0);
}

static void test_associate(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	/* the interface may not be known yet, and the answer may be lost */
	fake_ec2_refuse(fake, "AssociateAddress", "InvalidNetworkInterfaceID.NotFound");
	fake_ec2_lose(fake, "AssociateAddress");
	fake_ec2_say(fake, "AssociateAddress", ASSOCIATED);
	assert_int_equal(address_associate(&fake->ec2, "eipalloc-1", "eni-1", NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(fake->bodies[i], "Action=AssociateAddress&Version=2016-11-15&AllocationId=eipalloc-1"
						     "&NetworkInterfaceId=eni-1&AllowReassociation=true");
	fake_ec2_refuse(fake, "AssociateAddress", "InvalidInstanceID");
	assert_int_equal(address_associate(&fake->ec2, "eipalloc-1", "eni-1", &err), -1);
	assert_string_equal(err.aws_code, "InvalidInstanceID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_describe),
		FAKE_EC2_TEST(test_associate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
