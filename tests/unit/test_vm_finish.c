/* SPDX-License-Identifier: Apache-2.0 */
/* What a running VM gets: in which order, what is asked again, and what undoing leads back. */
#include "cpi/methods/vm_finish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/create_kit.h"

#define TABLE(target)                                                                                                  \
	CREATE_KIT_ANSWER("DescribeRouteTables",                                                                       \
			  "<routeTableSet><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId><routeSet><item>"   \
			  "<destinationCidrBlock>10.9.0.0/16</destinationCidrBlock>" target                               \
			  "<state>active</state></item></routeSet></item></routeTableSet>")
#define OURS TABLE("<instanceId>i-1</instanceId>")

struct fixture {
	struct vm_spec spec;
	struct nic nics[2];
	struct nic_plan plan;
	struct vm_lookups lookups;
	struct instance_interface interfaces[2];
	struct instance instance;
	struct vm_finish finish;
};

static void prepare(struct create_kit *kit, struct fixture *fixture)
{
	*fixture = (struct fixture){
		.spec = { .source_dest_check = true },
		.plan = { .nics = fixture->nics, .n_nics = 1 },
		.interfaces = { { .id = "eni-b", .attachment_id = "at-b", .device_index = 1 },
				{ .id = "eni-a", .attachment_id = "at-a", .device_index = 0 } },
		.instance = { .id = "i-1", .state = "running", .interfaces = fixture->interfaces + 1, .n_interfaces = 1 },
		.finish = { .spec = &fixture->spec, .nics = &fixture->plan, .lookups = &fixture->lookups,
			    .instance = &fixture->instance },
	};
	kit->aws->any_order = true;
}

static void use_two_interfaces(struct fixture *fixture)
{
	fixture->plan.n_nics = 2;
	fixture->instance.interfaces = fixture->interfaces;
	fixture->instance.n_interfaces = 2;
	fixture->finish.own_interfaces = true;
}

static int finish(struct create_kit *kit, struct fixture *fixture)
{
	return vm_finish_run(&kit->call, &fixture->finish, &kit->err);
}

static void say(struct create_kit *kit, const char *action, const char *body)
{
	fake_ec2_say(kit->aws, action, body);
}

static void say_done(struct create_kit *kit, const char *action)
{
	say(kit, action, arena_printf(kit->call.arena, "<%sResponse" FAKE_EC2_START "</%sResponse>", action, action));
}

static bool sent(const struct create_kit *kit, const char *action, const char *parameter)
{
	return fake_aws_sent(kit->aws, fake_aws_find(kit->aws, action, 0), parameter);
}

/* --- interfaces --- */

static void test_nothing_to_do(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	assert_int_equal(finish(kit, &fixture), 0);
}

static void test_interfaces_end_with_the_instance(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	use_two_interfaces(&fixture);
	fixture.interfaces[0].delete_on_termination = true; /* already */
	say_done(kit, "ModifyNetworkInterfaceAttribute");
	assert_int_equal(finish(kit, &fixture), 0);
	assert_true(fake_aws_sent(kit->aws, 0, "NetworkInterfaceId=eni-a"));
	assert_true(fake_aws_sent(kit->aws, 0, "Attachment.AttachmentId=at-a"));
	assert_true(fake_aws_sent(kit->aws, 0, "Attachment.DeleteOnTermination=true"));
}

static void test_an_interface_is_not_shown(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	use_two_interfaces(&fixture);
	fixture.instance.n_interfaces = 1; /* index 1 alone */
	assert_int_equal(finish(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_CLOUD, false, "instance i-1 shows no network interface with device index 0");
}

/* EC2 takes the instance's attribute only where there is one interface. */
static void test_source_dest_check(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.spec.source_dest_check = false;
	say_done(kit, "ModifyInstanceAttribute");
	assert_int_equal(finish(kit, &fixture), 0);
	use_two_interfaces(&fixture);
	fixture.interfaces[0].delete_on_termination = fixture.interfaces[1].delete_on_termination = true;
	for (int i = 0; i < 2; i++)
		say_done(kit, "ModifyNetworkInterfaceAttribute");
	assert_int_equal(finish(kit, &fixture), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_true(fake_aws_sent(kit->aws, fake_aws_find(kit->aws, "ModifyNetworkInterfaceAttribute", i),
					  "SourceDestCheck.Value=false"));
	fake_ec2_refuse(kit->aws, "ModifyNetworkInterfaceAttribute", "UnauthorizedOperation");
	say_done(kit, "ModifyNetworkInterfaceAttribute");
	assert_int_equal(finish(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "cannot switch off the source/destination check of instance i-1");
}

/* --- not ready yet --- */

static const char *const name = "lb-1";
static const char *const arn = "arn:1";
static const struct vm_network vip = { .name = "v", .type = VM_NETWORK_VIP, .ip = "203.0.113.9" };
static const struct vm_route to_nine = { "rtb-1", "10.9.0.0/16" };
static const struct route_table empty_table = { .id = "rtb-1", .vpc_id = "vpc-1" };

/* The one that gives work with that action. */
static void want(struct fixture *fixture, const char *action)
{
	switch (action[0]) {
	case 'R':
		if (action[8] == 'I')
			fixture->spec.elbs = (struct ec2_ids){ &name, 1 };
		else
			fixture->lookups.target_group_arns = (struct ec2_ids){ &arn, 1 };
		break;
	case 'A':
		fixture->plan.vip = &vip;
		fixture->lookups.vip_allocation_id = "eipalloc-1";
		break;
	default:
		fixture->spec.routes = &to_nine;
		fixture->spec.n_routes = 1;
		fixture->lookups.tables = &empty_table;
		fixture->lookups.n_tables = 1;
	}
}

static const struct {
	const char *action, *code, *text;
} slow[] = {
	{ "RegisterInstancesWithLoadBalancer", "InvalidInstance", "cannot register instance i-1 with load balancer lb-1" },
	{ "RegisterTargets", "InvalidTarget", "cannot register instance i-1 with target group arn:1" },
	{ "AssociateAddress", "IncorrectInstanceState",
	  "cannot associate elastic IP 203.0.113.9 with network interface eni-a" },
	{ "AssociateAddress", "InvalidInstanceID", "cannot associate elastic IP 203.0.113.9" },
	{ "CreateRoute", "IncorrectInstanceState", "cannot lead 10.9.0.0/16 in route table rtb-1 to instance i-1" },
};

#define N_SLOW (sizeof(slow) / sizeof(slow[0]))

static struct create_kit *begin_slow(size_t i, struct fixture *fixture)
{
	struct create_kit *kit = create_kit_open();

	prepare(kit, fixture);
	want(fixture, slow[i].action);
	return kit;
}

static void test_asked_again(void **state)
{
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < N_SLOW; i++) {
		struct create_kit *kit = begin_slow(i, &fixture);
		fake_ec2_refuse(kit->aws, slow[i].action, slow[i].code);
		fake_ec2_refuse(kit->aws, slow[i].action, slow[i].code);
		say_done(kit, slow[i].action);
		assert_int_equal(finish(kit, &fixture), 0);
		assert_in_range(kit->aws->now_ms, 1000, 30000);
		create_kit_close(kit);
	}
}

/* Half a minute of "not yet", or one refusal of another kind. */
static void test_given_up(void **state)
{
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < 2 * N_SLOW; i++) {
		bool not_yet = i < N_SLOW;
		struct create_kit *kit = begin_slow(i % N_SLOW, &fixture);
		const char *code = not_yet ? slow[i].code : "AccessDenied";
		fake_ec2_refuse(kit->aws, slow[i % N_SLOW].action, code);
		kit->aws->repeat_last = true;
		assert_int_equal(finish(kit, &fixture), -1);
		create_kit_expect(kit, ERROR_AWS, false, slow[i % N_SLOW].text);
		create_kit_expect(kit, ERROR_AWS, false, code);
		assert_in_range(kit->aws->now_ms, not_yet ? 30000 : 0, not_yet ? 40000 : 1000);
		create_kit_nothing_left(kit);
		create_kit_close(kit);
	}
}

static void test_signal_while_not_ready(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	want(&fixture, "RegisterTargets");
	fake_ec2_refuse(kit->aws, "RegisterTargets", "InvalidTarget");
	fake_aws_script(kit->aws, (struct fake_answer){ .action = "RegisterTargets", .way = FAKE_SIGNAL });
	assert_int_equal(finish(kit, &fixture), -1);
	assert_int_equal(kit->err.kind, ERROR_CANCELLED);
}

/* --- the elastic address --- */

/* It may be another VM's, and nothing gives it back. */
static void test_address_comes_last(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	want(&fixture, "AssociateAddress");
	want(&fixture, "RegisterTargets");
	fake_ec2_refuse(kit->aws, "RegisterTargets", "AccessDenied");
	assert_int_equal(finish(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "RegisterTargets");
	assert_int_equal(create_kit_count(kit, "AssociateAddress"), 0);
	say_done(kit, "RegisterTargets");
	say_done(kit, "AssociateAddress");
	assert_int_equal(finish(kit, &fixture), 0);
	assert_true(sent(kit, "AssociateAddress", "NetworkInterfaceId=eni-a"));
	assert_true(sent(kit, "AssociateAddress", "AllocationId=eipalloc-1"));
}

static void test_address_of_a_group(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	want(&fixture, "AssociateAddress");
	fixture.plan.vip_nic = 1;
	assert_int_equal(finish(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_CLOUD, false, "Could not find network interface with device_index 1 on instance 'i-1'");
	use_two_interfaces(&fixture);
	fixture.finish.own_interfaces = false;
	say_done(kit, "AssociateAddress");
	assert_int_equal(finish(kit, &fixture), 0);
	assert_true(sent(kit, "AssociateAddress", "NetworkInterfaceId=eni-b"));
}

/* --- routes, and what undoing makes of them --- */

static void test_routes(void **state)
{
	static const struct {
		struct route old; /* destination NULL: there is none */
		bool two;         /* interfaces */
		const char *action, *target;
		const char *shown;  /* when it is undone */
		const char *undone, *undone_with;
	} table[] = {
		{ { 0 }, false, "CreateRoute", "InstanceId=i-1", OURS, "DeleteRoute", "RouteTableId=rtb-1" },
		{ { 0 }, true, "CreateRoute", "NetworkInterfaceId=eni-a", OURS, "DeleteRoute", "RouteTableId=rtb-1" },
		{ { "10.9.0.0/16", "GatewayId", "igw-1", "", "active" }, false, "ReplaceRoute", "InstanceId=i-1", OURS,
		  "ReplaceRoute", "GatewayId=igw-1" },
		/* however it is written */
		{ { "10.9.1.2/16", "NetworkInterfaceId", "eni-9", "i-9", "active" }, true, "ReplaceRoute",
		  "NetworkInterfaceId=eni-a", OURS, "ReplaceRoute", "NetworkInterfaceId=eni-9" },
		/* nothing is led into the void again */
		{ { "10.9.0.0/16", "InstanceId", "i-9", "i-9", "blackhole" }, false, "ReplaceRoute", "InstanceId=i-1", OURS,
		  "DeleteRoute", "RouteTableId=rtb-1" },
		{ { "10.9.0.0/16", "", "", "", "active" }, false, "ReplaceRoute", "InstanceId=i-1", OURS, "DeleteRoute",
		  "RouteTableId=rtb-1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		const struct route_table with = { .id = "rtb-1", .vpc_id = "vpc-1", .routes = &table[i].old, .n_routes = 1 };
		struct fixture fixture;
		prepare(kit, &fixture);
		if (table[i].two)
			use_two_interfaces(&fixture);
		fixture.finish.own_interfaces = false;
		want(&fixture, "CreateRoute");
		if (table[i].old.destination != NULL)
			fixture.lookups.tables = &with;
		say_done(kit, table[i].action);
		assert_int_equal(finish(kit, &fixture), 0);
		assert_true(fake_aws_sent(kit->aws, 0, "DestinationCidrBlock=10.9.0.0%2F16"));
		assert_true(fake_aws_sent(kit->aws, 0, table[i].target));
		say(kit, "DescribeRouteTables", table[i].shown);
		say(kit, "DescribeRouteTables", table[i].shown);
		say_done(kit, table[i].undone);
		undo_run(kit->call.undo, &kit->err);
		assert_true(fake_aws_sent(kit->aws, kit->aws->n_requests - 1, table[i].undone_with));
		create_kit_close(kit);
	}
}

/* The first refusal is not the last word. */
static void test_a_route_at_the_second_try(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	want(&fixture, "CreateRoute");
	fake_ec2_refuse(kit->aws, "CreateRoute", "IncorrectInstanceState");
	say_done(kit, "CreateRoute");
	assert_int_equal(finish(kit, &fixture), 0);
	say(kit, "DescribeRouteTables", OURS);
	say(kit, "DescribeRouteTables", OURS);
	say_done(kit, "DeleteRoute");
	undo_run(kit->call.undo, &kit->err);
	assert_int_equal(create_kit_count(kit, "DeleteRoute"), 1);
}

/* The call that failed is forgotten, the one beside it is not. */
static void test_one_of_two_routes(void **state)
{
	static const struct vm_route routes[] = { { "rtb-1", "10.8.0.0/16" }, { "rtb-1", "10.9.0.0/16" } };
	static const struct route gateway = { "10.8.0.0/16", "GatewayId", "igw-1", "", "active" };
	static const struct route_table table = { .id = "rtb-1", .vpc_id = "vpc-1", .routes = &gateway, .n_routes = 1 };
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.spec.routes = routes;
	fixture.spec.n_routes = 2;
	fixture.lookups.tables = &table;
	fixture.lookups.n_tables = 1;
	fake_ec2_refuse(kit->aws, "ReplaceRoute", "UnauthorizedOperation");
	say_done(kit, "CreateRoute");
	assert_int_equal(finish(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "cannot lead 10.8.0.0/16");
	say(kit, "DescribeRouteTables", OURS);
	say(kit, "DescribeRouteTables", OURS);
	say_done(kit, "DeleteRoute");
	undo_run(kit->call.undo, &kit->err);
	assert_true(sent(kit, "DeleteRoute", "DestinationCidrBlock=10.9.0.0%2F16"));
}

/* Whether it took effect is not known: it is undone if it did. */
static void test_a_route_whose_answer_is_lost(void **state)
{
	static const struct route gateway = { "10.9.0.0/16", "GatewayId", "igw-1", "", "active" };
	static const struct route_table table = { .id = "rtb-1", .vpc_id = "vpc-1", .routes = &gateway, .n_routes = 1 };
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	want(&fixture, "CreateRoute");
	fixture.lookups.tables = &table;
	for (int i = 0; i < 3; i++)
		fake_ec2_lose(kit->aws, "ReplaceRoute");
	assert_int_equal(finish(kit, &fixture), -1);
	assert_int_equal(kit->err.kind, ERROR_NETWORK);
	say(kit, "DescribeRouteTables", OURS);
	say(kit, "DescribeRouteTables", OURS);
	say_done(kit, "ReplaceRoute");
	undo_run(kit->call.undo, &kit->err);
	assert_true(fake_aws_sent(kit->aws, kit->aws->n_requests - 1, "GatewayId=igw-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREATE_KIT_TEST(test_nothing_to_do),
		CREATE_KIT_TEST(test_interfaces_end_with_the_instance),
		CREATE_KIT_TEST(test_an_interface_is_not_shown),
		CREATE_KIT_TEST(test_source_dest_check),
		cmocka_unit_test(test_asked_again),
		cmocka_unit_test(test_given_up),
		CREATE_KIT_TEST(test_signal_while_not_ready),
		CREATE_KIT_TEST(test_address_comes_last),
		CREATE_KIT_TEST(test_address_of_a_group),
		cmocka_unit_test(test_routes),
		CREATE_KIT_TEST(test_a_route_at_the_second_try),
		CREATE_KIT_TEST(test_one_of_two_routes),
		CREATE_KIT_TEST(test_a_route_whose_answer_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
