/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with a VM that exists, call by call. */
#include "cpi/methods/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/fake_aws.h"

#define ID "i-0123456789abcdef0"
#define REPLY(action, inner)                                                                                           \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" action "Response><requestId>r</requestId>" inner "</" action "Response>"
#define INSTANCE(state, mappings)                                                                                      \
	REPLY("DescribeInstances", "<reservationSet><item><instancesSet><item><instanceId>" ID                         \
				   "</instanceId><instanceState><name>" state                                          \
				   "</name></instanceState><blockDeviceMapping>" mappings                              \
				   "</blockDeviceMapping></item></instancesSet></item></reservationSet>")
#define NO_INSTANCE REPLY("DescribeInstances", "<reservationSet/>")
#define VOLUME(id) "<item><deviceName>/dev/sdf</deviceName><ebs><volumeId>" id "</volumeId></ebs></item>"
#define STORE "<item><deviceName>/dev/sdc</deviceName></item>"
#define DONE(action) REPLY(action, "<return>true</return>")

struct fixture {
	struct fake_aws aws;
	struct config config;
	struct call call;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fake_aws_open(&fixture->aws);
	fixture->call = (struct call){
		.runtime = &fixture->aws.runtime,
		.config = &fixture->config,
		.arena = arena_new(1 << 24),
		.ec2 = &fixture->aws.ec2,
		.method = "method",
		.api_version = 2,
		.stemcell_api_version = 2,
	};
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->call.arena);
	fake_aws_close(&fixture->aws);
	free(fixture);
	return 0;
}

static void expect(struct fixture *fixture, const char *action, const char *body)
{
	fake_aws_script(&fixture->aws, (struct fake_answer){ .action = action, .body = body });
}

static void expect_error(struct fixture *fixture, const char *action, const char *code)
{
	fake_aws_script(&fixture->aws,
			(struct fake_answer){ .action = action, .status = 400, .body = fake_aws_error(code, "because") });
}

static bool logged(struct fixture *fixture, const char *text)
{
	char log[65536];

	fake_aws_log(&fixture->aws, log, sizeof(log));
	return strstr(log, text) != NULL;
}

/* --- delete_vm --- */

/* The state reached at the first look: two calls. */
static void test_delete(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect(fixture, "DescribeInstances", INSTANCE("terminated", ""));
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), 0);
	assert_true(fake_aws_sent(&fixture->aws, 0, "InstanceId.1=" ID));
}

static void test_delete_waits(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect(fixture, "DescribeInstances", INSTANCE("shutting-down", ""));
	expect(fixture, "DescribeInstances", INSTANCE("shutting-down", ""));
	expect_error(fixture, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), 0);
}

static void test_delete_missing(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "TerminateInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_VM_NOT_FOUND);
	assert_non_null(strstr(fixture->err.message, ID));
}

static void test_delete_refused(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "TerminateInstances", "OperationNotPermitted");
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_AWS);
}

static void test_delete_fast(void **state)
{
	struct fixture *fixture = *state;

	fixture->config.fast_path_delete = true;
	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect(fixture, "CreateTags", DONE("CreateTags"));
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), 0);
	assert_true(fake_aws_sent(&fixture->aws, 1, "ResourceId.1=" ID));
	assert_true(fake_aws_sent(&fixture->aws, 1, "Tag.1.Key=Name"));
	assert_true(fake_aws_sent(&fixture->aws, 1, "Tag.1.Value=to%20be%20deleted"));
}

/* The instance is ending all the same. */
static void test_delete_fast_without_tag(void **state)
{
	struct fixture *fixture = *state;

	fixture->config.fast_path_delete = true;
	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect_error(fixture, "CreateTags", "UnauthorizedOperation");
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), 0);
	assert_true(logged(fixture, "could not be renamed"));
}

static void test_delete_fast_signal(void **state)
{
	struct fixture *fixture = *state;

	fixture->config.fast_path_delete = true;
	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	fake_aws_script(&fixture->aws, (struct fake_answer){ .action = "CreateTags", .way = FAKE_SIGNAL });
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
}

static int registry_says_no(void *self, const struct http_request *request, const struct cancel *cancel,
			    struct arena *arena, struct http_response *ret_response, struct error *err)
{
	struct fixture *fixture = self;

	if (strstr(request->url, "registry") == NULL)
		return fixture->aws.http.perform(&fixture->aws, request, cancel, arena, ret_response, err);
	assert_string_equal(request->method, "DELETE");
	*ret_response = (struct http_response){ .status = 401, .body = "" };
	return 0;
}

/* The registry comes last, and only where it is used. */
static void test_delete_with_registry(void **state)
{
	struct fixture *fixture = *state;
	struct http_transport both = { .perform = registry_says_no, .self = fixture };

	fixture->call.stemcell_api_version = 1;
	fixture->config.registry_endpoint = "http://registry:1";
	fixture->aws.runtime.http = &both;
	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect(fixture, "DescribeInstances", INSTANCE("terminated", ""));
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_CLOUD);
	assert_non_null(strstr(fixture->err.message, "http://registry:1"));
	fixture->call.stemcell_api_version = 2;
	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect(fixture, "DescribeInstances", INSTANCE("terminated", ""));
	assert_int_equal(vm_delete(&fixture->call, ID, &fixture->err), 0);
	fixture->aws.runtime.http = &fixture->aws.http;
}

/* --- has_vm --- */

static void test_has(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *answer; /* NULL: InvalidInstanceID.NotFound */
		bool exists;
	} rows[] = { { INSTANCE("running", ""), true },	      { INSTANCE("stopped", ""), true },
		     { INSTANCE("shutting-down", ""), true }, { INSTANCE("terminated", ""), false },
		     { NO_INSTANCE, false },		      { NULL, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool exists = !rows[i].exists;
		if (rows[i].answer == NULL)
			expect_error(fixture, "DescribeInstances", "InvalidInstanceID.NotFound");
		else
			expect(fixture, "DescribeInstances", rows[i].answer);
		assert_int_equal(vm_has(&fixture->call, ID, &exists, &fixture->err), 0);
		assert_int_equal(exists, rows[i].exists);
	}
}

static void test_has_fails(void **state)
{
	struct fixture *fixture = *state;
	bool exists;

	expect_error(fixture, "DescribeInstances", "UnauthorizedOperation");
	assert_int_equal(vm_has(&fixture->call, ID, &exists, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_AWS);
}

/* --- reboot_vm --- */

static void test_reboot(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "RebootInstances", DONE("RebootInstances"));
	assert_int_equal(vm_reboot(&fixture->call, ID, &fixture->err), 0);
	assert_true(fake_aws_sent(&fixture->aws, 0, "InstanceId.1=" ID));
	expect_error(fixture, "RebootInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(vm_reboot(&fixture->call, ID, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_VM_NOT_FOUND);
	expect_error(fixture, "RebootInstances", "UnauthorizedOperation");
	assert_int_equal(vm_reboot(&fixture->call, ID, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_AWS);
	assert_null(strstr(fixture->err.message, "StartInstances"));
}

static void test_reboot_stopped(void **state)
{
	struct fixture *fixture = *state;
	static const char *const codes[] = { "IncorrectInstanceState", "IncorrectState" };

	for (size_t i = 0; i < 2; i++) {
		expect_error(fixture, "RebootInstances", codes[i]);
		expect(fixture, "StartInstances", DONE("StartInstances"));
		assert_int_equal(vm_reboot(&fixture->call, ID, &fixture->err), 0);
	}
	assert_true(fake_aws_sent(&fixture->aws, 1, "InstanceId.1=" ID));
	assert_true(logged(fixture, "started instead of rebooted"));
}

/* It cannot be started until it has stopped. */
static void test_reboot_stopping(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "RebootInstances", "IncorrectInstanceState");
	for (size_t i = 0; i < 3; i++) {
		expect_error(fixture, "StartInstances", "IncorrectInstanceState");
		expect(fixture, "DescribeInstances", INSTANCE("stopping", ""));
	}
	expect(fixture, "StartInstances", DONE("StartInstances"));
	assert_int_equal(vm_reboot(&fixture->call, ID, &fixture->err), 0);
}

static void test_reboot_terminated(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "RebootInstances", "IncorrectInstanceState");
	expect_error(fixture, "StartInstances", "IncorrectInstanceState");
	expect(fixture, "DescribeInstances", INSTANCE("terminated", ""));
	assert_int_equal(vm_reboot(&fixture->call, ID, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_VM_NOT_FOUND);
	assert_non_null(strstr(fixture->err.message, "terminated"));
}

static void test_reboot_start_denied(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "RebootInstances", "IncorrectInstanceState");
	expect_error(fixture, "StartInstances", "UnauthorizedOperation");
	assert_int_equal(vm_reboot(&fixture->call, ID, &fixture->err), -1);
	assert_non_null(strstr(fixture->err.message, "ec2:StartInstances is not allowed"));
	assert_string_equal(fixture->err.aws_code, "UnauthorizedOperation");
}

/* --- set_vm_metadata --- */

struct naming {
	struct ec2_tag tags[4];
	size_t count;
	const char *name; /* NULL: none */
};

static void set(struct fixture *fixture, const struct ec2_tag *tags, size_t count)
{
	const struct ec2_tags metadata = { tags, count };

	assert_int_equal(vm_set_metadata(&fixture->call, ID, metadata, &fixture->err), 0);
}

/* The instance and its volumes in one call; two in all. */
static void test_metadata(void **state)
{
	struct fixture *fixture = *state;
	static const struct ec2_tag tags[] = { { "deployment", "cf" }, { "id", "1" } };

	expect(fixture, "DescribeInstances", INSTANCE("running", VOLUME("vol-a") STORE VOLUME("vol-b")));
	expect(fixture, "CreateTags", DONE("CreateTags"));
	set(fixture, tags, 2);
	static const char *const sent[] = { ("ResourceId.1=" ID),	  "ResourceId.2=vol-a",	 "ResourceId.3=vol-b",
					    "Tag.1.Key=deployment", "Tag.1.Value=cf",	 "Tag.2.Key=id" };
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		assert_true(fake_aws_sent(&fixture->aws, 1, sent[i]));
	assert_null(strstr(fixture->aws.bodies[1], "ResourceId.4"));
	assert_null(strstr(fixture->aws.bodies[1], "Tag.3"));
}

static void test_names(void **state)
{
	struct fixture *fixture = *state;
	static const struct naming rows[] = {
		{ { { "job", "router" }, { "index", "0" }, { "name", "router%2Fuuid" } }, 3, "router%252Fuuid" },
		{ { { "job", "router" }, { "index", "0" } }, 2, "router%2F0" },
		{ { { "job", "router" }, { "compiling", "ruby" } }, 2, "compiling%2Fruby" },
		{ { { "index", "0" } }, 1, NULL },
		{ { { "Name", "old" }, { "name", "new" } }, 2, "new" },
		{ { { "Name", "own" } }, 1, "own" },
		{ { { "name", "" }, { "job", "j" }, { "index", "1" } }, 3, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char value[100] = "";
		expect(fixture, "DescribeInstances", INSTANCE("running", ""));
		expect(fixture, "CreateTags", DONE("CreateTags"));
		set(fixture, rows[i].tags, rows[i].count);
		const char *body = fixture->aws.bodies[2 * i + 1];
		assert_null(strstr(body, "Key=name"));
		const char *found = strstr(body, ".Key=Name&");
		assert_int_equal(found != NULL, rows[i].name != NULL);
		if (found == NULL)
			continue;
		const char *start = strstr(found, "Value=") + strlen("Value=");
		memcpy(value, start, strcspn(start, "&"));
		assert_string_equal(value, rows[i].name);
	}
}

/* In Unicode characters: an e with an accent is one. */
static void test_metadata_is_cut(void **state)
{
	struct fixture *fixture = *state;
	char key[2 * 200 + 1] = "", value[2 * 300 + 1] = "";

	for (size_t i = 0; i < 200; i++)
		memcpy(key + 2 * i, "\xC3\xA9", 2);
	for (size_t i = 0; i < 300; i++)
		memcpy(value + 2 * i, "\xC3\xA9", 2);
	const struct ec2_tag tag = { key, value };
	expect(fixture, "DescribeInstances", INSTANCE("running", ""));
	expect(fixture, "CreateTags", DONE("CreateTags"));
	set(fixture, &tag, 1);
	size_t escapes = 0;
	for (const char *at = fixture->aws.bodies[1]; (at = strstr(at, "%C3%A9")) != NULL; at++)
		escapes++;
	assert_int_equal(escapes, 127 + 255);
}

static void test_metadata_missing(void **state)
{
	struct fixture *fixture = *state;
	static const struct ec2_tag tag = { "a", "b" };

	expect_error(fixture, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(vm_set_metadata(&fixture->call, ID, (struct ec2_tags){ &tag, 1 }, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_VM_NOT_FOUND);
}

/* One full set does not keep the others from their tags. */
static void test_metadata_full(void **state)
{
	struct fixture *fixture = *state;
	static const struct ec2_tag tag = { "a", "b" };
	static const char *const codes[] = { "TagLimitExceeded", "InvalidParameterValue" };

	for (unsigned i = 0; i < 2; i++) {
		expect(fixture, "DescribeInstances", INSTANCE("running", VOLUME("vol-a") VOLUME("vol-b")));
		expect_error(fixture, "CreateTags", codes[i]);
		expect(fixture, "CreateTags", DONE("CreateTags"));
		expect_error(fixture, "CreateTags", codes[i]);
		expect(fixture, "CreateTags", DONE("CreateTags"));
		set(fixture, &tag, 1);
		assert_true(fake_aws_sent(&fixture->aws, 5 * i + 2, "ResourceId.1=" ID));
		assert_true(fake_aws_sent(&fixture->aws, 5 * i + 4, "ResourceId.1=vol-b"));
		assert_null(strstr(fixture->aws.bodies[5 * i + 4], "ResourceId.2"));
		assert_true(logged(fixture, "could not tag vol-a"));
		assert_true(logged(fixture, codes[i]));
		assert_false(logged(fixture, "could not tag vol-b"));
	}
}

static void test_metadata_denied(void **state)
{
	struct fixture *fixture = *state;
	static const struct ec2_tag tag = { "a", "b" };

	for (unsigned refusals = 0; refusals < 2; refusals++) {
		expect(fixture, "DescribeInstances", INSTANCE("running", VOLUME("vol-a")));
		if (refusals > 0)
			expect_error(fixture, "CreateTags", "TagLimitExceeded");
		expect_error(fixture, "CreateTags", "UnauthorizedOperation");
		assert_int_equal(vm_set_metadata(&fixture->call, ID, (struct ec2_tags){ &tag, 1 }, &fixture->err), -1);
		assert_int_equal(fixture->err.kind, ERROR_AWS);
	}
}

/* --- get_disks --- */

static void test_disks(void **state)
{
	struct fixture *fixture = *state;
	struct ec2_ids ids = { 0 };

	expect(fixture, "DescribeInstances", INSTANCE("running", VOLUME("vol-a") STORE VOLUME("vol-b")));
	assert_int_equal(vm_get_disks(&fixture->call, ID, &ids, &fixture->err), 0);
	assert_int_equal(ids.count, 2);
	assert_string_equal(ids.items[0], "vol-a");
	assert_string_equal(ids.items[1], "vol-b");
	expect(fixture, "DescribeInstances", INSTANCE("terminated", ""));
	assert_int_equal(vm_get_disks(&fixture->call, ID, &ids, &fixture->err), 0);
	assert_int_equal(ids.count, 0);
	expect(fixture, "DescribeInstances", NO_INSTANCE);
	assert_int_equal(vm_get_disks(&fixture->call, ID, &ids, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_VM_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_delete),
		TEST(test_delete_waits),
		TEST(test_delete_missing),
		TEST(test_delete_refused),
		TEST(test_delete_fast),
		TEST(test_delete_fast_without_tag),
		TEST(test_delete_fast_signal),
		TEST(test_delete_with_registry),
		TEST(test_has),
		TEST(test_has_fails),
		TEST(test_reboot),
		TEST(test_reboot_stopped),
		TEST(test_reboot_stopping),
		TEST(test_reboot_terminated),
		TEST(test_reboot_start_denied),
		TEST(test_metadata),
		TEST(test_names),
		TEST(test_metadata_is_cut),
		TEST(test_metadata_missing),
		TEST(test_metadata_full),
		TEST(test_metadata_denied),
		TEST(test_disks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
