/* SPDX-License-Identifier: Apache-2.0 */
/* The actions on a scripted EC2: what their results hold, what "not there" means to each, and what a lost answer does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/actions/worker_values.h"
#include "cpi/methods/created.h"
#include "cpi/methods/undo.h"
#include "tests/unit/create_kit.h"

#define INSTANCE(id, state, more)                                                                                      \
	"<item><instancesSet><item><instanceId>" id "</instanceId><instanceState><name>" state                            \
	"</name></instanceState>" more "</item></instancesSet></item>"
#define INSTANCES(items, more) CREATE_KIT_ANSWER("DescribeInstances", "<reservationSet>" items "</reservationSet>" more)
#define VOLUMES(items) CREATE_KIT_ANSWER("DescribeVolumes", "<volumeSet>" items "</volumeSet>")
#define VOLUME(id, status, attachments)                                                                                \
	"<item><volumeId>" id "</volumeId><size>3</size><availabilityZone>eu-west-1a</availabilityZone><status>" status   \
	"</status><attachmentSet>" attachments "</attachmentSet></item>"
#define SNAPSHOT_FIELDS(id) "<snapshotId>" id "</snapshotId><status>pending</status>"
#define SNAPSHOTS(items) CREATE_KIT_ANSWER("DescribeSnapshots", "<snapshotSet>" items "</snapshotSet>")

/* The action's members into text, as the door would have them: {"success":true,…}. 0 or -1. */
static int run(struct create_kit *kit, const char *name, const char *parameters, char *text, size_t size)
{
	CLEANUP_BUF struct buf out = BUF_INIT((size_t)64 * 1024);
	const struct worker_action *action = worker_action_find(name);
	const struct json *object = NULL;
	struct worker_values values;
	struct json_writer writer;

	assert_non_null(action);
	assert_int_equal(json_parse(kit->call.arena, parameters, strlen(parameters), 4096, &object, &kit->err), 0);
	assert_int_equal(worker_values_read(action, object, &values, &kit->err), 0);
	json_writer_init(&writer, &out);
	json_begin_object(&writer);
	int outcome = action->run(&kit->call, &values, &writer, &kit->err);
	if (outcome != 0)
		return outcome;
	json_end_object(&writer);
	assert_false(out.failed);
	snprintf(text, size, "%s", buf_text(&out));
	return 0;
}

static void expect(struct create_kit *kit, const char *name, const char *parameters, const char *result)
{
	char text[4096] = "";

	if (run(kit, name, parameters, text, sizeof(text)) != 0)
		fail_msg("%s: %s", name, kit->err.message);
	assert_string_equal(text, result);
}

/* EC2's refusal comes back as it is. */
static void expect_refusal(struct create_kit *kit, const char *name, const char *parameters, const char *code)
{
	char text[4096];

	assert_int_equal(run(kit, name, parameters, text, sizeof(text)), -1);
	assert_string_equal(kit->err.aws_code, code);
	assert_string_equal(kit->err.aws_message, "no");
	assert_false(kit->err.retryable);
}

/* --- lists --- */

static void test_workers_over_pages(void **state)
{
	struct create_kit *kit = *state;

	fake_ec2_say(kit->aws, "DescribeInstances",
		     INSTANCES(INSTANCE("i-1", "running",
					"<instanceType>t2.micro</instanceType><ipAddress>203.0.113.7</ipAddress>"
					"<privateIpAddress>10.0.0.7</privateIpAddress><tagSet><item><key>Name</key><value>web</value>"
					"</item></tagSet>"),
			       "<nextToken>more</nextToken>"));
	fake_ec2_say(kit->aws, "DescribeInstances",
		     INSTANCES(INSTANCE("i-2", "terminated", "<tagSet><item><key>Name</key><value/></item></tagSet>"), ""));
	expect(kit, "list_workers", "{}",
	       "{\"workers\":[{\"id\":\"i-1\",\"name\":\"web\",\"state\":\"running\",\"instance_type\":\"t2.micro\","
	       "\"public_ip\":\"203.0.113.7\",\"private_ip\":\"10.0.0.7\"},"
	       "{\"id\":\"i-2\",\"name\":\"unnamed\",\"state\":\"terminated\",\"instance_type\":null,\"public_ip\":null,"
	       "\"private_ip\":null}]}");
	assert_true(fake_aws_sent(kit->aws, 1, "NextToken=more"));
	fake_ec2_say(kit->aws, "DescribeInstances", INSTANCES("", ""));
	expect(kit, "list_workers", "{}", "{\"workers\":[]}");
}

static void test_volumes(void **state)
{
	struct create_kit *kit = *state;

	fake_ec2_say(kit->aws, "DescribeVolumes",
		     VOLUMES(VOLUME("vol-1", "available", "")
			     VOLUME("vol-2", "in-use", "<item><volumeId>vol-2</volumeId><instanceId>i-1</instanceId>"
						       "<device>/dev/sdf</device><status>attached</status></item>")));
	expect(kit, "get_volumes", "{}",
	       "{\"volumes\":[{\"id\":\"vol-1\",\"path\":\"vol-1\",\"size_mb\":3072,\"state\":\"available\","
	       "\"availability_zone\":\"eu-west-1a\",\"attached_to\":null},"
	       "{\"id\":\"vol-2\",\"path\":\"vol-2\",\"size_mb\":3072,\"state\":\"in-use\",\"availability_zone\":\"eu-west-1a\","
	       "\"attached_to\":\"i-1\"}]}");
}

/* --- one of them --- */

static void test_get_worker(void **state)
{
	struct create_kit *kit = *state;

	fake_ec2_say(kit->aws, "DescribeInstances",
		     INSTANCES(INSTANCE("i-1", "running", "<placement><availabilityZone>eu-west-1a</availabilityZone></placement>"), ""));
	expect(kit, "get_worker", "{\"worker_id\":\"i-1\"}",
	       "{\"vm\":{\"id\":\"i-1\",\"name\":\"unnamed\",\"state\":\"running\",\"instance_type\":null,\"public_ip\":null,"
	       "\"private_ip\":null,\"availability_zone\":\"eu-west-1a\"}}");
	fake_ec2_refuse(kit->aws, "DescribeInstances", "InvalidInstanceID.NotFound");
	expect_refusal(kit, "get_worker", "{\"worker_id\":\"i-1\"}", "InvalidInstanceID.NotFound");
	fake_ec2_say(kit->aws, "DescribeInstances", INSTANCES("", ""));
	char text[64];
	assert_int_equal(run(kit, "get_worker", "{\"worker_id\":\"i-1\"}", text, sizeof(text)), -1);
	create_kit_expect(kit, ERROR_VM_NOT_FOUND, false, "EC2 shows no instance i-1");
}

static void test_has(void **state)
{
	static const struct {
		const char *name, *parameters, *action, *gone, *there, *unlike;
	} table[] = {
		{ "has_worker", "{\"worker_id\":\"i-1\"}", "DescribeInstances", "InvalidInstanceID.NotFound",
		  INSTANCES(INSTANCE("i-1", "stopped", ""), ""), INSTANCES(INSTANCE("i-1", "terminated", ""), "") },
		{ "has_volume", "{\"volume_id\":\"vol-1\"}", "DescribeVolumes", "InvalidVolume.NotFound",
		  VOLUMES(VOLUME("vol-1", "error", "")), VOLUMES(VOLUME("vol-1", "deleted", "")) },
		{ "has_snapshot", "{\"snapshot_id\":\"snap-1\"}", "DescribeSnapshots", "InvalidSnapshot.NotFound",
		  SNAPSHOTS("<item>" SNAPSHOT_FIELDS("snap-1") "</item>"), SNAPSHOTS("") },
	};
	struct create_kit *kit = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fake_ec2_say(kit->aws, table[i].action, table[i].there);
		expect(kit, table[i].name, table[i].parameters, "{\"exists\":true}");
		fake_ec2_say(kit->aws, table[i].action, table[i].unlike);
		expect(kit, table[i].name, table[i].parameters, "{\"exists\":false}");
		fake_ec2_refuse(kit->aws, table[i].action, table[i].gone);
		expect(kit, table[i].name, table[i].parameters, "{\"exists\":false}");
		fake_ec2_refuse(kit->aws, table[i].action, "InvalidID.Malformed");
		expect_refusal(kit, table[i].name, table[i].parameters, "InvalidID.Malformed");
		fake_ec2_refuse(kit->aws, table[i].action, "UnauthorizedOperation");
		expect_refusal(kit, table[i].name, table[i].parameters, "UnauthorizedOperation");
	}
}

/* --- taking away --- */

static void test_removals(void **state)
{
	static const struct {
		const char *name, *parameters, *action, *done, *gone;
	} table[] = {
		{ "delete_worker", "{\"worker_id\":\"i-1\"}", "TerminateInstances", CREATE_KIT_ANSWER("TerminateInstances", ""),
		  "InvalidInstanceID.NotFound" },
		{ "delete_volume", "{\"volume_id\":\"vol-1\"}", "DeleteVolume", FAKE_EC2_RETURN("DeleteVolume"),
		  "InvalidVolume.NotFound" },
		{ "delete_snapshot", "{\"snapshot_id\":\"snap-1\"}", "DeleteSnapshot", FAKE_EC2_RETURN("DeleteSnapshot"),
		  "InvalidSnapshot.NotFound" },
		{ "detach_volume", "{\"volume_id\":\"vol-1\"}", "DetachVolume", CREATE_KIT_ANSWER("DetachVolume", ""),
		  "InvalidVolume.NotFound" },
	};
	struct create_kit *kit = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fake_ec2_say(kit->aws, table[i].action, table[i].done);
		expect(kit, table[i].name, table[i].parameters, "{}");
		fake_ec2_refuse(kit->aws, table[i].action, table[i].gone);
		expect_refusal(kit, table[i].name, table[i].parameters, table[i].gone);
		fake_ec2_refuse(kit->aws, table[i].action, "UnauthorizedOperation");
		expect_refusal(kit, table[i].name, table[i].parameters, "UnauthorizedOperation");
		/* the answer was lost: what the second call does not find, the first one has taken away */
		fake_ec2_lose(kit->aws, table[i].action);
		fake_ec2_refuse(kit->aws, table[i].action, table[i].gone);
		expect(kit, table[i].name, table[i].parameters, "{}");
	}
}

/* --- creating --- */

#define ATTACHED(id, device)                                                                                           \
	"<item><volumeId>vol-1</volumeId><instanceId>" id "</instanceId><device>" device "</device><status>attached</status></item>"
#define ATTACH "{\"worker_id\":\"i-1\",\"volume_id\":\"vol-1\",\"device_name\":\"/dev/sdf\"}"

/* An attachment of this call is undone with it. */
static void test_attach(void **state)
{
	struct create_kit *kit = *state;

	fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	fake_ec2_say(kit->aws, "AttachVolume", CREATE_KIT_ANSWER("AttachVolume", "<status>attaching</status>"));
	expect(kit, "attach_volume", ATTACH, "{}");
	assert_true(fake_aws_sent(kit->aws, 1, "Device=%2Fdev%2Fsdf"));
	for (int looks = 0; looks < 2; looks++)
		fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHED("i-1", "/dev/sdf"))));
	fake_ec2_say(kit->aws, "DetachVolume", CREATE_KIT_ANSWER("DetachVolume", ""));
	fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	undo_run(kit->call.undo, &kit->err);
	assert_int_equal(create_kit_count(kit, "DetachVolume"), 1);
}

/* One that was there before is not, nor one that EC2 has refused. */
static void test_attachments_of_others(void **state)
{
	struct create_kit *kit = *state;

	fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHED("i-1", "/dev/sdf"))));
	fake_ec2_refuse(kit->aws, "AttachVolume", "VolumeInUse");
	fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHED("i-1", "/dev/sdf"))));
	expect(kit, "attach_volume", ATTACH, "{}");
	for (int other = 0; other < 2; other++) {
		const char *now = other ? VOLUMES(VOLUME("vol-1", "in-use", ATTACHED("i-2", "/dev/sdf"))) :
					  VOLUMES(VOLUME("vol-1", "in-use", ATTACHED("i-1", "/dev/sdg")));
		fake_ec2_say(kit->aws, "DescribeVolumes", now);
		fake_ec2_refuse(kit->aws, "AttachVolume", "VolumeInUse");
		fake_ec2_say(kit->aws, "DescribeVolumes", now);
		expect_refusal(kit, "attach_volume", ATTACH, "VolumeInUse");
	}
	create_kit_nothing_left(kit);
}

static void test_create_worker(void **state)
{
	struct create_kit *kit = *state;
	char text[64];

	kit->config.aws.region = "eu-west-1";
	assert_int_equal(run(kit, "create_worker", "{\"worker_name\":\"web\"}", text, sizeof(text)), -1);
	create_kit_expect(kit, ERROR_INVALID_CALL, false, "an AMI of region eu-west-1 ");
	assert_int_equal(kit->aws->n_requests, 0);
	kit->config.worker_ami = "ami-2";
	fake_ec2_say(kit->aws, "RunInstances", CREATE_KIT_RUN);
	expect(kit, "create_worker", "{\"worker_name\":\"web\"}", "{\"id\":\"i-1\",\"name\":\"web\"}");
	assert_true(fake_aws_sent(kit->aws, 0, "ImageId=ami-2"));
	assert_true(fake_aws_sent(kit->aws, 0, "InstanceType=t2.micro"));
	assert_true(fake_aws_sent(kit->aws, 0, "TagSpecification.1.Tag.1.Value=web"));
	fake_ec2_refuse(kit->aws, "RunInstances", "InvalidAMIID.NotFound");
	expect_refusal(kit, "create_worker", "{\"worker_name\":\"web\",\"ami\":\"ami-3\"}", "InvalidAMIID.NotFound");
	assert_true(fake_aws_sent(kit->aws, 1, "ImageId=ami-3"));
	/* the one that was made is all there is to undo */
	fake_ec2_say(kit->aws, "DescribeInstances", INSTANCES(INSTANCE("i-1", "pending", ""), ""));
	fake_ec2_say(kit->aws, "TerminateInstances", CREATE_KIT_ANSWER("TerminateInstances", ""));
	fake_ec2_say(kit->aws, "DescribeInstances", INSTANCES(INSTANCE("i-1", "terminated", ""), ""));
	undo_run(kit->call.undo, &kit->err);
	assert_true(fake_aws_sent(kit->aws, fake_aws_find(kit->aws, "TerminateInstances", 0), "InstanceId.1=i-1"));
}

static void test_create_volume(void **state)
{
	struct create_kit *kit = *state;

	fake_ec2_say(kit->aws, "CreateVolume", CREATE_KIT_ANSWER("CreateVolume", "<volumeId>vol-1</volumeId><status>creating</status>"));
	fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "creating", "")));
	fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	expect(kit, "create_volume", "{\"size_gb\":3,\"availability_zone\":\"eu-west-1a\"}", "{\"id\":\"vol-1\",\"path\":\"vol-1\"}");
	assert_true(fake_aws_sent(kit->aws, 0, "Size=3"));
	assert_true(fake_aws_sent(kit->aws, 0, "VolumeType=gp2"));
	/* one that fails after it was made is removed */
	for (int looks = 0; looks < 2; looks++)
		fake_ec2_say(kit->aws, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	fake_ec2_say(kit->aws, "DeleteVolume", FAKE_EC2_RETURN("DeleteVolume"));
	fake_ec2_refuse(kit->aws, "DescribeVolumes", "InvalidVolume.NotFound");
	undo_run(kit->call.undo, &kit->err);
	assert_int_equal(create_kit_count(kit, "DeleteVolume"), 1);
}

static void test_snapshot(void **state)
{
	struct create_kit *kit = *state;

	fake_ec2_say(kit->aws, "CreateSnapshot", CREATE_KIT_ANSWER("CreateSnapshot", SNAPSHOT_FIELDS("snap-1")));
	expect(kit, "snapshot_volume", "{\"source_volume_id\":\"vol-1\",\"snapshot_name\":\"x\"}",
	       "{\"id\":\"snap-1\",\"source_volume_id\":\"vol-1\"}");
	assert_true(fake_aws_sent(kit->aws, 0, "VolumeId=vol-1"));
	assert_true(fake_aws_sent(kit->aws, 0, "TagSpecification.1.Tag.1.Value=x"));
	assert_int_equal(kit->aws->n_requests, 1); /* not waited for */
}

/* A lost answer, nothing found, made again: then it is waited for, because only then EC2 shows both, and one goes. */
static void test_snapshot_twice(void **state)
{
	struct create_kit *kit = *state;
	const char *id = NULL;

	fake_ec2_lose(kit->aws, "CreateSnapshot");
	fake_ec2_say(kit->aws, "DescribeSnapshots", SNAPSHOTS(""));
	fake_ec2_say(kit->aws, "CreateSnapshot", CREATE_KIT_ANSWER("CreateSnapshot", SNAPSHOT_FIELDS("snap-2")));
	fake_ec2_say(kit->aws, "DescribeSnapshots",
		     SNAPSHOTS("<item><snapshotId>snap-2</snapshotId><status>completed</status></item>"));
	fake_ec2_say(kit->aws, "DescribeSnapshots",
		     SNAPSHOTS("<item>" SNAPSHOT_FIELDS("snap-1") "</item><item>" SNAPSHOT_FIELDS("snap-2") "</item>"));
	fake_ec2_say(kit->aws, "DeleteSnapshot", FAKE_EC2_RETURN("DeleteSnapshot"));
	kit->aws->repeat_last = true;
	if (created_snapshot_begun(&kit->call, "vol-1", "x", (struct ec2_tags){ NULL, 0 }, &id, &kit->err) != 0)
		fail_msg("%s", kit->err.message);
	assert_string_equal(id, "snap-2");
	assert_true(fake_aws_sent(kit->aws, fake_aws_find(kit->aws, "DeleteSnapshot", 0), "SnapshotId=snap-1"));
	assert_int_equal(create_kit_count(kit, "DeleteSnapshot"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREATE_KIT_TEST(test_workers_over_pages), CREATE_KIT_TEST(test_volumes),       CREATE_KIT_TEST(test_get_worker),
		CREATE_KIT_TEST(test_has),		  CREATE_KIT_TEST(test_removals),      CREATE_KIT_TEST(test_create_worker),
		CREATE_KIT_TEST(test_attach),		  CREATE_KIT_TEST(test_attachments_of_others),
		CREATE_KIT_TEST(test_create_volume),	  CREATE_KIT_TEST(test_snapshot),      CREATE_KIT_TEST(test_snapshot_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
