/* SPDX-License-Identifier: Apache-2.0 */
/* Route tables: every kind of target, routes that are made, led elsewhere and deleted, and lost answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/routes.h"
#include "tests/unit/fake_ec2.h"

#define TABLE "rtb-1"
#define ROUTE(fields) "<item>" fields "<origin>CreateRoute</origin><state>active</state></item>"
#define TO(destination, target) ROUTE("<destinationCidrBlock>" destination "</destinationCidrBlock>" target)
#define BY_INSTANCE(id) "<instanceId>" id "</instanceId><instanceOwnerId>1</instanceOwnerId>"
#define BY_INTERFACE(id) "<networkInterfaceId>" id "</networkInterfaceId>"
#define ITEM(id, routes)                                                                                               \
	"<item><routeTableId>" id "</routeTableId><vpcId>vpc-1</vpcId><ownerId>1</ownerId><routeSet>" routes           \
	"</routeSet><associationSet><item><routeTableAssociationId>rtbassoc-1</routeTableAssociationId></item>"        \
	"</associationSet><propagatingVgwSet/><tagSet/></item>"
#define LIST(items, end)                                                                                               \
	"<DescribeRouteTablesResponse" FAKE_EC2_START "<routeTableSet>" items "</routeTableSet>" end                   \
	"</DescribeRouteTablesResponse>"

static void describe(struct fake_aws *fake, struct arena *arena, const char *body, struct route_table **ret_tables,
		     size_t *ret_count)
{
	static const char *const id = TABLE;

	fake_ec2_say(fake, "DescribeRouteTables", body);
	assert_int_equal(route_table_describe(&fake->ec2, arena, (struct ec2_ids){ &id, 1 }, FAKE_NO_FILTERS, ret_tables,
					      ret_count, NULL), 0);
}

static void test_describe(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct route_table *tables;
	size_t count;

	describe(fake, arena, LIST(ITEM(TABLE, TO("10.0.0.0/16", "<gatewayId>local</gatewayId>")) ITEM("rtb-2", ""), ""),
		 &tables, &count);
	assert_string_equal(fake->bodies[0], "Action=DescribeRouteTables&Version=2016-11-15&RouteTableId.1=" TABLE);
	assert_int_equal(count, 2);
	assert_string_equal(tables[0].id, TABLE);
	assert_string_equal(tables[0].vpc_id, "vpc-1");
	assert_int_equal(tables[0].n_routes, 1);
	assert_string_equal(tables[0].routes[0].destination, "10.0.0.0/16");
	assert_string_equal(tables[0].routes[0].state, "active");
	assert_string_equal(tables[0].routes[0].instance_id, "");
	assert_string_equal(tables[1].id, "rtb-2");
	assert_int_equal(tables[1].n_routes, 0);
}

static void test_targets(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const struct {
		const char *body;
		const char *kind;
		const char *id;
	} rows[] = {
#define ROW(target, kind, id) { LIST(ITEM(TABLE, TO("10.1.0.0/16", target)), ""), kind, id }
		ROW(BY_INSTANCE("i-1"), "InstanceId", "i-1"),
		ROW(BY_INSTANCE("i-1") BY_INTERFACE("eni-1"), "NetworkInterfaceId", "eni-1"),
		ROW(BY_INTERFACE("eni-1"), "NetworkInterfaceId", "eni-1"),
		ROW("<gatewayId>igw-1</gatewayId>", "GatewayId", "igw-1"),
		ROW("<gatewayId>local</gatewayId>", "LocalTarget", "true"),
		ROW("<gatewayId>vpce-1</gatewayId>", "VpcEndpointId", "vpce-1"),
		ROW("<natGatewayId>nat-1</natGatewayId>", "NatGatewayId", "nat-1"),
		ROW("<transitGatewayId>tgw-1</transitGatewayId>", "TransitGatewayId", "tgw-1"),
		ROW("<vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId>", "VpcPeeringConnectionId", "pcx-1"),
		ROW("<egressOnlyInternetGatewayId>eigw-1</egressOnlyInternetGatewayId>", "EgressOnlyInternetGatewayId",
		    "eigw-1"),
		ROW("<localGatewayId>lgw-1</localGatewayId>", "LocalGatewayId", "lgw-1"),
		ROW("<carrierGatewayId>cagw-1</carrierGatewayId>", "CarrierGatewayId", "cagw-1"),
		ROW("<coreNetworkArn>arn:c</coreNetworkArn>", "CoreNetworkArn", "arn:c"),
		ROW("<odbNetworkArn>arn:o</odbNetworkArn>", "OdbNetworkArn", "arn:o"),
		ROW("<somethingNew>x-1</somethingNew>", "", ""),
#undef ROW
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route_table *tables;
		size_t count;
		describe(fake, arena, rows[i].body, &tables, &count);
		assert_string_equal(tables[0].routes[0].target_kind, rows[i].kind);
		assert_string_equal(tables[0].routes[0].target_id, rows[i].id);
	}
}

static void test_find(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct route_table *tables;
	size_t count;

	describe(fake, arena,
		 LIST(ITEM(TABLE, TO("10.1.0.0/16", BY_INSTANCE("i-1") BY_INTERFACE("eni-1"))
				  ROUTE("<destinationIpv6CidrBlock>2001:db8::/32</destinationIpv6CidrBlock>"
					"<gatewayId>igw-6</gatewayId>")
				  ROUTE("<destinationPrefixListId>pl-1</destinationPrefixListId>"
					"<gatewayId>vpce-1</gatewayId>")), ""),
		 &tables, &count);
	const struct route *route = route_find(&tables[0], "10.1.2.3/16");
	assert_ptr_equal(route, &tables[0].routes[0]);
	assert_true(route_leads_to(route, "i-1"));
	assert_true(route_leads_to(route, "eni-1"));
	assert_false(route_leads_to(route, "i-2"));
	assert_string_equal(route_find(&tables[0], "2001:DB8::/32")->target_id, "igw-6");
	assert_string_equal(route_find(&tables[0], "pl-1")->target_id, "vpce-1");
	assert_null(route_find(&tables[0], "10.1.0.0/17"));
}

static void test_pages(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const value = "vpc-1";
	const struct ec2_filter filter = { "vpc-id", &value, 1 };
	struct route_table *tables;
	size_t count;

	fake_ec2_say(fake, "DescribeRouteTables", LIST(ITEM("rtb-1", ""), "<nextToken>more</nextToken>"));
	fake_ec2_say(fake, "DescribeRouteTables", LIST(ITEM("rtb-2", ""), ""));
	assert_int_equal(route_table_describe(&fake->ec2, arena, FAKE_NO_IDS, (struct ec2_filters){ &filter, 1 }, &tables,
					      &count, NULL), 0);
	assert_int_equal(count, 2);
	/* EC2 takes no more */
	assert_true(fake_aws_sent(fake, 0, "MaxResults=100"));
	assert_true(fake_aws_sent(fake, 1, "NextToken=more"));
}

static void test_create_and_replace(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	fake_ec2_say(fake, "CreateRoute", FAKE_EC2_RETURN("CreateRoute"));
	assert_int_equal(route_create(&fake->ec2, TABLE, "10.1.0.0/16", "InstanceId", "i-1", NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=CreateRoute&Version=2016-11-15&RouteTableId=" TABLE
					     "&DestinationCidrBlock=10.1.0.0%2F16&InstanceId=i-1");
	/* a new instance's interface may not be known yet */
	fake_ec2_refuse(fake, "ReplaceRoute", "InvalidNetworkInterfaceID.NotFound");
	fake_ec2_lose(fake, "ReplaceRoute");
	fake_ec2_say(fake, "ReplaceRoute", FAKE_EC2_RETURN("ReplaceRoute"));
	assert_int_equal(route_replace(&fake->ec2, TABLE, "2001:db8::/32", "NetworkInterfaceId", "eni-1", NULL), 0);
	for (unsigned i = 1; i < 4; i++)
		assert_string_equal(fake->bodies[i], "Action=ReplaceRoute&Version=2016-11-15&RouteTableId=" TABLE
						     "&DestinationIpv6CidrBlock=2001%3Adb8%3A%3A%2F32"
						     "&NetworkInterfaceId=eni-1");
	/* somebody else's route is not taken for ours */
	fake_ec2_refuse(fake, "CreateRoute", "RouteAlreadyExists");
	assert_int_equal(route_create(&fake->ec2, TABLE, "10.1.0.0/16", "InstanceId", "i-1", &err), -1);
	assert_string_equal(err.aws_code, "RouteAlreadyExists");
}

static void test_create_after_a_lost_answer(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;
	static const char none[] = LIST(ITEM(TABLE, ""), "");
	static const char ours[] = LIST(ITEM(TABLE, TO("10.1.0.0/16", BY_INSTANCE("i-1") BY_INTERFACE("eni-1"))), "");
	static const char other[] = LIST(ITEM(TABLE, TO("10.1.0.0/16", BY_INSTANCE("i-2"))), "");

	/* it is there: no second call */
	fake_ec2_lose(fake, "CreateRoute");
	fake_ec2_say(fake, "DescribeRouteTables", ours);
	assert_int_equal(route_create(&fake->ec2, TABLE, "10.1.2.3/16", "InstanceId", "i-1", NULL), 0);
	/* it is not */
	fake_ec2_lose(fake, "CreateRoute");
	fake_ec2_say(fake, "DescribeRouteTables", none);
	fake_ec2_say(fake, "CreateRoute", FAKE_EC2_RETURN("CreateRoute"));
	assert_int_equal(route_create(&fake->ec2, TABLE, "10.1.0.0/16", "InstanceId", "i-1", NULL), 0);
	/* it is, and is seen late */
	fake_ec2_lose(fake, "CreateRoute");
	fake_ec2_say(fake, "DescribeRouteTables", none);
	fake_ec2_refuse(fake, "CreateRoute", "RouteAlreadyExists");
	fake_ec2_say(fake, "DescribeRouteTables", ours);
	assert_int_equal(route_create(&fake->ec2, TABLE, "10.1.0.0/16", "NetworkInterfaceId", "eni-1", NULL), 0);
	/* somebody else was quicker */
	fake_ec2_lose(fake, "CreateRoute");
	fake_ec2_say(fake, "DescribeRouteTables", other);
	fake_ec2_refuse(fake, "CreateRoute", "RouteAlreadyExists");
	fake_ec2_say(fake, "DescribeRouteTables", other);
	assert_int_equal(route_create(&fake->ec2, TABLE, "10.1.0.0/16", "InstanceId", "i-1", &err), -1);
	assert_string_equal(err.aws_code, "RouteAlreadyExists");
	/* looking is not allowed: then nobody knows */
	fake_ec2_lose(fake, "CreateRoute");
	fake_ec2_refuse(fake, "DescribeRouteTables", "UnauthorizedOperation");
	assert_int_equal(route_create(&fake->ec2, TABLE, "10.1.0.0/16", "InstanceId", "i-1", &err), -1);
	assert_non_null(strstr(err.message, "the answer to CreateRoute was lost"));
}

static void test_delete(void **state)
{
	struct fake_aws *fake = *state;
	bool existed = false;
	struct error err;

	fake_ec2_say(fake, "DeleteRoute", FAKE_EC2_RETURN("DeleteRoute"));
	assert_int_equal(route_delete(&fake->ec2, TABLE, "10.1.0.0/16", &existed, NULL), 0);
	assert_true(existed);
	assert_string_equal(fake->bodies[0], "Action=DeleteRoute&Version=2016-11-15&RouteTableId=" TABLE
					     "&DestinationCidrBlock=10.1.0.0%2F16");
	fake_ec2_refuse(fake, "DeleteRoute", "InvalidRoute.NotFound");
	assert_int_equal(route_delete(&fake->ec2, TABLE, "::/0", &existed, NULL), 0);
	assert_false(existed);
	assert_true(fake_aws_sent(fake, 1, "DestinationIpv6CidrBlock=%3A%3A%2F0"));
	fake_ec2_refuse(fake, "DeleteRoute", "InvalidRouteTableID.NotFound");
	assert_int_equal(route_delete(&fake->ec2, TABLE, "10.1.0.0/16", NULL, NULL), 0);
	fake_ec2_refuse(fake, "DeleteRoute", "UnauthorizedOperation");
	assert_int_equal(route_delete(&fake->ec2, TABLE, "10.1.0.0/16", &existed, &err), -1);
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_describe),
		FAKE_EC2_TEST(test_targets),
		FAKE_EC2_TEST(test_find),
		FAKE_EC2_TEST(test_pages),
		FAKE_EC2_TEST(test_create_and_replace),
		FAKE_EC2_TEST(test_create_after_a_lost_answer),
		FAKE_EC2_TEST(test_delete),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
