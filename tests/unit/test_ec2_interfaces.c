/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces: what each call sends and reads, lost answers, who holds an address, and the wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/interfaces.h"
#include "cpi/ec2/tags.h"
#include "tests/unit/fake_ec2.h"

#define ENI "eni-1234567890abcdef0"
#define ATTACHED(status)                                                                                               \
	"<attachment><attachmentId>eni-attach-1</attachmentId><instanceId>i-1</instanceId><instanceOwnerId>1"          \
	"</instanceOwnerId><deviceIndex>0</deviceIndex><status>" status "</status>"                                    \
	"<deleteOnTermination>true</deleteOnTermination></attachment>"
#define FIELDS(status, more)                                                                                           \
	"<networkInterfaceId>" ENI "</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>"            \
	"<availabilityZone>eu-west-1a</availabilityZone><ownerId>123456789012</ownerId><requesterId>AROA:x"            \
	"</requesterId><requesterManaged>false</requesterManaged><status>" status "</status>"                          \
	"<macAddress>02:00:00:00:00:01</macAddress><privateIpAddress>10.0.1.5</privateIpAddress>"                      \
	"<interfaceType>interface</interfaceType><groupSet><item><groupId>sg-1</groupId></item></groupSet>"            \
	"<privateIpAddressesSet><item><privateIpAddress>10.0.1.5</privateIpAddress></item></privateIpAddressesSet>"    \
	"<tagSet><item><key>Name</key><value>n</value></item></tagSet>" more
#define CREATED(fields)                                                                                                \
	"<CreateNetworkInterfaceResponse" FAKE_EC2_START "<networkInterface>" fields "</networkInterface>"             \
	"<clientToken>token-1</clientToken></CreateNetworkInterfaceResponse>"
#define LIST(items)                                                                                                    \
	"<DescribeNetworkInterfacesResponse" FAKE_EC2_START "<networkInterfaceSet>" items "</networkInterfaceSet>"     \
	"</DescribeNetworkInterfacesResponse>"
#define ONE(status, more) LIST("<item>" FIELDS(status, more) "</item>")
#define PREFIXES                                                                                                       \
	"<ipv4PrefixSet><item><ipv4Prefix>10.0.1.16/28</ipv4Prefix></item><item><ipv4Prefix>10.0.1.32/28</ipv4Prefix>" \
	"</item></ipv4PrefixSet><ipv6PrefixSet><item><ipv6Prefix>2600:1f18::/80</ipv6Prefix></item></ipv6PrefixSet>"

static void test_create(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const groups[] = { "sg-1", "sg-2" };
	const struct ec2_tag tag = { "director", "d 1" };
	struct interface_create_request request = {
		.subnet_id = "subnet-1",
		.private_ip = "10.0.1.5",
		.ipv6 = "2600:1f18::5",
		.security_group_ids = { groups, 2 },
		.client_token = "token-1",
		.tags = { &tag, 1 },
	};
	struct interface interface;

	/* the token makes the repetition harmless */
	fake_ec2_lose(fake, "CreateNetworkInterface");
	fake_ec2_say(fake, "CreateNetworkInterface", CREATED(FIELDS("pending", "")));
	assert_int_equal(interface_create(&fake->ec2, arena, &request, &interface, NULL), 0);
	assert_string_equal(fake->bodies[1],
			    "Action=CreateNetworkInterface&Version=2016-11-15&SubnetId=subnet-1"
			    "&PrivateIpAddress=10.0.1.5&Ipv6Addresses.1.Ipv6Address=2600%3A1f18%3A%3A5"
			    "&SecurityGroupId.1=sg-1&SecurityGroupId.2=sg-2&ClientToken=token-1"
			    "&TagSpecification.1.ResourceType=network-interface&TagSpecification.1.Tag.1.Key=director"
			    "&TagSpecification.1.Tag.1.Value=d%201");
	assert_string_equal(fake->bodies[0], fake->bodies[1]);
	assert_string_equal(interface.id, ENI);
	assert_string_equal(interface.status, "pending");
	assert_string_equal(interface.mac_address, "02:00:00:00:00:01");
	assert_string_equal(interface.subnet_id, "subnet-1");
	assert_string_equal(interface.vpc_id, "vpc-1");
	assert_string_equal(interface.availability_zone, "eu-west-1a");
	assert_string_equal(interface.private_ip, "10.0.1.5");
	assert_string_equal(interface.attachment_id, "");
	assert_string_equal(interface.instance_id, "");
	assert_int_equal(interface.ipv4_prefixes.count, 0);
	assert_string_equal(tags_get(interface.tags, "Name"), "n");
}

static void test_create_refused(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct interface_create_request request = { .subnet_id = "subnet-1", .client_token = "t" };
	struct interface interface = { .id = "untouched" };
	struct error err;

	fake_ec2_refuse(fake, "CreateNetworkInterface", "InvalidIPAddress.InUse");
	assert_int_equal(interface_create(&fake->ec2, arena, &request, &interface, &err), -1);
	assert_string_equal(err.aws_code, "InvalidIPAddress.InUse");
	assert_string_equal(fake->bodies[0],
			    "Action=CreateNetworkInterface&Version=2016-11-15&SubnetId=subnet-1&ClientToken=t");
	/* the subnet is not of this request's making */
	fake_ec2_refuse(fake, "CreateNetworkInterface", "InvalidSubnetID.NotFound");
	assert_int_equal(interface_create(&fake->ec2, arena, &request, &interface, &err), -1);
	fake_ec2_say(fake, "CreateNetworkInterface", CREATED("<subnetId>subnet-1</subnetId>"));
	assert_int_equal(interface_create(&fake->ec2, arena, &request, &interface, &err), -1);
	assert_non_null(strstr(err.message, "lacks networkInterfaceId"));
	fake_ec2_say(fake, "CreateNetworkInterface", "<CreateNetworkInterfaceResponse/>");
	assert_int_equal(interface_create(&fake->ec2, arena, &request, &interface, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	request.client_token = NULL;
	assert_int_equal(interface_create(&fake->ec2, arena, &request, &interface, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	request.client_token = "0123456789012345678901234567890123456789012345678901234567890123x";
	assert_int_equal(interface_create(&fake->ec2, arena, &request, &interface, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	assert_string_equal(interface.id, "untouched");
}

static void test_who_holds_an_address(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const values[] = { "10.0.1.5", "subnet-1" };
	const struct ec2_filter filters[] = { { "addresses.private-ip-address", &values[0], 1 },
					      { "subnet-id", &values[1], 1 } };
	struct interface *interfaces;
	size_t count;

	fake_ec2_say(fake, "DescribeNetworkInterfaces",
		     ONE("in-use", PREFIXES ATTACHED("detaching")
				   "<description>Interface for NAT Gateway nat-1</description>"));
	assert_int_equal(interface_describe(&fake->ec2, arena, FAKE_NO_IDS, (struct ec2_filters){ filters, 2 },
					    &interfaces, &count, NULL), 0);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeNetworkInterfaces&Version=2016-11-15"
			    "&Filter.1.Name=addresses.private-ip-address&Filter.1.Value.1=10.0.1.5"
			    "&Filter.2.Name=subnet-id&Filter.2.Value.1=subnet-1&MaxResults=1000");
	assert_int_equal(count, 1);
	assert_string_equal(interfaces[0].status, "in-use");
	assert_string_equal(interfaces[0].attachment_id, "eni-attach-1");
	assert_string_equal(interfaces[0].attachment_status, "detaching");
	assert_string_equal(interfaces[0].instance_id, "i-1");
	assert_true(interfaces[0].delete_on_termination);
	assert_string_equal(interfaces[0].description, "Interface for NAT Gateway nat-1");
	assert_string_equal(interfaces[0].type, "interface");
	assert_string_equal(interfaces[0].owner_id, "123456789012");
	assert_string_equal(interfaces[0].requester_id, "AROA:x");
	assert_int_equal(interfaces[0].ipv4_prefixes.count, 2);
	assert_string_equal(interfaces[0].ipv4_prefixes.items[1], "10.0.1.32/28");
	assert_int_equal(interfaces[0].ipv6_prefixes.count, 1);
	assert_string_equal(interfaces[0].ipv6_prefixes.items[0], "2600:1f18::/80");

	const char *const id = ENI;
	fake_ec2_refuse(fake, "DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound");
	assert_int_equal(interface_describe(&fake->ec2, arena, (struct ec2_ids){ &id, 1 }, FAKE_NO_FILTERS, &interfaces,
					    &count, NULL), -1);
	assert_string_equal(fake->bodies[1],
			    "Action=DescribeNetworkInterfaces&Version=2016-11-15&NetworkInterfaceId.1=" ENI);
}

static void test_assign_prefix(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	fake_ec2_refuse(fake, "AssignPrivateIpAddresses", "InvalidNetworkInterfaceID.NotFound");
	fake_ec2_say(fake, "AssignPrivateIpAddresses", FAKE_EC2_RETURN("AssignPrivateIpAddresses"));
	assert_int_equal(interface_assign_prefix(&fake->ec2, ENI, "10.0.1.16/28", NULL), 0);
	assert_string_equal(fake->bodies[1], "Action=AssignPrivateIpAddresses&Version=2016-11-15"
					     "&Ipv4Prefix.1=10.0.1.16%2F28&NetworkInterfaceId=" ENI);
	fake_ec2_say(fake, "AssignIpv6Addresses", FAKE_EC2_RETURN("AssignIpv6Addresses"));
	assert_int_equal(interface_assign_prefix(&fake->ec2, ENI, "2600:1f18::/80", NULL), 0);
	assert_string_equal(fake->bodies[2], "Action=AssignIpv6Addresses&Version=2016-11-15"
					     "&Ipv6Prefix.1=2600%3A1f18%3A%3A%2F80&NetworkInterfaceId=" ENI);
	fake_ec2_refuse(fake, "AssignPrivateIpAddresses", "InvalidParameterValue");
	assert_int_equal(interface_assign_prefix(&fake->ec2, ENI, "10.0.1.16/28", &err), -1);
	assert_string_equal(err.aws_code, "InvalidParameterValue");
}

static void test_assign_prefix_after_a_lost_answer(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	/* it is there, in EC2's spelling */
	fake_ec2_lose(fake, "AssignIpv6Addresses");
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("available", PREFIXES));
	assert_int_equal(interface_assign_prefix(&fake->ec2, ENI, "2600:1F18:0::/80", NULL), 0);
	/* it is not, and then it is */
	fake_ec2_lose(fake, "AssignPrivateIpAddresses");
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("available", ""));
	fake_ec2_refuse(fake, "AssignPrivateIpAddresses", "InvalidParameterValue");
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("available", PREFIXES));
	assert_int_equal(interface_assign_prefix(&fake->ec2, ENI, "10.0.1.32/28", NULL), 0);
	/* another one is */
	fake_ec2_lose(fake, "AssignPrivateIpAddresses");
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("available", PREFIXES));
	fake_ec2_refuse(fake, "AssignPrivateIpAddresses", "InvalidParameterValue");
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("available", PREFIXES));
	assert_int_equal(interface_assign_prefix(&fake->ec2, ENI, "10.0.1.48/28", &err), -1);
	assert_string_equal(err.aws_code, "InvalidParameterValue");
}

static void test_attributes(void **state)
{
	struct fake_aws *fake = *state;

	fake_ec2_lose(fake, "ModifyNetworkInterfaceAttribute");
	fake_ec2_say(fake, "ModifyNetworkInterfaceAttribute", FAKE_EC2_RETURN("ModifyNetworkInterfaceAttribute"));
	assert_int_equal(interface_associate_public_ip(&fake->ec2, ENI, NULL), 0);
	assert_string_equal(fake->bodies[1], "Action=ModifyNetworkInterfaceAttribute&Version=2016-11-15"
					     "&AssociatePublicIpAddress=true&NetworkInterfaceId=" ENI);
	fake_ec2_refuse(fake, "ModifyNetworkInterfaceAttribute", "InvalidNetworkInterfaceID.NotFound");
	fake_ec2_say(fake, "ModifyNetworkInterfaceAttribute", FAKE_EC2_RETURN("ModifyNetworkInterfaceAttribute"));
	assert_int_equal(interface_set_delete_on_termination(&fake->ec2, ENI, "eni-attach-1", NULL), 0);
	assert_string_equal(fake->bodies[3],
			    "Action=ModifyNetworkInterfaceAttribute&Version=2016-11-15"
			    "&Attachment.AttachmentId=eni-attach-1&Attachment.DeleteOnTermination=true"
			    "&NetworkInterfaceId=" ENI);
}

static void test_delete(void **state)
{
	struct fake_aws *fake = *state;
	bool existed = false;
	struct error err;

	fake_ec2_say(fake, "DeleteNetworkInterface", FAKE_EC2_RETURN("DeleteNetworkInterface"));
	assert_int_equal(interface_delete(&fake->ec2, ENI, &existed, NULL), 0);
	assert_true(existed);
	assert_string_equal(fake->bodies[0],
			    "Action=DeleteNetworkInterface&Version=2016-11-15&NetworkInterfaceId=" ENI);
	fake_ec2_refuse(fake, "DeleteNetworkInterface", "InvalidNetworkInterfaceID.NotFound");
	assert_int_equal(interface_delete(&fake->ec2, ENI, &existed, NULL), 0);
	assert_false(existed);
	fake_ec2_refuse(fake, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	assert_int_equal(interface_delete(&fake->ec2, ENI, NULL, &err), -1);
	assert_string_equal(err.aws_code, "InvalidNetworkInterface.InUse");
}

static void test_wait_available(void **state)
{
	struct fake_aws *fake = *state;
	struct wait_options fresh = { .just_created = true };
	struct error err;

	fake_ec2_refuse(fake, "DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound");
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("pending", ""));
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("available", ""));
	assert_int_equal(interface_wait_available(&fake->ec2, ENI, &fresh, NULL), 0);
	/* after an instance that had it */
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("in-use", ATTACHED("attached")));
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("detaching", ATTACHED("detaching")));
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("available", ""));
	assert_int_equal(interface_wait_available(&fake->ec2, ENI, NULL, NULL), 0);
	/* gone once it was seen: that is the answer */
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("pending", ""));
	fake_ec2_refuse(fake, "DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound");
	assert_int_equal(interface_wait_available(&fake->ec2, ENI, &fresh, &err), -1);
	assert_string_equal(err.aws_code, "InvalidNetworkInterfaceID.NotFound");
	fake_ec2_say(fake, "DescribeNetworkInterfaces", LIST(""));
	assert_int_equal(interface_wait_available(&fake->ec2, ENI, NULL, &err), -1);
	assert_non_null(strstr(err.message, "does not exist"));
}

static void test_wait_in_vain(void **state)
{
	struct fake_aws *fake = *state;
	struct wait_options short_wait = { .limit_ms = 1000 };
	struct error err;

	fake->repeat_last = true;
	fake_ec2_say(fake, "DescribeNetworkInterfaces", ONE("in-use", ATTACHED("attached")));
	assert_int_equal(interface_wait_available(&fake->ec2, ENI, &short_wait, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.message, "status in-use, attached to i-1"));
	assert_int_equal(interface_wait_available(&fake->ec2, ENI, NULL, &err), -1);
	assert_non_null(strstr(err.message, "waited 600 s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_create),
		FAKE_EC2_TEST(test_create_refused),
		FAKE_EC2_TEST(test_who_holds_an_address),
		FAKE_EC2_TEST(test_assign_prefix),
		FAKE_EC2_TEST(test_assign_prefix_after_a_lost_answer),
		FAKE_EC2_TEST(test_attributes),
		FAKE_EC2_TEST(test_delete),
		FAKE_EC2_TEST(test_wait_available),
		FAKE_EC2_TEST(test_wait_in_vain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
