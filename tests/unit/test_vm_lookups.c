/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked up before a VM is made, and what is refused because of it. */
#include "cpi/methods/vm_lookups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/create_kit.h"
#include "tests/unit/vm_kit.h"

#define IMAGES(items) CREATE_KIT_ANSWER("DescribeImages", "<imagesSet>" items "</imagesSet>")
#define IMAGE IMAGES("<item><imageId>ami-1</imageId><rootDeviceName>/dev/xvda</rootDeviceName></item>")
#define SUBNETS(items) CREATE_KIT_ANSWER("DescribeSubnets", "<subnetSet>" items "</subnetSet>")
#define SUBNET(id, zone)                                                                                               \
	"<item><subnetId>" id "</subnetId><vpcId>vpc-1</vpcId><availabilityZone>" zone "</availabilityZone></item>"
#define GROUPS(items) CREATE_KIT_ANSWER("DescribeSecurityGroups", "<securityGroupInfo>" items "</securityGroupInfo>")
#define GROUP(id, name, vpc)                                                                                           \
	"<item><groupId>" id "</groupId><groupName>" name "</groupName><vpcId>" vpc "</vpcId></item>"
#define VOLUMES(items) CREATE_KIT_ANSWER("DescribeVolumes", "<volumeSet>" items "</volumeSet>")
#define VOLUME(id, zone)                                                                                               \
	"<item><volumeId>" id "</volumeId><size>1</size><status>available</status><volumeType>gp3</volumeType>"           \
	"<availabilityZone>" zone "</availabilityZone></item>"
#define ADDRESSES(items) CREATE_KIT_ANSWER("DescribeAddresses", "<addressesSet>" items "</addressesSet>")
#define TABLES(items) CREATE_KIT_ANSWER("DescribeRouteTables", "<routeTableSet>" items "</routeTableSet>")
#define TABLE(id, vpc) "<item><routeTableId>" id "</routeTableId><vpcId>" vpc "</vpcId><routeSet/></item>"
#define BALANCERS(items)                                                                                               \
	"<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancerDescriptions>" items                    \
	"</LoadBalancerDescriptions></DescribeLoadBalancersResult></DescribeLoadBalancersResponse>"
#define TARGETS(items)                                                                                                 \
	"<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups>" items                                  \
	"</TargetGroups></DescribeTargetGroupsResult></DescribeTargetGroupsResponse>"
#define SAME_ZONE SUBNETS(SUBNET("subnet-1", "us-east-1a"))

/* What is asked for, and what AWS has; NULL: nothing of the kind is asked. */
struct world {
	const char *const *groups;
	size_t n_groups;
	const char *const *disks;
	size_t n_disks;
	const char *found_subnets, *found_groups, *found_volumes;
};

struct fixture {
	struct vm_spec spec;
	struct nic nics[2];
	struct nic_plan plan;
	struct vm_lookups found;
};

static void prepare(struct create_kit *kit, struct fixture *fixture)
{
	static const char *const id = "sg-12345678";

	*fixture = (struct fixture){
		.spec = { .stemcell_cid = "ami-1", .instance_type = "m5.large", .availability_zone = "us-east-1a" },
		.nics = { { .subnet = "subnet-1" }, { .subnet = "subnet-2" } },
	};
	fixture->plan = (struct nic_plan){ .nics = fixture->nics, .n_nics = 1, .security_groups = { &id, 1 } };
	kit->aws->any_order = true;
}

static int look(struct create_kit *kit, struct fixture *fixture)
{
	return vm_lookups_make(&kit->call, &fixture->spec, &fixture->plan, &fixture->found, &kit->err);
}

static void say(struct create_kit *kit, const char *action, const char *body)
{
	fake_ec2_say(kit->aws, action, body);
}

static void say_plain(struct create_kit *kit)
{
	say(kit, "DescribeImages", IMAGE);
	say(kit, "DescribeSubnets", SAME_ZONE);
}

/* --- the fewest --- */

/* Ids need no look-up, and facts only where there is instance storage. */
static void test_the_fewest(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	say_plain(kit);
	assert_int_equal(look(kit, &fixture), 0);
	assert_string_equal(fixture.found.availability_zone, "us-east-1a");
	assert_string_equal(fixture.found.vpc_id, "vpc-1");
	vm_kit_expect_names(fixture.found.security_group_ids, "sg-12345678");
	vm_kit_expect_names(fixture.found.types, "m5.large");
	assert_null(fixture.found.vip_allocation_id);
}

static void test_types_are_listed_once(void **state)
{
	static const char *const further[] = { "m5.xlarge", "m5.large", "m5.xlarge", "c5.large" };
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.spec.further_types = (struct ec2_ids){ further, 4 };
	say_plain(kit);
	assert_int_equal(look(kit, &fixture), 0);
	vm_kit_expect_names(fixture.found.types, "m5.large m5.xlarge c5.large");
	assert_string_equal(fixture.found.facts[2].type, "c5.large");
}

static void test_a_subnet_is_asked_for_once(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.nics[1].subnet = "subnet-1";
	fixture.plan.n_nics = 2;
	say_plain(kit);
	assert_int_equal(look(kit, &fixture), 0);
	unsigned request = fake_aws_find(kit->aws, "DescribeSubnets", 0);
	assert_true(fake_aws_sent(kit->aws, request, "SubnetId.1=subnet-1"));
	assert_false(fake_aws_sent(kit->aws, request, "SubnetId.2=subnet-1"));
}

/* --- groups and zones --- */

static const char *const by_name[] = { "bosh" };
static const char *const by_both[] = { "bosh", "sg-1234567a", "other" };
static const char *const nearly_ids[] = { "sg-1234", "sg-abcdefgh" };
static const char *const disks[] = { "vol-1", "vol-2" };

static void script_world(struct create_kit *kit, struct fixture *fixture, const struct world *world)
{
	prepare(kit, fixture);
	if (world->groups != NULL)
		fixture->plan.security_groups = (struct ec2_ids){ world->groups, world->n_groups };
	fixture->spec.disk_cids = (struct ec2_ids){ world->disks, world->n_disks };
	say(kit, "DescribeImages", IMAGE);
	say(kit, "DescribeSubnets", world->found_subnets != NULL ? world->found_subnets : SAME_ZONE);
	if (world->found_groups != NULL)
		say(kit, "DescribeSecurityGroups", world->found_groups);
	if (world->found_volumes != NULL)
		say(kit, "DescribeVolumes", world->found_volumes);
}

static void test_groups(void **state)
{
	static const struct {
		struct world world;
		const char *wanted;
	} table[] = {
		{ { .groups = by_name, .n_groups = 1, .found_groups = GROUPS(GROUP("sg-1", "bosh", "vpc-1")) }, "sg-1" },
		/* names are of a VPC */
		{ { .groups = by_name, .n_groups = 1,
		    .found_groups = GROUPS(GROUP("sg-2", "bosh", "vpc-2") GROUP("sg-1", "bosh", "vpc-1")) }, "sg-1" },
		/* given by its name and by its id, it is sent once, where it came first */
		{ { .groups = by_both, .n_groups = 3,
		    .found_groups = GROUPS(GROUP("sg-1234567a", "bosh", "vpc-1") GROUP("sg-9", "other", "vpc-1")) },
		  "sg-1234567a sg-9" },
		/* eight characters make an id, as in the incumbent */
		{ { .groups = nearly_ids, .n_groups = 2, .found_groups = GROUPS(GROUP("sg-1", "sg-1234", "vpc-1")) },
		  "sg-1 sg-abcdefgh" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		script_world(kit, &fixture, &table[i].world);
		assert_int_equal(look(kit, &fixture), 0);
		vm_kit_expect_names(fixture.found.security_group_ids, table[i].wanted);
		create_kit_close(kit);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		struct world world;
		const char *text;
	} table[] = {
		{ { .groups = by_name, .n_groups = 1,
		    .found_groups = GROUPS(GROUP("sg-1", "bosh", "vpc-1") GROUP("sg-2", "bosh", "vpc-1")) },
		  "Found multiple matching security groups with name 'bosh': sg-1, sg-2" },
		{ { .groups = by_name, .n_groups = 1, .found_groups = GROUPS(GROUP("sg-2", "bosh", "vpc-2")) },
		  "Security group not found with name 'bosh' in vpc-1" },
		/* a filter's `*` finds more than the name */
		{ { .groups = by_name, .n_groups = 1, .found_groups = GROUPS(GROUP("sg-1", "bosh2", "vpc-1")) },
		  "Security group not found with name 'bosh'" },
		{ { .found_subnets = SUBNETS(SUBNET("subnet-1", "us-east-1b")) },
		  "can't use multiple availability zones: subnet in us-east-1b, VM in us-east-1a" },
		{ { .found_subnets = SUBNETS(SUBNET("subnet-1", "us-east-1a") SUBNET("subnet-2", "us-east-1c")) },
		  "All nic groups must be in the same availability zone. Found subnets in zones: us-east-1a (subnet-1), us-east-1c" },
		{ { .disks = disks, .n_disks = 2,
		    .found_volumes = VOLUMES(VOLUME("vol-1", "us-east-1a") VOLUME("vol-2", "us-east-1b")) },
		  "subnet in us-east-1a, VM in us-east-1a, and volume in us-east-1a (vol-1), us-east-1b (vol-2)" },
		{ { .disks = disks, .n_disks = 2,
		    .found_volumes = VOLUMES(VOLUME("vol-1", "us-east-1b") VOLUME("vol-2", "us-east-1a")) },
		  "and volume in us-east-1b (vol-1), us-east-1a (vol-2)" },
		{ { .disks = disks, .n_disks = 2, .found_subnets = SUBNETS(SUBNET("subnet-1", "us-east-1c")),
		    .found_volumes = VOLUMES(VOLUME("vol-1", "us-east-1b") VOLUME("vol-2", "us-east-1b")) },
		  "subnet in us-east-1c, VM in us-east-1a, and volume in us-east-1b (vol-1), us-east-1b (vol-2)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		script_world(kit, &fixture, &table[i].world);
		assert_int_equal(look(kit, &fixture), -1);
		create_kit_expect(kit, ERROR_CLOUD, false, table[i].text);
		create_kit_close(kit);
	}
}

/* --- what is not there --- */

static void test_not_there(void **state)
{
	static const struct {
		const char *action, *code;
		enum error_kind kind;
		const char *text;
	} table[] = {
		{ "DescribeImages", "InvalidAMIID.NotFound", ERROR_CLOUD, "could not find AMI 'ami-1'" },
		{ "DescribeImages", "UnauthorizedOperation", ERROR_AWS, "cannot look at stemcell 'ami-1'" },
		{ "DescribeSubnets", "InvalidSubnetID.NotFound", ERROR_NETWORK_NOT_FOUND, "InvalidSubnetID.NotFound" },
		{ "DescribeSubnets", "UnauthorizedOperation", ERROR_AWS, "cannot look at the networks' subnets" },
		{ "DescribeVolumes", "InvalidVolume.NotFound", ERROR_DISK_NOT_FOUND, "InvalidVolume.NotFound" },
		{ "DescribeVolumes", "UnauthorizedOperation", ERROR_AWS, "cannot look at the disks" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		prepare(kit, &fixture);
		fixture.spec.disk_cids = (struct ec2_ids){ disks, 1 };
		fake_ec2_refuse(kit->aws, table[i].action, table[i].code);
		say(kit, "DescribeImages", IMAGE);
		say(kit, "DescribeSubnets", SAME_ZONE);
		say(kit, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "us-east-1a")));
		assert_int_equal(look(kit, &fixture), -1);
		create_kit_expect(kit, table[i].kind, false, table[i].text);
		kit->aws->repeat_last = true; /* the good answer of the one that failed is left */
		create_kit_close(kit);
	}
}

static void test_empty_answers(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	say(kit, "DescribeImages", IMAGES(""));
	say(kit, "DescribeSubnets", SAME_ZONE);
	assert_int_equal(look(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_CLOUD, false, "could not find AMI 'ami-1'");
	say(kit, "DescribeImages", IMAGE);
	say(kit, "DescribeSubnets", SUBNETS(""));
	assert_int_equal(look(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_NETWORK_NOT_FOUND, false, "EC2 shows no subnet subnet-1");
}

static void test_elastic_address(void **state)
{
	const struct vm_network vip = { .name = "v", .type = VM_NETWORK_VIP, .ip = "203.0.113.9" };
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.plan.vip = &vip;
	say_plain(kit);
	say(kit, "DescribeAddresses", ADDRESSES(""));
	assert_int_equal(look(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_CLOUD, false, "Elastic IP with VPC scope not found with address '203.0.113.9'");
	say_plain(kit);
	say(kit, "DescribeAddresses",
	    ADDRESSES("<item><allocationId>eipalloc-1</allocationId><publicIp>203.0.113.9</publicIp></item>"));
	assert_int_equal(look(kit, &fixture), 0);
	assert_string_equal(fixture.found.vip_allocation_id, "eipalloc-1");
	unsigned request = fake_aws_find(kit->aws, "DescribeAddresses", 0);
	assert_true(fake_aws_sent(kit->aws, request, "Filter.2.Name=domain"));
	assert_true(fake_aws_sent(kit->aws, request, "Filter.2.Value.1=vpc"));
}

/* --- load balancers: a right of its own, without which the work itself tells --- */

static void test_load_balancers(void **state)
{
	static const char *const elbs[] = { "lb-1", "lb-2" };
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.spec.elbs = (struct ec2_ids){ elbs, 2 };
	say_plain(kit);
	fake_ec2_refuse(kit->aws, "DescribeLoadBalancers", "AccessDenied");
	assert_int_equal(look(kit, &fixture), 0);
	assert_true(create_kit_logged(kit, "not looked whether the load balancers exist"));
	say_plain(kit);
	fake_ec2_refuse(kit->aws, "DescribeLoadBalancers", "ValidationError");
	assert_int_equal(look(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "cannot look up the load balancers of elbs");
	say_plain(kit);
	fake_ec2_refuse(kit->aws, "DescribeLoadBalancers", "LoadBalancerNotFound");
	say(kit, "DescribeLoadBalancers", BALANCERS("<member><LoadBalancerName>lb-1</LoadBalancerName></member>"));
	assert_int_equal(look(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_CLOUD, false, "there is no classic load balancer 'lb-2'");
}

#define ARN "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/"

/* ARNs need not be looked up to be used, names do. */
static void test_target_groups(void **state)
{
	static const char *const groups[] = { ARN "one/1", "two" };
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(kit, &fixture);
	fixture.spec.target_groups = (struct ec2_ids){ groups, 2 };
	say_plain(kit);
	fake_ec2_refuse(kit->aws, "DescribeTargetGroups", "AccessDenied");
	say(kit, "DescribeTargetGroups", TARGETS("<member><TargetGroupArn>" ARN "two/2</TargetGroupArn></member>"));
	assert_int_equal(look(kit, &fixture), 0);
	assert_true(create_kit_logged(kit, "not looked whether the target groups exist"));
	vm_kit_expect_names(fixture.found.target_group_arns, ARN "one/1 " ARN "two/2");
	say_plain(kit);
	fake_ec2_refuse(kit->aws, "DescribeTargetGroups", "TargetGroupNotFound");
	assert_int_equal(look(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "cannot look up target group " ARN "one/1 of lb_target_groups");
	fixture.spec.target_groups = (struct ec2_ids){ groups + 1, 1 };
	say_plain(kit);
	fake_ec2_refuse(kit->aws, "DescribeTargetGroups", "AccessDenied");
	assert_int_equal(look(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "cannot look up target group 'two' of lb_target_groups");
}

/* --- routes --- */

static void test_route_tables(void **state)
{
	static const struct vm_route routes[] = {
		{ "rtb-1", "10.1.0.0/16" }, { "rtb-2", "10.2.0.0/16" }, { "rtb-1", "10.3.0.0/16" }
	};
	static const struct {
		const char *tables;
		const char *text; /* NULL: all is well */
	} table[] = {
		{ TABLES(TABLE("rtb-2", "vpc-1") TABLE("rtb-1", "vpc-1")), NULL },
		{ TABLES(TABLE("rtb-1", "vpc-1")), "there is no route table rtb-2 (advertised_routes)" },
		{ TABLES(TABLE("rtb-1", "vpc-1") TABLE("rtb-2", "vpc-2")),
		  "route table rtb-2 (advertised_routes) is in vpc-2, but the VM's subnet subnet-1 is in vpc-1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		prepare(kit, &fixture);
		fixture.spec.routes = routes;
		fixture.spec.n_routes = 3;
		say_plain(kit);
		say(kit, "DescribeRouteTables", table[i].tables);
		assert_int_equal(look(kit, &fixture), table[i].text == NULL ? 0 : -1);
		assert_false(fake_aws_sent(kit->aws, fake_aws_find(kit->aws, "DescribeRouteTables", 0), "RouteTableId.3=rtb-1"));
		if (table[i].text != NULL)
			create_kit_expect(kit, ERROR_CLOUD, false, table[i].text);
		else
			assert_string_equal(vm_lookups_table(&fixture.found, "rtb-1")->id, "rtb-1");
		create_kit_close(kit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREATE_KIT_TEST(test_the_fewest),
		CREATE_KIT_TEST(test_types_are_listed_once),
		CREATE_KIT_TEST(test_a_subnet_is_asked_for_once),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_not_there),
		CREATE_KIT_TEST(test_empty_answers),
		CREATE_KIT_TEST(test_elastic_address),
		CREATE_KIT_TEST(test_load_balancers),
		CREATE_KIT_TEST(test_target_groups),
		cmocka_unit_test(test_route_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
