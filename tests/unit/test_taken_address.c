/* SPDX-License-Identifier: Apache-2.0 */
/* A taken address: which holders are waited for, how long, and who is named. */
#include "cpi/methods/taken_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/create_kit.h"

#define MINUTE ((int64_t)60 * 1000)
#define ATTACHED(status, instance)                                                                                     \
	"<attachment><attachmentId>eni-attach-1</attachmentId><status>" status "</status>" instance "</attachment>"
#define OF_INSTANCE "<instanceId>i-1</instanceId>"
#define NOBODY CREATE_KIT_NICS("")
#define HELD(more) CREATE_KIT_NICS(CREATE_KIT_NIC("eni-1", "in-use", more))
#define NO_INSTANCE CREATE_KIT_ANSWER("DescribeInstances", "<reservationSet/>")

static const struct error refusal = {
	.kind = ERROR_AWS,
	.http_status = 400,
	.message = "EC2 refused",
	.aws_code = "InvalidIPAddress.InUse",
};

static struct taken_address begin(const struct create_kit *kit)
{
	struct taken_address address = { .subnet = "subnet-1", .ipv4 = "10.0.0.5" };

	taken_address_begin(&kit->call, &address);
	return address;
}

static void test_is(void **state)
{
	struct error err = refusal;

	(void)state;
	assert_true(taken_address_is(&err));
	err.kind = ERROR_CLOUD;
	assert_false(taken_address_is(&err));
	err = refusal;
	snprintf(err.aws_code, sizeof(err.aws_code), "InvalidIPAddress.NotFound");
	assert_false(taken_address_is(&err));
}

/* One look each: who stays fails at once, all others end at "try again" once nobody is to be seen. */
static void test_holders(void **state)
{
	static const struct {
		const char *interface;
		const char *instance; /* NULL: it is not asked for */
		const char *seen;     /* in the error; NULL: waited for */
	} table[] = {
		{ HELD(ATTACHED("attached", OF_INSTANCE)), CREATE_KIT_INSTANCES("running", ""),
		  "network interface eni-1 (in-use) of instance i-1 (running)" },
		{ HELD(ATTACHED("attaching", OF_INSTANCE)), CREATE_KIT_INSTANCES("pending", ""), "i-1 (pending)" },
		{ HELD(ATTACHED("attached", OF_INSTANCE)), CREATE_KIT_INSTANCES("stopped", ""), "i-1 (stopped)" },
		{ HELD(ATTACHED("attached", "")), NULL, "network interface eni-1 (in-use)" },
		{ HELD(ATTACHED("attached", "") "<tagSet><item><key>Name</key><value>nat</value></item></tagSet>"), NULL,
		  "eni-1 (in-use, nat)" },
		{ HELD(ATTACHED("attached", OF_INSTANCE)), CREATE_KIT_INSTANCES("shutting-down", ""), NULL },
		{ HELD(ATTACHED("attached", OF_INSTANCE)), CREATE_KIT_INSTANCES("terminated", ""), NULL },
		{ HELD(ATTACHED("attached", OF_INSTANCE)), NO_INSTANCE, NULL },
		{ HELD(ATTACHED("detaching", OF_INSTANCE)), CREATE_KIT_INSTANCES("running", ""), NULL },
		{ CREATE_KIT_NICS(CREATE_KIT_NIC("eni-1", "detaching", ATTACHED("attached", ""))), NULL, NULL },
		{ CREATE_KIT_NICS(CREATE_KIT_NIC("eni-1", "available", "")), NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct taken_address address = begin(kit);
		fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", table[i].interface);
		if (table[i].instance != NULL)
			fake_ec2_say(kit->aws, "DescribeInstances", table[i].instance);
		if (table[i].seen == NULL)
			fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", NOBODY);
		int result = taken_address_wait(&kit->call, &address, &refusal, &kit->err);
		assert_int_equal(result, table[i].seen == NULL ? 0 : -1);
		/* no second pause once it has gone */
		assert_in_range(kit->aws->now_ms, table[i].seen == NULL ? 2000 : 0, table[i].seen == NULL ? 2500 : 500);
		if (table[i].seen != NULL) {
			create_kit_expect(kit, ERROR_AWS, false, "address 10.0.0.5 in subnet subnet-1 is taken: it is held by");
			create_kit_expect(kit, ERROR_AWS, false, table[i].seen);
			create_kit_expect(kit, ERROR_AWS, false, "EC2 refused");
			assert_true(taken_address_is(&kit->err));
		}
		create_kit_close(kit);
	}
}

static void test_asked_by_address(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address address = begin(kit);

	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", NOBODY);
	assert_int_equal(taken_address_wait(&kit->call, &address, &refusal, &kit->err), 0);
	assert_true(fake_aws_sent(kit->aws, 0, "Filter.1.Name=subnet-id"));
	assert_true(fake_aws_sent(kit->aws, 0, "Filter.1.Value.1=subnet-1"));
	assert_true(fake_aws_sent(kit->aws, 0, "Filter.2.Name=addresses.private-ip-address"));
	assert_true(fake_aws_sent(kit->aws, 0, "Filter.2.Value.1=10.0.0.5"));
}

/* EC2's filters compare texts, and it writes addresses its own way. */
static void test_ipv6(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address address = { .subnet = "subnet-1", .ipv6 = "2600:1F18:0:0::0005" };

	taken_address_begin(&kit->call, &address);
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", HELD(ATTACHED("attached", OF_INSTANCE)));
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("running", ""));
	assert_int_equal(taken_address_wait(&kit->call, &address, &refusal, &kit->err), -1);
	assert_true(fake_aws_sent(kit->aws, 0, "Filter.2.Name=ipv6-addresses.ipv6-address"));
	assert_true(fake_aws_sent(kit->aws, 0, "Filter.2.Value.1=2600%3A1f18%3A%3A5"));
	create_kit_expect(kit, ERROR_AWS, false, "address 2600:1F18:0:0::0005 in subnet subnet-1");
}

/* Of both, either may be the taken one. */
static void test_both(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address address = begin(kit);

	address.ipv6 = "2600:1f18::5";
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", NOBODY);
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", HELD(ATTACHED("attached", "")));
	assert_int_equal(taken_address_wait(&kit->call, &address, &refusal, &kit->err), -1);
	create_kit_expect(kit, ERROR_AWS, false, "eni-1");
}

/* Whose a prefix is cannot be looked up, nor an address that EC2 picked itself. */
static void test_without_a_look(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address prefix = { .subnet = "subnet-1", .prefix = "10.0.0.16/28" };
	struct taken_address any = { .subnet = "subnet-1" };

	taken_address_begin(&kit->call, &prefix);
	taken_address_begin(&kit->call, &any);
	assert_int_equal(taken_address_wait(&kit->call, &prefix, &refusal, &kit->err), 0);
	assert_true(create_kit_logged(kit, "address 10.0.0.16/28 is still taken"));
	assert_int_equal(taken_address_wait(&kit->call, &any, &refusal, &kit->err), 0);
	assert_int_equal(kit->aws->n_requests, 0);
	assert_true(kit->aws->now_ms >= 4000);
}

static void repeat(struct create_kit *kit, const char *body)
{
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", body);
	kit->aws->repeat_last = true;
}

static void check_ten_minutes(const struct create_kit *kit)
{
	assert_true(kit->aws->now_ms >= 10 * MINUTE);
	assert_true(kit->aws->now_ms < 11 * MINUTE);
	/* not more often than every 15 s in the long run, and not so seldom as the incumbent */
	assert_in_range(kit->aws->n_requests, 40, 50);
}

static void test_leaving_for_ever(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address address = begin(kit);

	repeat(kit, CREATE_KIT_NICS(CREATE_KIT_NIC("eni-1", "available", "")));
	assert_int_equal(taken_address_wait(&kit->call, &address, &refusal, &kit->err), -1);
	create_kit_expect(kit, ERROR_AWS, false, "it is held by network interface eni-1 (available)");
	check_ten_minutes(kit);
}

/* EC2 goes on refusing, and shows nobody: each try is one of the same ten minutes. */
static void test_nobody_for_ever(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address address = begin(kit);

	repeat(kit, NOBODY);
	for (unsigned tries = 0; taken_address_wait(&kit->call, &address, &refusal, &kit->err) == 0; tries++)
		assert_in_range(tries, 0, 60);
	create_kit_expect(kit, ERROR_AWS, false, "nobody that can be seen holds it");
	check_ten_minutes(kit);
}

static void test_look_fails(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address address = begin(kit);

	fake_ec2_refuse(kit->aws, "DescribeNetworkInterfaces", "UnauthorizedOperation");
	assert_int_equal(taken_address_wait(&kit->call, &address, &refusal, &kit->err), -1);
	create_kit_expect(kit, ERROR_AWS, false, "UnauthorizedOperation");
	assert_true(taken_address_is(&kit->err));
}

static void test_signal(void **state)
{
	struct create_kit *kit = *state;
	struct taken_address address = begin(kit);

	fake_aws_script(kit->aws, (struct fake_answer){ .action = "DescribeNetworkInterfaces", .way = FAKE_SIGNAL });
	assert_int_equal(taken_address_wait(&kit->call, &address, &refusal, &kit->err), -1);
	assert_int_equal(kit->err.kind, ERROR_CANCELLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_holders),
		CREATE_KIT_TEST(test_asked_by_address),
		CREATE_KIT_TEST(test_ipv6),
		CREATE_KIT_TEST(test_both),
		CREATE_KIT_TEST(test_without_a_look),
		CREATE_KIT_TEST(test_leaving_for_ever),
		CREATE_KIT_TEST(test_nobody_for_ever),
		CREATE_KIT_TEST(test_look_fails),
		CREATE_KIT_TEST(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
