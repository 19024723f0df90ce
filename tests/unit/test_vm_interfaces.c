/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces that are made before their instance: what is asked for, what is waited for, what is left to be undone. */
#include "cpi/methods/vm_interfaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/create_kit.h"

#define NEW_NIC(id)                                                                                                    \
	CREATE_KIT_ANSWER("CreateNetworkInterface", "<networkInterface><networkInterfaceId>" id "</networkInterfaceId>"   \
						    "<macAddress>02:00:" id "</macAddress></networkInterface>")
#define NIC(id, status) CREATE_KIT_NICS(CREATE_KIT_NIC(id, status, ""))

struct fixture {
	struct vm_spec spec;
	struct nic nics[2];
	struct nic_plan plan;
	struct vm_lookups lookups;
	struct vm_interfaces found;
};

static void prepare(struct create_kit *kit, struct fixture *fixture)
{
	static const char *const groups[] = { "sg-1", "sg-2" };
	static const struct ec2_tag tag = { "cost", "42" };

	*fixture = (struct fixture){
		.spec.tags = { &tag, 1 },
		.nics = { { .group = "a", .subnet = "subnet-1", .ipv4 = "10.0.0.5", .mac = "" },
			  { .group = "b", .subnet = "subnet-2", .ipv4 = "10.0.0.6", .mac = "" } },
		.lookups.security_group_ids = { groups, 2 },
	};
	fixture->plan = (struct nic_plan){ .nics = fixture->nics, .n_nics = 1 };
	kit->aws->any_order = true;
}

static int create(struct create_kit *kit, struct fixture *fixture)
{
	return vm_interfaces_create(&kit->call, &fixture->spec, &fixture->plan, &fixture->lookups, &fixture->found, &kit->err);
}

static void say(struct create_kit *kit, const char *action, const char *body)
{
	fake_ec2_say(kit->aws, action, body);
}

static void say_made(struct create_kit *kit)
{
	say(kit, "CreateNetworkInterface", NEW_NIC("eni-1"));
	say(kit, "DescribeNetworkInterfaces", NIC("eni-1", "available"));
}

/* What undoing asks for, when it finds that one interface. */
static void expect_undone(struct create_kit *kit)
{
	unsigned before = create_kit_count(kit, "DeleteNetworkInterface");

	say(kit, "DescribeNetworkInterfaces", NIC("eni-1", "available"));
	say(kit, "DeleteNetworkInterface", FAKE_EC2_RETURN("DeleteNetworkInterface"));
	undo_run(kit->call.undo, NULL);
	assert_int_equal(create_kit_count(kit, "DeleteNetworkInterface"), before + 1);
}

static void test_one(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.nics[0].ipv6 = "2600:1f18::5";
	say(kit, "CreateNetworkInterface", NEW_NIC("eni-1"));
	fake_ec2_refuse(kit->aws, "DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound");
	say(kit, "DescribeNetworkInterfaces", NIC("eni-1", "pending"));
	say(kit, "DescribeNetworkInterfaces", NIC("eni-1", "available"));
	assert_int_equal(create(kit, &fixture), 0);
	assert_int_equal(fixture.found.count, 1);
	assert_string_equal(fixture.found.items[0].id, "eni-1");
	assert_string_equal(fixture.nics[0].mac, "02:00:eni-1");
	assert_true(fake_aws_sent(kit->aws, 0, "SubnetId=subnet-1"));
	assert_true(fake_aws_sent(kit->aws, 0, "PrivateIpAddress=10.0.0.5"));
	assert_true(fake_aws_sent(kit->aws, 0, "Ipv6Addresses.1.Ipv6Address=2600%3A1f18%3A%3A5"));
	assert_true(fake_aws_sent(kit->aws, 0, "SecurityGroupId.2=sg-2"));
	assert_true(fake_aws_sent(kit->aws, 0, "TagSpecification.1.Tag.1.Key=cost"));
	assert_true(fake_aws_sent(kit->aws, 0, "TagSpecification.1.Tag.2.Key=aws-cpi-request"));
	expect_undone(kit);
}

/* The plan's order decides which is primary, whichever was made first. */
static void test_order(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;
	unsigned first;

	prepare(kit, &fixture);
	fixture.plan.n_nics = 2;
	for (int i = 0; i < 2; i++) {
		say(kit, "CreateNetworkInterface", i == 0 ? NEW_NIC("eni-1") : NEW_NIC("eni-2"));
		say(kit, "DescribeNetworkInterfaces", NIC("eni-x", "available"));
	}
	assert_int_equal(create(kit, &fixture), 0);
	first = fake_aws_find(kit->aws, "CreateNetworkInterface", 0);
	size_t of_first = fake_aws_sent(kit->aws, first, "SubnetId=subnet-1") ? 0 : 1;
	assert_string_equal(fixture.found.items[of_first].id, "eni-1");
	assert_string_equal(fixture.nics[of_first].mac, "02:00:eni-1");
	assert_string_equal(fixture.found.items[1 - of_first].id, "eni-2");
}

static void test_furnished(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.nics[0].ipv4_prefix = "10.0.1.16/28";
	fixture.nics[0].ipv6_prefix = "2600:1f18::/80";
	fixture.spec.auto_assign_public_ip = true;
	say_made(kit);
	say(kit, "AssignPrivateIpAddresses", FAKE_EC2_RETURN("AssignPrivateIpAddresses"));
	say(kit, "AssignIpv6Addresses", FAKE_EC2_RETURN("AssignIpv6Addresses"));
	say(kit, "ModifyNetworkInterfaceAttribute", FAKE_EC2_RETURN("ModifyNetworkInterfaceAttribute"));
	assert_int_equal(create(kit, &fixture), 0);
	assert_true(fake_aws_sent(kit->aws, 2, "Ipv4Prefix.1=10.0.1.16%2F28"));
	assert_true(fake_aws_sent(kit->aws, 3, "Ipv6Prefix.1=2600%3A1f18%3A%3A%2F80"));
	assert_true(fake_aws_sent(kit->aws, 4, "AssociatePublicIpAddress=true"));
}

/* A predecessor's prefix comes free with its interface. */
static void test_taken_prefix(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.nics[0].ipv4_prefix = "10.0.1.16/28";
	say_made(kit);
	fake_ec2_refuse(kit->aws, "AssignPrivateIpAddresses", "InvalidIPAddress.InUse");
	say(kit, "AssignPrivateIpAddresses", FAKE_EC2_RETURN("AssignPrivateIpAddresses"));
	assert_int_equal(create(kit, &fixture), 0);
	assert_true(kit->aws->now_ms >= 2000);
}

/* --- failures --- */

static void test_refused(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fake_ec2_refuse(kit->aws, "CreateNetworkInterface", "InvalidGroup.NotFound");
	assert_int_equal(create(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "Failed to create network interface for nic_group 'a': ");
	create_kit_nothing_left(kit);
}

static void test_lost(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	for (int i = 0; i < 3; i++)
		fake_ec2_lose(kit->aws, "CreateNetworkInterface");
	assert_int_equal(create(kit, &fixture), -1);
	assert_string_equal(kit->aws->bodies[0], kit->aws->bodies[2]);
	expect_undone(kit);
}

/* Furnishing fails: the interface is there all the same. */
static void test_half_done(void **state)
{
	static const struct {
		const char *action, *text;
	} table[] = {
		{ "DescribeNetworkInterfaces", "network interface eni-1" },
		{ "AssignPrivateIpAddresses", "cannot give network interface eni-1 the prefix 10.0.1.16/28" },
		{ "ModifyNetworkInterfaceAttribute", "Failed to associate public IP address with network interface eni-1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		prepare(kit, &fixture);
		fixture.nics[0].ipv4_prefix = "10.0.1.16/28";
		fixture.spec.auto_assign_public_ip = true;
		say(kit, "CreateNetworkInterface", NEW_NIC("eni-1"));
		if (i > 0)
			say(kit, "DescribeNetworkInterfaces", NIC("eni-1", "available"));
		if (i > 1)
			say(kit, "AssignPrivateIpAddresses", FAKE_EC2_RETURN("AssignPrivateIpAddresses"));
		fake_ec2_refuse(kit->aws, table[i].action, "UnauthorizedOperation");
		assert_int_equal(create(kit, &fixture), -1);
		create_kit_expect(kit, ERROR_AWS, false, "Failed to create network interface for nic_group 'a': ");
		create_kit_expect(kit, ERROR_AWS, false, table[i].text);
		expect_undone(kit);
		create_kit_close(kit);
	}
}

/* One fails, and the one beside it is known to undo. */
static void test_one_of_two(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.plan.n_nics = 2;
	say_made(kit);
	fake_ec2_refuse(kit->aws, "CreateNetworkInterface", "InsufficientFreeAddressesInSubnet");
	assert_int_equal(create(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "InsufficientFreeAddressesInSubnet");
	expect_undone(kit);
}

/* --- a taken address --- */

static void test_taken_address(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fake_ec2_refuse(kit->aws, "CreateNetworkInterface", "InvalidIPAddress.InUse");
	say(kit, "DescribeNetworkInterfaces", NIC("eni-9", "available"));
	say(kit, "DescribeNetworkInterfaces", CREATE_KIT_NICS(""));
	say_made(kit);
	assert_int_equal(create(kit, &fixture), 0);
	assert_string_equal(kit->aws->bodies[0], kit->aws->bodies[3]);
}

static void test_taken_for_good(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fake_ec2_refuse(kit->aws, "CreateNetworkInterface", "InvalidIPAddress.InUse");
	say(kit, "DescribeNetworkInterfaces",
	    CREATE_KIT_NICS(CREATE_KIT_NIC("eni-9", "in-use", "<attachment><attachmentId>at-9</attachmentId></attachment>")));
	assert_int_equal(create(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false,
			  "address 10.0.0.5 in subnet subnet-1 is taken: it is held by network interface eni-9");
	create_kit_nothing_left(kit);
}

static void test_signal_while_taken(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fake_ec2_refuse(kit->aws, "CreateNetworkInterface", "InvalidIPAddress.InUse");
	fake_aws_script(kit->aws, (struct fake_answer){ .action = "DescribeNetworkInterfaces", .way = FAKE_SIGNAL });
	assert_int_equal(create(kit, &fixture), -1);
	assert_int_equal(kit->err.kind, ERROR_CANCELLED);
	create_kit_nothing_left(kit);
}

/* --- after an instance that had them --- */

static void test_wait_free(void **state)
{
	const struct instance_own_interface own[] = { { .id = "eni-1" }, { .id = "eni-2" } };
	const struct vm_interfaces interfaces = { .items = own, .count = 2 };
	struct create_kit *kit = *state;

	say(kit, "DescribeNetworkInterfaces", NIC("eni-1", "in-use"));
	say(kit, "DescribeNetworkInterfaces", NIC("eni-1", "available"));
	say(kit, "DescribeNetworkInterfaces", NIC("eni-2", "available"));
	assert_int_equal(vm_interfaces_wait_free(&kit->call, &interfaces, &kit->err), 0);
	assert_true(fake_aws_sent(kit->aws, 2, "NetworkInterfaceId.1=eni-2"));
	say(kit, "DescribeNetworkInterfaces", CREATE_KIT_NICS(""));
	assert_int_equal(vm_interfaces_wait_free(&kit->call, &interfaces, &kit->err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREATE_KIT_TEST(test_one),
		CREATE_KIT_TEST(test_order),
		CREATE_KIT_TEST(test_furnished),
		CREATE_KIT_TEST(test_taken_prefix),
		CREATE_KIT_TEST(test_refused),
		CREATE_KIT_TEST(test_lost),
		cmocka_unit_test(test_half_done),
		CREATE_KIT_TEST(test_one_of_two),
		CREATE_KIT_TEST(test_taken_address),
		CREATE_KIT_TEST(test_taken_for_good),
		CREATE_KIT_TEST(test_signal_while_taken),
		CREATE_KIT_TEST(test_wait_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
