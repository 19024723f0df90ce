/* SPDX-License-Identifier: Apache-2.0 */
/* What undo does to the account: in which order, through which states, and what it says when it cannot. */
#include "cpi/methods/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "cpi/methods/journal.h"
#include "tests/unit/fake_ec2.h"

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define REPLY(action, inner) XML "<" action "Response><requestId>r</requestId>" inner "</" action "Response>"
#define VOLUMES(inner) REPLY("DescribeVolumes", "<volumeSet>" inner "</volumeSet>")
#define VOLUME(id, state, attachments)                                                                                 \
	"<item><volumeId>" id "</volumeId><size>2</size><status>" state "</status><attachmentSet>" attachments            \
	"</attachmentSet></item>"
#define ATTACHMENT                                                                                                     \
	"<item><volumeId>vol-1</volumeId><instanceId>i-1</instanceId><device>/dev/sdf</device><status>attached</status>"  \
	"<deleteOnTermination>false</deleteOnTermination></item>"
#define SNAPSHOTS(inner) REPLY("DescribeSnapshots", "<snapshotSet>" inner "</snapshotSet>")
#define SNAPSHOT(id)                                                                                                   \
	"<item><snapshotId>" id "</snapshotId><volumeId>vol-1</volumeId><status>completed</status><volumeSize>2</volumeSize></item>"
#define IMAGES(inner) REPLY("DescribeImages", "<imagesSet>" inner "</imagesSet>")
#define IMAGE(id, mappings, tags)                                                                                      \
	"<item><imageId>" id "</imageId><imageState>available</imageState><blockDeviceMapping>" mappings                  \
	"</blockDeviceMapping><tagSet>" tags "</tagSet></item>"
#define INSTANCES(inner)                                                                                               \
	REPLY("DescribeInstances", "<reservationSet><item><instancesSet>" inner "</instancesSet></item></reservationSet>")
#define INSTANCE(id, state)                                                                                            \
	"<item><instanceId>" id "</instanceId><instanceState><name>" state "</name></instanceState></item>"
#define INTERFACES(inner) REPLY("DescribeNetworkInterfaces", "<networkInterfaceSet>" inner "</networkInterfaceSet>")
#define INTERFACE(id, attachment)                                                                                      \
	"<item><networkInterfaceId>" id "</networkInterfaceId><status>in-use</status>" attachment "</item>"
#define TABLE(routes)                                                                                                  \
	REPLY("DescribeRouteTables", "<routeTableSet><item><routeTableId>rtb-1</routeTableId><routeSet>" routes           \
				     "</routeSet></item></routeTableSet>")
#define ROUTE(target)                                                                                                  \
	"<item><destinationCidrBlock>10.0.0.0/8</destinationCidrBlock>" target "<state>active</state></item>"
#define OUR_ROUTE "rtb-1 10.0.0.0/8 i-1 GatewayId igw-1"
#define DONE(action) REPLY(action, "<return>true</return>")

struct fixture {
	struct fake_aws aws;
	struct undo *undo;
	char state[64];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	snprintf(fixture->state, sizeof(fixture->state), "/tmp/test_undo.XXXXXX");
	assert_non_null(mkdtemp(fixture->state));
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", fixture->state, 1), 0);
	fake_aws_open(&fixture->aws);
	assert_int_equal(undo_new(&fixture->aws.runtime, &fixture->aws.ec2, "director-1", "cpi-1", "create_stemcell",
				  &fixture->undo, NULL), 0);
	*state = fixture;
	return 0;
}

/* How many journals there are; they are deleted. */
static unsigned journals(struct fixture *fixture)
{
	char path[4096];
	unsigned count = 0;

	snprintf(path, sizeof(path), "%s/journal", fixture->state);
	CLEANUP_DIR DIR *dir = opendir(path);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		char file[8192];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		unlink(file);
		count++;
	}
	return count;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	undo_free(fixture->undo);
	journals(fixture);
	snprintf(path, sizeof(path), "%s/journal", fixture->state);
	rmdir(path);
	rmdir(fixture->state);
	fake_aws_close(&fixture->aws);
	unsetenv("AWS_CPI_STATE_DIR");
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

static struct undo_step intend(struct fixture *fixture, enum undo_kind kind, const char *id)
{
	struct undo_step step;

	assert_int_equal(undo_intend(fixture->undo, kind, &step, NULL), 0);
	if (id != NULL)
		undo_created(fixture->undo, &step, id);
	return step;
}

/* --- steps --- */

static void test_steps(void **state)
{
	struct fixture *fixture = *state;
	struct undo_step first = intend(fixture, UNDO_VOLUME, NULL);
	struct undo_step second = intend(fixture, UNDO_VOLUME, NULL);

	assert_int_equal(first.number, 1);
	assert_string_equal(first.tag.key, "aws-cpi-request");
	assert_int_equal(strncmp(first.tag.value, "director-1/cpi-1/1-", 19), 0);
	assert_int_equal(strlen(first.tag.value), 19 + 8);
	assert_string_not_equal(first.tag.value, second.tag.value);
	assert_string_not_equal(first.token, second.token);
	assert_true(strlen(first.token) <= 64);
	undo_forget(fixture->undo, &first);
	undo_forget(fixture->undo, &second);
	undo_run(fixture->undo, NULL);
	assert_int_equal(journals(fixture), 0);
}

static void test_names_that_mean_something_in_a_filter(void **state)
{
	struct fixture *fixture = *state;
	struct undo *undo;
	struct undo_step step;
	char long_id[400];

	memset(long_id, '*', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = '\0';
	assert_int_equal(undo_new(&fixture->aws.runtime, &fixture->aws.ec2, "d/*?\\\n", long_id, "m", &undo, NULL), 0);
	assert_int_equal(undo_intend(undo, UNDO_VOLUME, &step, NULL), 0);
	assert_null(strpbrk(step.tag.value, "*?\\\n"));
	assert_true(strlen(step.tag.value) <= 255);
	assert_int_equal(strncmp(step.tag.value, "d_____/", 6), 0);
	undo_forget(undo, &step);
	undo_free(undo);
}

/* --- undoing --- */

static void test_newest_first(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_VOLUME, "vol-1");
	intend(fixture, UNDO_SNAPSHOT, "snap-1");
	intend(fixture, UNDO_IMAGE, "ami-1");
	expect(fixture, "DescribeImages", IMAGES(IMAGE("ami-1", "", "")));
	expect(fixture, "DescribeImages", IMAGES(IMAGE("ami-1", "", "")));
	expect(fixture, "DeregisterImage", DONE("DeregisterImage"));
	expect(fixture, "DescribeImages", IMAGES(""));
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(SNAPSHOT("snap-1")));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	expect(fixture, "DeleteVolume", DONE("DeleteVolume"));
	expect_error(fixture, "DescribeVolumes", "InvalidVolume.NotFound");
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
	assert_int_equal(journals(fixture), 0);
	/* once is enough */
	undo_run(fixture->undo, &err);
}

static void test_volume_through_its_states(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_VOLUME, "vol-1");
	/* not visible at first: that is not gone */
	expect_error(fixture, "DescribeVolumes", "InvalidVolume.NotFound");
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "creating", "")));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "creating", "")));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect_error(fixture, "DetachVolume", "IncorrectState.Busy"); /* a code that is not known ends it */
	undo_run(fixture->undo, &err);
	assert_non_null(strstr(err.message, "first; left behind: volume vol-1 ("));
	assert_non_null(strstr(err.message, "IncorrectState.Busy"));
	assert_non_null(strstr(err.message, "cpi sweep"));
	/* a further run tries again */
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DetachVolume", REPLY("DetachVolume", "<volumeId>vol-1</volumeId>"));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	expect_error(fixture, "DeleteVolume", "VolumeInUse"); /* not quite yet */
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	expect(fixture, "DeleteVolume", DONE("DeleteVolume"));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "deleting", "")));
	expect(fixture, "DescribeVolumes", VOLUMES(""));
	struct error again = { .message = "again" };
	undo_run(fixture->undo, &again);
	assert_string_equal(again.message, "again");
}

static void test_force_only_when_it_lingers(void **state)
{
	struct fixture *fixture = *state;
	unsigned detaches = 0;

	intend(fixture, UNDO_VOLUME, "vol-1");
	fixture->aws.repeat_last = true;
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DetachVolume", REPLY("DetachVolume", "<volumeId>vol-1</volumeId>"));
	/* looks at 0.2, 0.5, 1, 1.5 … s: a dozen of them fill the minute */
	for (int i = 0; i < 10; i++)
		expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	fake_aws_script(&fixture->aws, (struct fake_answer){ .body = VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)) });
	struct error err = { .message = "" };
	undo_run(fixture->undo, &err);
	for (unsigned i = 0; i < fixture->aws.n_requests; i++) {
		if (strncmp(fixture->aws.bodies[i], "Action=DetachVolume&", 20) != 0)
			continue;
		assert_int_equal(fake_aws_sent(&fixture->aws, i, "Force=true"), detaches > 0);
		if (detaches > 0)
			assert_true(fixture->aws.times[i] >= 60000);
		detaches++;
	}
	assert_true(detaches > 1);
	assert_non_null(strstr(err.message, "left behind: volume vol-1 ("));
}

static void test_image_takes_its_snapshots_along(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };
	static const char mapping[] = IMAGES(IMAGE(
		"ami-1",
		"<item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId></ebs></item>"
		"<item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item>",
		"<item><key>aws-cpi-request</key><value>director-1/cpi-1/1-x</value></item>"));

	intend(fixture, UNDO_IMAGE, "ami-1");
	expect(fixture, "DescribeImages", mapping);
	expect(fixture, "DescribeImages", mapping);
	expect(fixture, "DeregisterImage", DONE("DeregisterImage"));
	expect_error(fixture, "DescribeImages", "InvalidAMIID.NotFound");
	expect_error(fixture, "DeleteSnapshot", "InvalidSnapshot.InUse"); /* the AMI's end has not got round */
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(SNAPSHOT("snap-2")));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
	assert_true(fake_aws_sent(&fixture->aws, 4, "SnapshotId=snap-1"));
	assert_true(fake_aws_sent(&fixture->aws, 6, "Filter.1.Value.1=director-1%2Fcpi-1%2F1-x"));
	assert_true(fake_aws_sent(&fixture->aws, 7, "SnapshotId=snap-2"));
}

/* --- the id never came --- */

static void test_found_by_tag(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };
	char wanted[200];

	struct undo_step step = intend(fixture, UNDO_SNAPSHOT, NULL);
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(""));
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(SNAPSHOT("snap-1")));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
	assert_true(fake_aws_sent(&fixture->aws, 0, "Filter.1.Name=tag%3Aaws-cpi-request"));
	snprintf(wanted, sizeof(wanted), "Filter.1.Value.1=director-1%%2Fcpi-1%%2F%s", strrchr(step.tag.value, '/') + 1);
	assert_true(fake_aws_sent(&fixture->aws, 0, wanted));
}

static void test_never_created(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_VOLUME, NULL);
	fixture->aws.repeat_last = true;
	expect(fixture, "DescribeVolumes", VOLUMES(""));
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
	/* it gave the call some seconds to take effect */
	assert_true(fixture->aws.n_requests >= 3);
	assert_true(fixture->aws.now_ms >= 10000);
	assert_int_equal(journals(fixture), 0);
}

static void test_nobody_answers(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_VOLUME, NULL);
	fixture->aws.repeat_last = true;
	fake_aws_script(&fixture->aws, (struct fake_answer){ .way = FAKE_HANG });
	undo_run(fixture->undo, &err);
	/* a time-out of the network's is not "there is none" */
	assert_non_null(strstr(err.message, "first; left behind: a volume with the tag aws-cpi-request=director-1/cpi-1/1-"));
	undo_free(STEAL(fixture->undo));
	assert_int_equal(journals(fixture), 1);
}

static void test_descriptions_denied(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_SNAPSHOT, "snap-1");
	expect_error(fixture, "DescribeSnapshots", "UnauthorizedOperation");
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
}

/* --- instances and what hangs on them --- */

static void intend_known(struct fixture *fixture, enum undo_kind kind, const char *id)
{
	struct undo_step step;

	assert_int_equal(undo_intend_known(fixture->undo, kind, id, &step, NULL), 0);
}

static void expect_route_back(struct fixture *fixture)
{
	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("<instanceId>i-1</instanceId>")));
	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("<instanceId>i-1</instanceId>")));
	expect(fixture, "ReplaceRoute", DONE("ReplaceRoute"));
}

static void test_a_vm_newest_first(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_INTERFACE, "eni-1");
	intend(fixture, UNDO_INTERFACE, "eni-2");
	fixture->aws.now_ms = 60 * 1000;
	intend(fixture, UNDO_INSTANCE, "i-1");
	intend_known(fixture, UNDO_ROUTE, OUR_ROUTE);
	expect_route_back(fixture);
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "running")));
	expect(fixture, "TerminateInstances", REPLY("TerminateInstances", "<instancesSet/>"));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "terminated")));
	/* one is still there; the other went with the instance: made a minute ago, it is not waited for */
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-2", "")));
	expect(fixture, "DeleteNetworkInterface", DONE("DeleteNetworkInterface"));
	expect_error(fixture, "DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound");
	expect_error(fixture, "DeleteNetworkInterface", "InvalidNetworkInterfaceID.NotFound");
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
	assert_true(fixture->aws.now_ms < 65 * 1000);
	assert_int_equal(journals(fixture), 0);
}

static void test_an_interface_that_is_not_visible_yet(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_INTERFACE, "eni-1");
	expect_error(fixture, "DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "")));
	expect(fixture, "DeleteNetworkInterface", DONE("DeleteNetworkInterface"));
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
}

static void test_an_instance_whose_id_never_came(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_INSTANCE, NULL);
	expect(fixture, "DescribeInstances", INSTANCES(""));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-7", "pending")));
	expect(fixture, "TerminateInstances", REPLY("TerminateInstances", "<instancesSet/>"));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-7", "terminated")));
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
	assert_true(fake_aws_sent(&fixture->aws, 0, "Filter.1.Name=tag%3Aaws-cpi-request"));
	assert_true(fake_aws_sent(&fixture->aws, 2, "InstanceId.1=i-7"));
}

/* What it holds cannot go either, and is not waited for. */
static void test_an_instance_that_stays(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_INTERFACE, "eni-1");
	intend(fixture, UNDO_INSTANCE, "i-1");
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "running")));
	expect_error(fixture, "TerminateInstances", "UnauthorizedOperation");
	expect(fixture, "DescribeNetworkInterfaces", INTERFACES(INTERFACE("eni-1", "")));
	expect_error(fixture, "DeleteNetworkInterface", "InvalidParameterValue");
	expect(fixture, "DescribeNetworkInterfaces",
	       INTERFACES(INTERFACE("eni-1", "<attachment><instanceId>i-1</instanceId><status>attached</status></attachment>")));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "running")));
	undo_run(fixture->undo, &err);
	assert_non_null(strstr(err.message, "first; left behind: instance i-1 ("));
	assert_non_null(strstr(err.message, ", network interface eni-1 ("));
	assert_non_null(strstr(err.message, "is attached to instance i-1, which is running"));
	undo_free(STEAL(fixture->undo));
	assert_int_equal(journals(fixture), 1);
}

static void test_an_instance_that_cannot_be_looked_for(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend(fixture, UNDO_INSTANCE, NULL);
	expect_error(fixture, "DescribeInstances", "UnauthorizedOperation");
	undo_run(fixture->undo, &err);
	assert_non_null(strstr(err.message, "left behind: an instance with the tag aws-cpi-request=director-1/cpi-1/1-"));
}

/* --- what is known by a name of its own --- */

static void test_an_attachment(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend_known(fixture, UNDO_ATTACHMENT, "vol-1 i-1");
	/* the answer was lost, and EC2 shows it a moment later */
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect_error(fixture, "DetachVolume", "UnauthorizedOperation");
	undo_run(fixture->undo, &err);
	assert_non_null(strstr(err.message, "first; left behind: attachment vol-1 i-1 ("));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DetachVolume", REPLY("DetachVolume", "<volumeId>vol-1</volumeId>"));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "available", "")));
	struct error again = { .message = "again" };
	undo_run(fixture->undo, &again);
	assert_string_equal(again.message, "again");
	assert_int_equal(journals(fixture), 0);
}

static void test_a_route_that_never_led_here(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "first" };

	intend_known(fixture, UNDO_ROUTE, OUR_ROUTE);
	expect(fixture, "DescribeRouteTables", TABLE(ROUTE("<gatewayId>igw-1</gatewayId>")));
	fixture->aws.repeat_last = true;
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "first");
	/* ReplaceRoute may have been on its way */
	assert_true(fixture->aws.now_ms >= 10000);
	assert_int_equal(journals(fixture), 0);
}

static void test_a_route_that_was_refused(void **state)
{
	struct fixture *fixture = *state;
	struct undo_step step;

	assert_int_equal(undo_intend_known(fixture->undo, UNDO_ROUTE, OUR_ROUTE, &step, NULL), 0);
	undo_forget(fixture->undo, &step);
	undo_run(fixture->undo, NULL);
	assert_int_equal(journals(fixture), 0);
}

/* --- in the course of the method --- */

/* What a failed call may have made all the same goes at once; what was forgotten is not asked for. */
static void test_one_now(void **state)
{
	struct fixture *fixture = *state;
	struct undo_step volume = intend(fixture, UNDO_VOLUME, "vol-1");
	struct undo_step instance = intend(fixture, UNDO_INSTANCE, NULL);
	struct undo_step refused = intend(fixture, UNDO_INSTANCE, NULL);

	undo_forget(fixture->undo, &refused);
	assert_int_equal(undo_now(fixture->undo, &refused, NULL), 0);
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "running")));
	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "terminated")));
	assert_int_equal(undo_now(fixture->undo, &instance, NULL), 0);
	assert_int_equal(undo_now(fixture->undo, &instance, NULL), 0);
	undo_forget(fixture->undo, &volume);
	undo_run(fixture->undo, NULL);
	assert_int_equal(journals(fixture), 0);
}

/* It stays what is to be undone. */
static void test_one_now_fails(void **state)
{
	struct fixture *fixture = *state;
	struct undo_step step = intend(fixture, UNDO_INSTANCE, NULL);
	struct error err = { 0 };

	expect_error(fixture, "DescribeInstances", "UnauthorizedOperation");
	assert_int_equal(undo_now(fixture->undo, &step, &err), -1);
	assert_non_null(strstr(err.message, "UnauthorizedOperation"));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "running")));
	expect(fixture, "TerminateInstances", DONE("TerminateInstances"));
	expect(fixture, "DescribeInstances", INSTANCES(INSTANCE("i-1", "terminated")));
	undo_run(fixture->undo, NULL);
	assert_int_equal(journals(fixture), 0);
}

/* --- signals --- */

static void test_works_after_a_signal(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "stopped" };

	intend(fixture, UNDO_SNAPSHOT, "snap-1");
	cancel_raise(&fixture->aws.cancel, SIGTERM);
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(SNAPSHOT("snap-1")));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	undo_run(fixture->undo, &err);
	assert_string_equal(err.message, "stopped");
}

static void test_second_signal_shortens(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { .message = "stopped" };

	intend(fixture, UNDO_SNAPSHOT, "snap-1");
	intend(fixture, UNDO_VOLUME, "vol-1");
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	fake_aws_script(&fixture->aws, (struct fake_answer){ .way = FAKE_SIGNAL, .action = "DescribeVolumes" });
	/* once more: asked to detach, and not waited for */
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	expect(fixture, "DetachVolume", REPLY("DetachVolume", "<volumeId>vol-1</volumeId>"));
	expect(fixture, "DescribeVolumes", VOLUMES(VOLUME("vol-1", "in-use", ATTACHMENT)));
	/* and the rest as briefly */
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(SNAPSHOT("snap-1")));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	undo_run(fixture->undo, &err);
	assert_non_null(strstr(err.message, "stopped; left behind: volume vol-1 (asked to go, not waited for"));
	assert_null(strstr(err.message, "snap-1"));
	assert_true(fixture->aws.now_ms < 60000);
}

/* --- the journal's part --- */

static void test_long_errors_leave_room_for_names(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	memset(err.message, 'x', sizeof(err.message) - 1);
	intend(fixture, UNDO_SNAPSHOT, "snap-1");
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(SNAPSHOT("snap-1")));
	expect_error(fixture, "DeleteSnapshot", "UnauthorizedOperation");
	undo_run(fixture->undo, &err);
	assert_non_null(strstr(err.message, "xx; left behind: snapshot snap-1 ("));
}

static void test_answered(void **state)
{
	struct fixture *fixture = *state;

	intend(fixture, UNDO_IMAGE, "ami-1");
	undo_answering(fixture->undo);
	undo_answered(fixture->undo);
	assert_int_equal(journals(fixture), 0);
	/* what was answered stays */
	undo_run(fixture->undo, NULL);
}

/* What a sweep reads of a process that was killed. */
static void test_names_in_the_journal(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP_ARENA struct arena *arena = arena_new(1024 * 1024);
	const char *const *names;
	const char *directory;
	struct journal_record record;
	struct journal *journal = NULL;
	enum journal_claim claim;
	size_t count;

	intend(fixture, UNDO_INSTANCE, "i-1");
	intend(fixture, UNDO_INTERFACE, NULL);
	intend_known(fixture, UNDO_ROUTE, OUR_ROUTE);
	undo_free(STEAL(fixture->undo));
	assert_int_equal(journal_directory(arena, &directory, NULL), 0);
	assert_int_equal(journal_list(arena, directory, &names, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(journal_claim(arena_printf(arena, "%s/%s", directory, names[0]), &claim, &journal, NULL), 0);
	assert_int_equal(journal_read(journal, arena, &record, NULL), 0);
	assert_int_equal(record.n_entries, 3);
	assert_string_equal(record.entries[0].kind, "instance");
	assert_string_equal(record.entries[0].id, "i-1");
	assert_string_equal(record.entries[1].kind, "network interface");
	assert_null(record.entries[1].id);
	assert_string_equal(record.entries[2].kind, "route");
	assert_string_equal(record.entries[2].id, OUR_ROUTE);
	journal_remove(journal);
}

static void test_killed_before_the_end(void **state)
{
	struct fixture *fixture = *state;

	intend(fixture, UNDO_IMAGE, "ami-1");
	undo_free(STEAL(fixture->undo));
	assert_int_equal(journals(fixture), 1);
}

static void test_no_state_directory(void **state)
{
	struct fixture *fixture = *state;
	char log[8192];

	setenv("AWS_CPI_STATE_DIR", "/proc/none", 1);
	intend(fixture, UNDO_SNAPSHOT, "snap-1");
	struct undo_step second = intend(fixture, UNDO_VOLUME, NULL);
	undo_forget(fixture->undo, &second);
	fake_aws_log(&fixture->aws, log, sizeof(log));
	/* said once */
	assert_non_null(strstr(log, "no journal: cannot make the state directory /proc/none"));
	assert_null(strstr(strstr(log, "no journal") + 1, "no journal"));
	expect(fixture, "DescribeSnapshots", SNAPSHOTS(SNAPSHOT("snap-1")));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	undo_run(fixture->undo, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_steps),
		TEST(test_names_that_mean_something_in_a_filter),
		TEST(test_newest_first),
		TEST(test_volume_through_its_states),
		TEST(test_force_only_when_it_lingers),
		TEST(test_image_takes_its_snapshots_along),
		TEST(test_found_by_tag),
		TEST(test_never_created),
		TEST(test_nobody_answers),
		TEST(test_descriptions_denied),
		TEST(test_a_vm_newest_first),
		TEST(test_an_interface_that_is_not_visible_yet),
		TEST(test_an_instance_whose_id_never_came),
		TEST(test_an_instance_that_stays),
		TEST(test_an_instance_that_cannot_be_looked_for),
		TEST(test_an_attachment),
		TEST(test_a_route_that_never_led_here),
		TEST(test_a_route_that_was_refused),
		TEST(test_one_now),
		TEST(test_one_now_fails),
		TEST(test_works_after_a_signal),
		TEST(test_second_signal_shortens),
		TEST(test_long_errors_leave_room_for_names),
		TEST(test_answered),
		TEST(test_names_in_the_journal),
		TEST(test_killed_before_the_end),
		TEST(test_no_state_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
