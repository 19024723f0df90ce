/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and removing one thing of each kind: which states count as being there, what is asked for in which, and when it is
 * given up. Volumes, snapshots and images have their tests in test_undo.c. */
#include "cpi/methods/leftover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/fake_ec2.h"

#define REPLY(action, inner)                                                                                           \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" action "Response><requestId>r</requestId>" inner "</" action      \
	"Response>"
#define DONE(action) REPLY(action, "<return>true</return>")
#define INSTANCES(inner)                                                                                               \
	REPLY("DescribeInstances", "<reservationSet><item><reservationId>r-1</reservationId><instancesSet>" inner         \
				   "</instancesSet></item></reservationSet>")
#define INSTANCE(id, state)                                                                                            \
	"<item><instanceId>" id "</instanceId><instanceState><code>1</code><name>" state "</name></instanceState>"        \
	"<tagSet><item><key>aws-cpi-request</key><value>d/r/1-x</value></item><item><key>Name</key><value>web/0</value>"  \
	"</item></tagSet></item>"
#define INTERFACES(inner) REPLY("DescribeNetworkInterfaces", "<networkInterfaceSet>" inner "</networkInterfaceSet>")
#define INTERFACE(id, status, attachment)                                                                              \
	"<item><networkInterfaceId>" id "</networkInterfaceId><status>" status "</status>" attachment                     \
	"<tagSet><item><key>aws-cpi-request</key><value>d/r/1-x</value></item></tagSet></item>"
#define HELD(instance, status)                                                                                         \
	"<attachment><attachmentId>eni-attach-1</attachmentId><instanceId>" instance "</instanceId><status>" status       \
	"</status></attachment>"
#define VOLUMES(inner) REPLY("DescribeVolumes", "<volumeSet>" inner "</volumeSet>")
#define VOLUME(attachments)                                                                                            \
	"<item><volumeId>vol-1</volumeId><size>2</size><status>in-use</status><attachmentSet>" attachments                \
	"</attachmentSet></item>"
#define ATTACHED(instance, status)                                                                                     \
	"<item><volumeId>vol-1</volumeId><instanceId>" instance "</instanceId><device>/dev/sdf</device><status>" status   \
	"</status></item>"
#define TABLE(routes)                                                                                                  \
	REPLY("DescribeRouteTables", "<routeTableSet><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId>"        \
				     "<routeSet>" routes "</routeSet></item></routeTableSet>")
#define ROUTE(destination, target)                                                                                     \
	"<item><destinationCidrBlock>" destination "</destinationCidrBlock>" target "<state>active</state></item>"
#define TO_INSTANCE(id)                                                                                                \
	"<instanceId>" id "</instanceId><instanceOwnerId>1</instanceOwnerId><networkInterfaceId>eni-9</networkInterfaceId>"
#define TO_GATEWAY(id) "<gatewayId>" id "</gatewayId>"

#define ON_INSTANCE "vol-1 i-1"
#define PLAIN_ROUTE "rtb-1 10.1.2.3/8 i-1"
#define ROUTE_FROM_GATEWAY "rtb-1 10.0.0.0/8 i-1 GatewayId igw-1"

struct fixture {
	struct fake_aws aws;
	struct arena *arena;
	struct leftover *found;
	size_t count;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fake_aws_open(&fixture->aws);
	fixture->arena = arena_new(16 * 1024 * 1024);
	assert_non_null(fixture->arena);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->arena);
	fake_aws_close(&fixture->aws);
	free(fixture);
	return 0;
}

static void expect(struct fixture *fixture, const char *action, const char *body)
{
	fake_ec2_say(&fixture->aws, action, body);
}

static void expect_error(struct fixture *fixture, const char *action, const char *code)
{
	fake_ec2_refuse(&fixture->aws, action, code);
}

static int find(struct fixture *fixture, enum undo_kind kind, const char *id)
{
	return leftover_find(&fixture->aws.ec2, fixture->arena, kind, id, id == NULL ? "d/r/1-x" : NULL, &fixture->found,
			     &fixture->count, &fixture->err);
}

static int remove_it(struct fixture *fixture, enum undo_kind kind, const char *id)
{
	return leftover_remove(&fixture->aws.ec2, kind, id, false, &fixture->err);
}

static int hurry(struct fixture *fixture, enum undo_kind kind, const char *id)
{
	return leftover_remove(&fixture->aws.ec2, kind, id, true, &fixture->err);
}

static void assert_sent(const struct fixture *fixture, unsigned i, const char *parameter)
{
	if (!fake_aws_sent(&fixture->aws, i, parameter))
		fail_msg("request %u lacks %s: %s", i, parameter, fixture->aws.bodies[i]);
}

static void assert_says(const struct fixture *fixture, const char *text)
{
	if (strstr(fixture->err.message, text) == NULL)
		fail_msg("'%s' does not say '%s'", fixture->err.message, text);
}

/* --- names --- */

static void test_names(void **state)
{
	static const char *const names[] = { "volume",		  "snapshot",	"image", "instance",
					     "network interface", "attachment", "route" };
	enum undo_kind kind;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(leftover_by_name(names[i], &kind));
		assert_int_equal(kind, i);
		assert_string_equal(leftover_name(kind), names[i]);
	}
	assert_false(leftover_by_name("interface", &kind));
	assert_false(leftover_by_name("", &kind));
}

/* --- instances --- */

static void test_instances_that_count(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeInstances",
	       INSTANCES(INSTANCE("i-1", "shutting-down") INSTANCE("i-2", "terminated") INSTANCE("i-3", "running")));
	assert_int_equal(find(fixture, UNDO_INSTANCE, NULL), 0);
	assert_int_equal(fixture->count, 2);
	assert_string_equal(fixture->found[0].id, "i-1");
	assert_string_equal(fixture->found[0].state, "shutting-down");
	assert_string_equal(fixture->found[0].tag_value, "d/r/1-x");
	assert_string_equal(fixture->found[0].name, "web/0");
	assert_int_equal(fixture->found[0].kind, UNDO_INSTANCE);
	assert_string_equal(fixture->found[1].id, "i-3");
	assert_sent(fixture, 0, "Filter.1.Name=tag%3Aaws-cpi-request");
	assert_sent(fixture, 0, "Filter.1.Value.1=d%2Fr%2F1-x");
	expect_error(fixture, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(find(fixture, UNDO_INSTANCE, "i-4"), 0);
	assert_int_equal(fixture->count, 0);
	assert_sent(fixture, 1, "InstanceId.1=i-4");
	expect_error(fixture, "DescribeInstances", "UnauthorizedOperation");
	assert_int_equal(find(fixture, UNDO_INSTANCE, "i-4"), -1);
	assert_says(fixture, "UnauthorizedOperation");
}

static void test_instance_ends(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "TerminateInstances", REPLY("TerminateInstances", "<instancesSet/>"));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "running")));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "shutting-down")));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "terminated")));
	assert_int_equal(remove_it(fixture, UNDO_INSTANCE, "i-1"), 0);
	assert_sent(fixture, 0, "InstanceId.1=i-1");
}

static void test_instance_that_only_descriptions_know(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "TerminateInstances", "InvalidInstanceID.NotFound");
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "pending")));
	expect(fixture, "TerminateInstances", REPLY("TerminateInstances", "<instancesSet/>"));
	expect_error(fixture, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(remove_it(fixture, UNDO_INSTANCE, "i-1"), 0);
}

static void test_instance_that_nobody_knows(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "TerminateInstances", "InvalidInstanceID.NotFound");
	expect_error(fixture, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(remove_it(fixture, UNDO_INSTANCE, "i-1"), 0);
}

static void test_protected_instance(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "TerminateInstances", "OperationNotPermitted");
	assert_int_equal(remove_it(fixture, UNDO_INSTANCE, "i-1"), -1);
	assert_says(fixture, "instance i-1 to be gone: it is protected from termination; set its disableApiTermination");
	assert_int_equal(fixture->err.kind, ERROR_AWS);
}

static void test_instance_that_takes_long(void **state)
{
	struct fixture *fixture = *state;

	fixture->aws.repeat_last = true;
	expect(fixture, "TerminateInstances", REPLY("TerminateInstances", "<instancesSet/>"));
	fake_aws_script(&fixture->aws, (struct fake_answer){ .body = INSTANCES(INSTANCE("i-1", "shutting-down")) });
	assert_int_equal(remove_it(fixture, UNDO_INSTANCE, "i-1"), -1);
	assert_int_equal(fixture->err.kind, ERROR_TIMEOUT);
	assert_says(fixture, "state shutting-down");
	/* longer than EC2 needs at its slowest; and asked for once, not at each look */
	assert_true(fixture->aws.now_ms >= 10 * 60 * 1000);
	for (unsigned i = 1; i < fixture->aws.n_requests; i++)
		assert_int_equal(strncmp(fixture->aws.bodies[i], "Action=DescribeInstances&", 25), 0);
}

static void test_instance_in_a_hurry(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "TerminateInstances", REPLY("TerminateInstances", "<instancesSet/>"));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "shutting-down")));
	assert_int_equal(hurry(fixture, UNDO_INSTANCE, "i-1"), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
	assert_says(fixture, "asked to go, not waited for (state shutting-down)");
	assert_true(fixture->aws.now_ms < 100);
}

/* --- network interfaces --- */

static void test_interfaces_that_count(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeNetworkInterfaces",
	       INTERFACES(INTERFACE("eni-1", "in-use", HELD("i-1", "attached")) INTERFACE("eni-2", "available", "")));
	assert_int_equal(find(fixture, UNDO_INTERFACE, NULL), 0);
	assert_int_equal(fixture->count, 2);
	assert_string_equal(fixture->found[0].id, "eni-1");
	assert_string_equal(fixture->found[0].state, "in-use");
	assert_string_equal(fixture->found[1].tag_value, "d/r/1-x");
	assert_sent(fixture, 0, "Filter.1.Value.1=d%2Fr%2F1-x");
	expect_error(fixture, "DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound");
	assert_int_equal(find(fixture, UNDO_INTERFACE, "eni-3"), 0);
	assert_int_equal(fixture->count, 0);
	assert_sent(fixture, 1, "NetworkInterfaceId.1=eni-3");
}

static void test_interface_goes(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DeleteNetworkInterface", DONE("DeleteNetworkInterface"));
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-1"), 0);
	assert_sent(fixture, 0, "NetworkInterfaceId=eni-1");
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterfaceID.NotFound");
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-2"), 0);
	expect_error(fixture, "DeleteNetworkInterface", "UnauthorizedOperation");
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-3"), -1);
	assert_says(fixture, "network interface eni-3 to be gone");
}

static void test_interface_waits_for_its_instance(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DeleteNetworkInterface", "InvalidParameterValue");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "in-use", HELD("i-1", "attached"))));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "shutting-down")));
	/* it is not asked about again */
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect(fixture, "DeleteNetworkInterface", DONE("DeleteNetworkInterface"));
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-1"), 0);
}

static void test_interface_that_detaches(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "in-use", HELD("i-1", "detaching"))));
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "available", "")));
	expect(fixture, "DeleteNetworkInterface", DONE("DeleteNetworkInterface"));
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-1"), 0);
}

/* Somebody uses it: minutes of waiting would change nothing. */
static void test_interface_of_a_running_instance(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DeleteNetworkInterface", "InvalidParameterValue");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "in-use", HELD("i-1", "attached"))));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "running")));
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-1"), -1);
	assert_int_equal(fixture->err.kind, ERROR_CLOUD);
	assert_says(fixture, "network interface eni-1 to be gone: it is attached to instance i-1, which is running");
}

static void test_interface_whose_holder_is_unknown(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect_error(fixture, "DescribeNetworkInterfaces", "UnauthorizedOperation");
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "in-use", HELD("i-1", "attached"))));
	expect_error(fixture, "DescribeInstances", "InvalidInstanceID.NotFound");
	expect(fixture, "DeleteNetworkInterface", DONE("DeleteNetworkInterface"));
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-1"), 0);
}

static void test_interface_that_never_comes_free(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "in-use", HELD("i-1", "attached"))));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "terminated")));
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	fixture->aws.repeat_last = true;
	assert_int_equal(remove_it(fixture, UNDO_INTERFACE, "eni-1"), -1);
	assert_int_equal(fixture->err.kind, ERROR_TIMEOUT);
	assert_says(fixture, "InvalidNetworkInterface.InUse");
	assert_true(fixture->aws.now_ms >= 8 * 60 * 1000);
}

static void test_interface_in_a_hurry(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "in-use", HELD("i-1", "attached"))));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "shutting-down")));
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterface.InUse");
	assert_int_equal(hurry(fixture, UNDO_INTERFACE, "eni-1"), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
}

/* --- attachments --- */

static void test_attachments_that_count(void **state)
{
	static const struct {
		const char *volumes;
		const char *state; /* NULL: none */
	} cases[] = {
		{ VOLUMES(VOLUME(ATTACHED("i-1", "attaching"))), "attaching" },
		{ VOLUMES(VOLUME(ATTACHED("i-1", "attached"))), "attached" },
		{ VOLUMES(VOLUME(ATTACHED("i-2", "attached") ATTACHED("i-1", "busy"))), "busy" },
		{ VOLUMES(VOLUME(ATTACHED("i-1", "detaching"))), "detaching" },
		{ VOLUMES(VOLUME(ATTACHED("i-1", "detached"))), NULL },
		{ VOLUMES(VOLUME(ATTACHED("i-2", "attached"))), NULL },
		{ VOLUMES(VOLUME("")), NULL },
		{ VOLUMES(""), NULL },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(fixture, "DescribeVolumes", cases[i].volumes);
		assert_int_equal(find(fixture, UNDO_ATTACHMENT, ON_INSTANCE), 0);
		assert_int_equal(fixture->count, cases[i].state != NULL);
		if (fixture->count == 0)
			continue;
		assert_string_equal(fixture->found[0].id, ON_INSTANCE);
		assert_string_equal(fixture->found[0].state, cases[i].state);
		assert_sent(fixture, (unsigned)i, "VolumeId.1=vol-1");
	}
	expect_error(fixture, "DescribeVolumes", "InvalidVolume.NotFound");
	assert_int_equal(find(fixture, UNDO_ATTACHMENT, ON_INSTANCE), 0);
	assert_int_equal(fixture->count, 0);
}

static void test_links_without_a_name(void **state)
{
	struct fixture *fixture = *state;
	static const char *const attachments[] = { "", "vol-1", "vol-1 i-1 i-2" };
	static const char *const routes[] = { "", "rtb-1 10.0.0.0/8", "rtb-1 10.0.0.0/8 i-1 GatewayId",
					      "rtb-1 10.0.0.0/8 i-1 GatewayId igw-1 more" };

	assert_int_equal(find(fixture, UNDO_ATTACHMENT, NULL), -1);
	assert_int_equal(fixture->err.kind, ERROR_INVALID);
	assert_says(fixture, "the attachment has no name");
	assert_int_equal(find(fixture, UNDO_ROUTE, NULL), -1);
	assert_says(fixture, "the route has no name");
	for (size_t i = 0; i < sizeof(attachments) / sizeof(attachments[0]); i++) {
		assert_int_equal(find(fixture, UNDO_ATTACHMENT, attachments[i]), -1);
		assert_says(fixture, "does not name an attachment");
		assert_int_equal(remove_it(fixture, UNDO_ATTACHMENT, attachments[i]), -1);
		assert_int_equal(fixture->err.kind, ERROR_INVALID);
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		assert_int_equal(find(fixture, UNDO_ROUTE, routes[i]), -1);
		assert_says(fixture, "does not name a route");
		assert_int_equal(remove_it(fixture, UNDO_ROUTE, routes[i]), -1);
		assert_int_equal(fixture->err.kind, ERROR_INVALID);
	}
}

static void test_attachment_through_its_states(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME(ATTACHED("i-1", "attaching"))));
	expect_error(fixture, "DetachVolume", "IncorrectState"); /* asked again, as it is still there */
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME(ATTACHED("i-1", "attaching"))));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME(ATTACHED("i-1", "attached"))));
	expect(fixture, "DetachVolume", REPLY("DetachVolume", "<volumeId>vol-1</volumeId>"));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME(ATTACHED("i-1", "busy"))));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME(ATTACHED("i-1", "detaching"))));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("")));
	assert_int_equal(remove_it(fixture, UNDO_ATTACHMENT, ON_INSTANCE), 0);
	assert_sent(fixture, 4, "VolumeId=vol-1");
	assert_sent(fixture, 4, "InstanceId=i-1");
}

/* Data that its system has not written yet would be lost. */
static void test_attachment_is_never_forced(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME(ATTACHED("i-1", "attached"))));
	expect(fixture, "DetachVolume", REPLY("DetachVolume", "<volumeId>vol-1</volumeId>"));
	fake_aws_script(&fixture->aws, (struct fake_answer){ .body = VOLUMES(VOLUME(ATTACHED("i-1", "busy"))) });
	fixture->aws.repeat_last = true;
	assert_int_equal(remove_it(fixture, UNDO_ATTACHMENT, ON_INSTANCE), -1);
	assert_int_equal(fixture->err.kind, ERROR_TIMEOUT);
	assert_says(fixture, "attachment vol-1 i-1 to be gone");
	assert_says(fixture, "busy");
	for (unsigned i = 0; i < fixture->aws.n_requests; i++) {
		assert_false(fake_aws_sent(&fixture->aws, i, "Force=true"));
		if (i != 1)
			assert_int_equal(strncmp(fixture->aws.bodies[i], "Action=DescribeVolumes&", 23), 0);
	}
}

static void test_attachment_that_is_gone(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DescribeVolumes", "InvalidVolume.NotFound");
	assert_int_equal(remove_it(fixture, UNDO_ATTACHMENT, ON_INSTANCE), 0);
	/* attached to another one by now */
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME(ATTACHED("i-2", "attached"))));
	assert_int_equal(remove_it(fixture, UNDO_ATTACHMENT, ON_INSTANCE), 0);
	expect_error(fixture, "DescribeVolumes", "UnauthorizedOperation");
	assert_int_equal(remove_it(fixture, UNDO_ATTACHMENT, ON_INSTANCE), -1);
}

/* --- routes --- */

static void test_routes_that_count(void **state)
{
	static const struct {
		const char *table;
		size_t count;
	} cases[] = {
		{ TABLE(ROUTE("10.9.0.0/16", TO_INSTANCE("i-1")) ROUTE("10.0.0.0/8", TO_INSTANCE("i-1"))), 1 },
		{ TABLE(ROUTE("10.0.0.0/8", TO_INSTANCE("i-2"))), 0 },
		{ TABLE(ROUTE("10.0.0.0/8", TO_GATEWAY("igw-1"))), 0 },
		{ TABLE(ROUTE("10.0.0.0/16", TO_INSTANCE("i-1"))), 0 },
		{ TABLE(""), 0 },
		{ REPLY("DescribeRouteTables", "<routeTableSet/>"), 0 },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(fixture, "DescribeRouteTables", cases[i].table);
		assert_int_equal(find(fixture, UNDO_ROUTE, PLAIN_ROUTE), 0);
		assert_int_equal(fixture->count, cases[i].count);
		if (fixture->count == 0)
			continue;
		assert_string_equal(fixture->found[0].id, PLAIN_ROUTE);
		assert_string_equal(fixture->found[0].state, "active");
	}
	expect_error(fixture, "DescribeRouteTables", "InvalidRouteTableID.NotFound");
	assert_int_equal(find(fixture, UNDO_ROUTE, PLAIN_ROUTE), 0);
	assert_int_equal(fixture->count, 0);
}

static void test_new_route_is_deleted(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_INSTANCE("i-1"))));
	expect(fixture, "DeleteRoute", DONE("DeleteRoute"));
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, PLAIN_ROUTE), 0);
	assert_sent(fixture, 1, "RouteTableId=rtb-1");
	assert_sent(fixture, 1, "DestinationCidrBlock=10.0.0.0%2F8");
	/* the same without waiting */
	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_INSTANCE("i-1"))));
	expect(fixture, "DeleteRoute", DONE("DeleteRoute"));
	assert_int_equal(hurry(fixture, UNDO_ROUTE, PLAIN_ROUTE), 0);
}

static void test_route_leads_where_it_led_before(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_INSTANCE("i-1"))));
	expect(fixture, "ReplaceRoute", DONE("ReplaceRoute"));
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, ROUTE_FROM_GATEWAY), 0);
	assert_sent(fixture, 1, "GatewayId=igw-1");
	assert_sent(fixture, 1, "DestinationCidrBlock=10.0.0.0%2F8");
	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_INSTANCE("i-1"))));
	expect_error(fixture, "ReplaceRoute", "UnauthorizedOperation");
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, ROUTE_FROM_GATEWAY), -1);
	assert_says(fixture, "UnauthorizedOperation");
}

/* As a rule an instance in whose place the new one came. */
static void test_route_whose_old_target_is_gone(void **state)
{
	struct fixture *fixture = *state;
	char log[8192];

	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_INSTANCE("i-1"))));
	expect_error(fixture, "ReplaceRoute", "InvalidInstanceID");
	expect(fixture, "DeleteRoute", DONE("DeleteRoute"));
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, "rtb-1 10.0.0.0/8 i-1 InstanceId i-0"), 0);
	fake_aws_log(&fixture->aws, log, sizeof(log));
	assert_non_null(strstr(log, "route 10.0.0.0/8 of rtb-1 cannot lead to i-0 again"));
}

static void test_route_that_somebody_else_changed(void **state)
{
	struct fixture *fixture = *state;
	char log[8192];

	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_GATEWAY("igw-7"))));
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, ROUTE_FROM_GATEWAY), 0);
	fake_aws_log(&fixture->aws, log, sizeof(log));
	assert_non_null(strstr(log, "route 10.0.0.0/8 of rtb-1 leads to igw-7 by now, not to i-1: it is left as it is"));
}

static void test_route_that_never_led_there(void **state)
{
	struct fixture *fixture = *state;
	char log[8192];

	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_GATEWAY("igw-1"))));
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, ROUTE_FROM_GATEWAY), 0);
	expect(fixture, "DescribeRouteTables", TABLE(""));
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, PLAIN_ROUTE), 0);
	expect_error(fixture, "DescribeRouteTables", "InvalidRouteTableID.NotFound");
	assert_int_equal(remove_it(fixture, UNDO_ROUTE, PLAIN_ROUTE), 0);
	fake_aws_log(&fixture->aws, log, sizeof(log));
	assert_null(strstr(log, "left as it is"));
}

/* --- what is on its way --- */

static void test_awaited(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeRouteTables", TABLE(""));
	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("10.0.0.0/8", TO_INSTANCE("i-1"))));
	assert_int_equal(leftover_await(&fixture->aws.ec2, fixture->arena, UNDO_ROUTE, PLAIN_ROUTE, NULL, &fixture->found,
					&fixture->count, &fixture->err), 0);
	assert_int_equal(fixture->count, 1);
	expect(fixture, "DescribeInstances", INSTANCES(""));
	fixture->aws.repeat_last = true;
	assert_int_equal(leftover_await(&fixture->aws.ec2, fixture->arena, UNDO_INSTANCE, NULL, "d/r/1-x", &fixture->found,
					&fixture->count, &fixture->err), 0);
	assert_int_equal(fixture->count, 0);
	assert_true(fixture->aws.now_ms >= LEFTOVER_AWAIT_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_names),
		TEST(test_instances_that_count),
		TEST(test_instance_ends),
		TEST(test_instance_that_only_descriptions_know),
		TEST(test_instance_that_nobody_knows),
		TEST(test_protected_instance),
		TEST(test_instance_that_takes_long),
		TEST(test_instance_in_a_hurry),
		TEST(test_interfaces_that_count),
		TEST(test_interface_goes),
		TEST(test_interface_waits_for_its_instance),
		TEST(test_interface_that_detaches),
		TEST(test_interface_of_a_running_instance),
		TEST(test_interface_whose_holder_is_unknown),
		TEST(test_interface_that_never_comes_free),
		TEST(test_interface_in_a_hurry),
		TEST(test_attachments_that_count),
		TEST(test_links_without_a_name),
		TEST(test_attachment_through_its_states),
		TEST(test_attachment_is_never_forced),
		TEST(test_attachment_that_is_gone),
		TEST(test_routes_that_count),
		TEST(test_new_route_is_deleted),
		TEST(test_route_leads_where_it_led_before),
		TEST(test_route_whose_old_target_is_gone),
		TEST(test_route_that_somebody_else_changed),
		TEST(test_route_that_never_led_there),
		TEST(test_awaited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
