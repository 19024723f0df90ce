/* SPDX-License-Identifier: Apache-2.0 */
/* Which attempts are made in which order, what each leaves behind, and what is said when none runs. */
#include "cpi/methods/vm_launch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/buf.h"
#include "tests/unit/create_kit.h"

#define ZONE "us-east-1a"
#define FREE_NIC(id) CREATE_KIT_NICS(CREATE_KIT_NIC(id, "available", ""))

struct fixture {
	struct vm_spec spec;
	struct nic nic;
	struct nic_plan nics;
	struct vm_lookups lookups;
	struct vm_candidate candidates[3];
	struct instance_own_interface own[2];
	struct vm_interfaces interfaces;
	struct vm_launch launch;
	struct instance instance;
	const struct vm_candidate *candidate;
};

static void prepare(struct fixture *fixture)
{
	static const char *const types[] = { "a", "b", "c" };

	*fixture = (struct fixture){
		.spec = { .agent_id = "agent-1", .stemcell_cid = "ami-1" },
		.nic = { .group = "net", .subnet = "subnet-1", .mac = "" },
		.nics = { .nics = &fixture->nic, .n_nics = 1, .simple = true },
		.lookups = { .availability_zone = ZONE },
		.own = { { .id = "eni-1" }, { .id = "eni-2" } },
		.interfaces = { .items = fixture->own, .count = 2 },
	};
	for (size_t i = 0; i < 3; i++)
		fixture->candidates[i] = (struct vm_candidate){ .type = types[i], .devices.system_path = "/dev/xvda" };
	fixture->launch = (struct vm_launch){
		.spec = &fixture->spec,
		.nics = &fixture->nics,
		.lookups = &fixture->lookups,
		.candidates = fixture->candidates,
		.n_candidates = 1,
		.settings = { .spec = &fixture->spec, .nics = &fixture->nics, .vm_name = "vm-1" },
		.whole_settings = true,
	};
}

static int launch(struct create_kit *kit, struct fixture *fixture)
{
	return vm_launch_run(&kit->call, &fixture->launch, &fixture->instance, &fixture->candidate, &kit->err);
}

static void refuse(struct create_kit *kit, int status, const char *code)
{
	fake_aws_script(kit->aws, (struct fake_answer){
					  .action = "RunInstances", .status = status, .body = fake_aws_error(code, "because") });
}

static void die(struct create_kit *kit, const char *dying)
{
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	fake_ec2_say(kit->aws, "DescribeInstances", dying);
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("terminated", ""));
}

static void run_well(struct create_kit *kit)
{
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("running", ""));
}

/* One letter for what becomes of an attempt. */
static void script(struct create_kit *kit, const char *outcomes)
{
	for (; *outcomes != '\0'; outcomes++) {
		switch (*outcomes) {
		case 'r':
			run_well(kit);
			break;
		case 'c':
			refuse(kit, 500, "InsufficientInstanceCapacity");
			break;
		case 'C':
			die(kit, CREATE_KIT_DYING("Server.InsufficientInstanceCapacity: none left"));
			break;
		case 'd':
			die(kit, CREATE_KIT_DYING("Server.InternalError: on launch"));
			break;
		case 't':
			refuse(kit, 400, "IdempotentInstanceTerminated");
			break;
		case 'p':
			refuse(kit, 400, "SpotMaxPriceTooLow");
			break;
		default:
			refuse(kit, 400, "InvalidParameterValue");
		}
	}
}

static const char *client_token(const struct create_kit *kit, unsigned request)
{
	const char *token = strstr(kit->aws->bodies[request], "ClientToken=");

	assert_non_null(token);
	return token;
}

/* "spot:a a b"; each with a token of its own. */
static void check_attempts(const struct create_kit *kit, const char *wanted)
{
	CLEANUP_BUF struct buf text = BUF_INIT(1024);
	static const char *const types[] = { "InstanceType=a", "InstanceType=b", "InstanceType=c" };

	for (unsigned n = 0; n < create_kit_count(kit, "RunInstances"); n++) {
		unsigned request = fake_aws_find(kit->aws, "RunInstances", n);
		bool spot = fake_aws_sent(kit->aws, request, "InstanceMarketOptions.MarketType=spot");
		buf_printf(&text, "%s%s", n == 0 ? "" : " ", spot ? "spot:" : "");
		for (size_t i = 0; i < 3; i++)
			if (fake_aws_sent(kit->aws, request, types[i]))
				buf_str(&text, types[i] + strlen("InstanceType="));
		for (unsigned before = 0; before < n; before++)
			assert_int_not_equal(0, strncmp(client_token(kit, fake_aws_find(kit->aws, "RunInstances", before)),
							client_token(kit, request), strlen("ClientToken=cpi-") + 38));
	}
	assert_string_equal(buf_text(&text), wanted);
}

static void test_attempts(void **state)
{
	static const struct {
		const char *outcomes;
		bool spot, fallback;
		size_t n_types;
		const char *wanted;
		const char *failure; /* NULL: the last one runs */
		enum error_kind kind;
	} table[] = {
		{ "r", false, false, 2, "a", NULL, 0 },
		{ "cr", false, false, 2, "a b", NULL, 0 },
		{ "cCr", false, false, 3, "a b c", NULL, 0 },
		{ "c", false, false, 1, "a", "EC2 has no capacity for a in " ZONE ": ", ERROR_VM_CREATION_FAILED },
		{ "C", false, false, 1, "a", "Server.InsufficientInstanceCapacity", ERROR_VM_CREATION_FAILED },
		{ "cc", false, false, 2, "a b", "none of 2 instance types could be launched: EC2 has no capacity for b in " ZONE,
		  ERROR_VM_CREATION_FAILED },
		/* two retries, of one VM */
		{ "ddr", false, false, 2, "a a a", NULL, 0 },
		{ "ddd", false, false, 2, "a a a", "terminated while it was starting: Server.InternalError",
		  ERROR_VM_CREATION_FAILED },
		{ "dcdd", false, false, 2, "a a b b", "Server.InternalError", ERROR_VM_CREATION_FAILED },
		{ "tr", false, false, 1, "a a", NULL, 0 },
		{ "ttt", false, false, 1, "a a a", "IdempotentInstanceTerminated", ERROR_VM_CREATION_FAILED },
		/* further types are for lack of capacity alone */
		{ "x", false, false, 2, "a", "InvalidParameterValue", ERROR_AWS },
		{ "cx", false, false, 3, "a b", "InvalidParameterValue", ERROR_AWS },
		/* spot */
		{ "r", true, false, 1, "spot:a", NULL, 0 },
		{ "p", true, false, 2, "spot:a", "Spot instance creation failed: ", ERROR_VM_CREATION_FAILED },
		{ "x", true, false, 1, "spot:a", "InvalidParameterValue", ERROR_VM_CREATION_FAILED },
		{ "cr", true, false, 2, "spot:a spot:b", NULL, 0 },
		{ "cc", true, false, 2, "spot:a spot:b",
		  "none of 2 instance types could be launched: Spot instance creation failed: EC2 has no capacity for spot "
		  "instances of type b in " ZONE, ERROR_VM_CREATION_FAILED },
		{ "pr", true, true, 2, "spot:a a", NULL, 0 },
		{ "xr", true, true, 2, "spot:a a", NULL, 0 },
		{ "ccr", true, true, 2, "spot:a spot:b a", NULL, 0 },
		{ "cpcr", true, true, 2, "spot:a spot:b a b", NULL, 0 },
		{ "px", true, true, 2, "spot:a a", "InvalidParameterValue", ERROR_AWS },
		{ "pcc", true, true, 2, "spot:a a b", "no capacity for b", ERROR_VM_CREATION_FAILED },
		/* an instance that dies is no refusal, and is counted with those that were paid otherwise */
		{ "ddd", true, true, 1, "spot:a spot:a spot:a", "Server.InternalError", ERROR_VM_CREATION_FAILED },
		{ "dpdd", true, true, 1, "spot:a spot:a a a", "Server.InternalError", ERROR_VM_CREATION_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		prepare(&fixture);
		fixture.launch.n_candidates = table[i].n_types;
		fixture.spec.spot_max_price = table[i].spot ? "0.03" : NULL;
		fixture.spec.spot_ondemand_fallback = table[i].fallback;
		script(kit, table[i].outcomes);
		assert_int_equal(launch(kit, &fixture), table[i].failure == NULL ? 0 : -1);
		check_attempts(kit, table[i].wanted);
		if (table[i].failure == NULL) {
			assert_string_equal(fixture.instance.state, "running");
			assert_int_equal(fixture.candidate->type[0], table[i].wanted[strlen(table[i].wanted) - 1]);
		} else {
			create_kit_expect(kit, table[i].kind, false, table[i].failure);
			create_kit_nothing_left(kit);
		}
		create_kit_close(kit);
	}
}

/* --- what may be there although RunInstances failed --- */

static void lose(struct create_kit *kit)
{
	for (int i = 0; i < 3; i++)
		refuse(kit, 500, "InternalError");
}

static void expect_removal(struct create_kit *kit)
{
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("pending", ""));
	fake_ec2_say(kit->aws, "TerminateInstances", FAKE_EC2_RETURN("TerminateInstances"));
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("terminated", ""));
}

/* Nobody would learn of the spot instance once there is another in its place. */
static void test_lost_spot_instance_goes_before_the_next(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fixture.spec.spot_max_price = "0.03";
	fixture.spec.spot_ondemand_fallback = true;
	lose(kit);
	expect_removal(kit);
	run_well(kit);
	assert_int_equal(launch(kit, &fixture), 0);
	assert_true(fake_aws_sent(kit->aws, 3, "Filter.1.Name=tag%3Aaws-cpi-request"));
	assert_int_equal(fake_aws_find(kit->aws, "RunInstances", 3), 6);
}

static void test_lost_spot_instance_that_stays(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fixture.spec.spot_max_price = "0.03";
	fixture.spec.spot_ondemand_fallback = true;
	lose(kit);
	fake_ec2_refuse(kit->aws, "DescribeInstances", "UnauthorizedOperation");
	assert_int_equal(launch(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_VM_CREATION_FAILED, false, "InternalError");
	assert_true(create_kit_logged(kit, "not tried any further"));
	assert_int_equal(create_kit_count(kit, "RunInstances"), 3);
}

/* Without a next attempt it is left to undoing. */
static void test_lost_instance(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	lose(kit);
	assert_int_equal(launch(kit, &fixture), -1);
	assert_int_equal(kit->aws->n_requests, 3);
	expect_removal(kit);
	undo_run(kit->call.undo, NULL);
}

static void test_lost_spot_instance_without_another(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fixture.spec.spot_max_price = "0.03";
	lose(kit);
	assert_int_equal(launch(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_VM_CREATION_FAILED, false, "Spot instance creation failed: ");
	assert_int_equal(kit->aws->n_requests, 3);
}

/* --- waiting --- */

static void test_never_runs(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("pending", ""));
	kit->aws->repeat_last = true;
	assert_int_equal(launch(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_VM_CREATION_FAILED, true, "i-1");
}

static void test_other_words_for_no_capacity(void **state)
{
	static const char *const codes[] = { "UnfulfillableCapacity", "InsufficientCapacity", "InsufficientHostCapacity",
					     "InsufficientCapacityOnHost", "InsufficientReservedInstanceCapacity" };

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		prepare(&fixture);
		fixture.launch.n_candidates = 2;
		refuse(kit, 400, codes[i]);
		script(kit, "r");
		assert_int_equal(launch(kit, &fixture), 0);
		assert_string_equal(fixture.candidate->type, "b");
		create_kit_close(kit);
	}
}

static void test_stops(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("stopped", ""));
	assert_int_equal(launch(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_VM_CREATION_FAILED, false, "instance i-1 is stopped instead of running");
}

/* RunInstances has answered, and DescribeInstances does not know of it yet. */
static void test_not_known_at_first(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	for (int i = 0; i < 3; i++)
		fake_ec2_refuse(kit->aws, "DescribeInstances", "InvalidInstanceID.NotFound");
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_INSTANCES("running", ""));
	assert_int_equal(launch(kit, &fixture), 0);
}

static void test_signal_while_waiting(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	fake_aws_script(kit->aws, (struct fake_answer){ .action = "DescribeInstances", .way = FAKE_SIGNAL });
	assert_int_equal(launch(kit, &fixture), -1);
	assert_int_equal(kit->err.kind, ERROR_CANCELLED);
	expect_removal(kit);
	undo_run(kit->call.undo, NULL);
}

/* The dead one is not waited for any longer, and none comes after it. */
static void test_signal_while_dying(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	fake_ec2_say(kit->aws, "DescribeInstances", CREATE_KIT_DYING("Server.InternalError: on launch"));
	fake_aws_script(kit->aws, (struct fake_answer){ .action = "DescribeInstances", .way = FAKE_SIGNAL });
	assert_int_equal(launch(kit, &fixture), -1);
	assert_int_equal(kit->err.kind, ERROR_CANCELLED);
}

/* --- interfaces of its own --- */

static void use_own_interfaces(struct fixture *fixture)
{
	fixture->nics.simple = false;
	fixture->launch.interfaces = &fixture->interfaces;
}

static void expect_free(struct create_kit *kit)
{
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", FREE_NIC("eni-1"));
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", FREE_NIC("eni-2"));
}

static void check_same_interfaces(const struct create_kit *kit)
{
	for (unsigned n = 0; n < 2; n++) {
		unsigned request = fake_aws_find(kit->aws, "RunInstances", n);
		assert_true(fake_aws_sent(kit->aws, request, "NetworkInterface.1.NetworkInterfaceId=eni-1"));
		assert_true(fake_aws_sent(kit->aws, request, "NetworkInterface.2.NetworkInterfaceId=eni-2"));
	}
}

static void test_own_interfaces_come_again(void **state)
{
	static const struct {
		const char *first;
		bool waited; /* until they are free */
	} table[] = {
		{ "d", true },
		/* EC2 speaks of an instance that we have not seen: it may have them */
		{ "t", true },
		/* nothing has had them */
		{ "c", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct create_kit *kit = create_kit_open();
		struct fixture fixture;
		prepare(&fixture);
		use_own_interfaces(&fixture);
		fixture.launch.n_candidates = 2;
		script(kit, table[i].first);
		if (table[i].waited)
			expect_free(kit);
		script(kit, "r");
		assert_int_equal(launch(kit, &fixture), 0);
		check_same_interfaces(kit);
		create_kit_close(kit);
	}
}

static void test_own_interfaces_have_their_addresses(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	use_own_interfaces(&fixture);
	refuse(kit, 400, "InvalidIPAddress.InUse");
	assert_int_equal(launch(kit, &fixture), -1);
	create_kit_expect(kit, ERROR_AWS, false, "InvalidIPAddress.InUse");
}

/* --- a taken address --- */

static void test_address_comes_free(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fixture.nic.ipv4 = "10.0.0.5";
	refuse(kit, 400, "InvalidIPAddress.InUse");
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", FREE_NIC("eni-9"));
	fake_ec2_say(kit->aws, "DescribeNetworkInterfaces", CREATE_KIT_NICS(""));
	script(kit, "r");
	assert_int_equal(launch(kit, &fixture), 0);
	/* the same thing asked for again */
	assert_string_equal(kit->aws->bodies[0], kit->aws->bodies[3]);
}

static void test_signal_while_the_address_is_taken(void **state)
{
	struct create_kit *kit = *state;
	struct fixture fixture;

	prepare(&fixture);
	fixture.nic.ipv4 = "10.0.0.5";
	refuse(kit, 400, "InvalidIPAddress.InUse");
	fake_aws_script(kit->aws, (struct fake_answer){ .action = "DescribeNetworkInterfaces", .way = FAKE_SIGNAL });
	assert_int_equal(launch(kit, &fixture), -1);
	assert_int_equal(kit->err.kind, ERROR_CANCELLED);
	/* RunInstances was refused: there is nothing to look for */
	create_kit_nothing_left(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts),
		CREATE_KIT_TEST(test_lost_spot_instance_goes_before_the_next),
		CREATE_KIT_TEST(test_lost_spot_instance_that_stays),
		CREATE_KIT_TEST(test_lost_instance),
		CREATE_KIT_TEST(test_lost_spot_instance_without_another),
		CREATE_KIT_TEST(test_never_runs),
		cmocka_unit_test(test_other_words_for_no_capacity),
		CREATE_KIT_TEST(test_stops),
		CREATE_KIT_TEST(test_not_known_at_first),
		CREATE_KIT_TEST(test_signal_while_waiting),
		CREATE_KIT_TEST(test_signal_while_dying),
		cmocka_unit_test(test_own_interfaces_come_again),
		CREATE_KIT_TEST(test_own_interfaces_have_their_addresses),
		CREATE_KIT_TEST(test_address_comes_free),
		CREATE_KIT_TEST(test_signal_while_the_address_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
