/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: what is sent and read, lost answers looked up by tag, the wait's states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "tests/unit/fake_aws.h"

#define SNAPSHOT "snap-1234567890abcdef0"
#define VOLUME "vol-1234567890abcdef0"
#define NAMESPACE                                                                                                      \
	" xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</"        \
	"requestId>"
#define FIELDS(status, message, progress)                                                                              \
	"<snapshotId>" SNAPSHOT "</snapshotId><volumeId>" VOLUME "</volumeId><status>" status "</status>" message      \
	"<startTime>2026-01-01T00:00:00.000Z</startTime><progress>" progress "</progress><ownerId>111122223333"        \
	"</ownerId><volumeSize>15</volumeSize><description>daily</description><encrypted>true</"                       \
	"encrypted><tagSet><item>"                                                                                     \
	"<key>request</key><value>r-1/2</value></item></tagSet>"
#define LIST(items)                                                                                                    \
	"<DescribeSnapshotsResponse" NAMESPACE "<snapshotSet>" items "</snapshotSet></DescribeSnapshotsResponse>"
#define ITEM(status, message, progress) "<item>" FIELDS(status, message, progress) "</item>"

static const struct ec2_tag tags[] = { { "Name", "x" }, { "request", "r-1/2" } };

static int begin(void **state)
{
	static struct fake_aws fake;

	fake_aws_open(&fake);
	*state = &fake;
	return 0;
}

static int end(void **state)
{
	fake_aws_close(*state);
	return 0;
}

static void say(struct fake_aws *fake, const char *action, const char *body)
{
	fake_aws_script(fake, (struct fake_answer){ .action = action, .body = body });
}

static void refuse(struct fake_aws *fake, const char *action, const char *code)
{
	fake_aws_script(fake,
			(struct fake_answer){ .action = action, .status = 400, .body = fake_aws_error(code, "no") });
}

static int create(struct fake_aws *fake, struct arena *arena, struct snapshot *ret_snapshot, struct error *err)
{
	return snapshot_create(&fake->ec2, arena, VOLUME, "daily", (struct ec2_tags){ tags, 2 }, &tags[1], ret_snapshot,
			       err);
}

static void expect_snapshot(const struct snapshot *snapshot)
{
	assert_string_equal(snapshot->id, SNAPSHOT);
	assert_string_equal(snapshot->volume_id, VOLUME);
	assert_string_equal(snapshot->state, "pending");
	assert_string_equal(snapshot->progress, "40%");
	assert_string_equal(snapshot->description, "daily");
	assert_string_equal(snapshot->state_message, "");
	assert_int_equal(snapshot->volume_size_gib, 15);
	assert_true(snapshot->encrypted);
	assert_string_equal(tags_get(snapshot->tags, "request"), "r-1/2");
}

static void test_create(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct snapshot snapshot;

	say(fake, "CreateSnapshot",
	    "<CreateSnapshotResponse" NAMESPACE FIELDS("pending", "", "40%") "</CreateSnapshotResponse>");
	assert_int_equal(create(fake, arena, &snapshot, NULL), 0);
	expect_snapshot(&snapshot);
	assert_string_equal(fake->bodies[0],
			    "Action=CreateSnapshot&Version=2016-11-15&VolumeId=" VOLUME "&Description=daily"
			    "&TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=Name"
			    "&TagSpecification.1.Tag.1.Value=x&TagSpecification.1.Tag.2.Key=request"
			    "&TagSpecification.1.Tag.2.Value=r-1%2F2");
}

static void test_lost_answers(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct snapshot snapshot;
	struct error err;

	/* it was made */
	fake_aws_script(fake, (struct fake_answer){ .action = "CreateSnapshot", .way = FAKE_CUT });
	say(fake, "DescribeSnapshots", LIST(ITEM("pending", "", "40%")));
	assert_int_equal(create(fake, arena, &snapshot, NULL), 0);
	expect_snapshot(&snapshot);
	assert_true(fake_aws_sent(fake, 1, "Filter.1.Name=tag%3Arequest"));
	assert_true(fake_aws_sent(fake, 1, "Filter.1.Value.1=r-1%2F2"));
	assert_true(fake_aws_sent(fake, 1, "Owner.1=self"));
	assert_true(fake_aws_sent(fake, 1, "MaxResults=1000"));

	/* it was not */
	fake_aws_script(fake, (struct fake_answer){ .action = "CreateSnapshot", .status = 500, .body = "" });
	say(fake, "DescribeSnapshots", LIST(""));
	say(fake, "CreateSnapshot",
	    "<CreateSnapshotResponse" NAMESPACE FIELDS("pending", "", "40%") "</CreateSnapshotResponse>");
	assert_int_equal(create(fake, arena, &snapshot, NULL), 0);

	/* nobody knows */
	fake_aws_script(fake, (struct fake_answer){ .action = "CreateSnapshot", .way = FAKE_HANG });
	refuse(fake, "DescribeSnapshots", "UnauthorizedOperation");
	assert_int_equal(create(fake, arena, &snapshot, &err), -1);
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
	assert_non_null(strstr(err.message, "the answer to CreateSnapshot was lost"));
}

static void test_delete_and_describe(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const id = SNAPSHOT;
	struct snapshot *snapshots;
	size_t count;
	bool existed;

	say(fake, "DeleteSnapshot", "<DeleteSnapshotResponse><return>true</return></DeleteSnapshotResponse>");
	assert_int_equal(snapshot_delete(&fake->ec2, SNAPSHOT, &existed, NULL), 0);
	assert_true(existed);
	refuse(fake, "DeleteSnapshot", "InvalidSnapshot.NotFound");
	assert_int_equal(snapshot_delete(&fake->ec2, SNAPSHOT, &existed, NULL), 0);
	assert_false(existed);
	refuse(fake, "DeleteSnapshot", "InvalidSnapshot.InUse");
	assert_int_equal(snapshot_delete(&fake->ec2, SNAPSHOT, &existed, NULL), -1);

	say(fake, "DescribeSnapshots", LIST(ITEM("completed", "", "100%")));
	assert_int_equal(snapshot_describe(&fake->ec2, arena, (struct ec2_ids){ &id, 1 },
					   (struct ec2_filters){ NULL, 0 }, &snapshots, &count, NULL),
			 0);
	assert_int_equal(count, 1);
	assert_string_equal(fake->bodies[3], "Action=DescribeSnapshots&Version=2016-11-15&SnapshotId.1=" SNAPSHOT);
	refuse(fake, "DescribeSnapshots", "InvalidSnapshot.NotFound");
	struct error err;
	assert_int_equal(snapshot_describe(&fake->ec2, arena, (struct ec2_ids){ &id, 1 },
					   (struct ec2_filters){ NULL, 0 }, &snapshots, &count, &err),
			 -1);
	assert_true(ec2_is_not_found(&err));
}

static void test_wait(void **state)
{
	struct fake_aws *fake = *state;
	struct wait_options fresh = { .just_created = true };
	struct wait_options short_wait = { .limit_ms = 2000 };
	struct error err;

	refuse(fake, "DescribeSnapshots", "InvalidSnapshot.NotFound");
	say(fake, "DescribeSnapshots", LIST(ITEM("pending", "", "0%")));
	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_REFUSED });
	say(fake, "DescribeSnapshots", LIST(ITEM("completed", "", "100%")));
	assert_int_equal(snapshot_wait_completed(&fake->ec2, SNAPSHOT, &fresh, NULL), 0);

	say(fake, "DescribeSnapshots", LIST(ITEM("error", "<statusMessage>the key is disabled</statusMessage>", "0%")));
	assert_int_equal(snapshot_wait_completed(&fake->ec2, SNAPSHOT, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "the key is disabled"));
	say(fake, "DescribeSnapshots", LIST(ITEM("error", "", "0%")));
	assert_int_equal(snapshot_wait_completed(&fake->ec2, SNAPSHOT, NULL, &err), -1);
	assert_non_null(strstr(err.message, "gives no reason"));
	refuse(fake, "DescribeSnapshots", "InvalidSnapshot.NotFound");
	assert_int_equal(snapshot_wait_completed(&fake->ec2, SNAPSHOT, NULL, &err), -1);
	say(fake, "DescribeSnapshots", LIST(""));
	assert_int_equal(snapshot_wait_completed(&fake->ec2, SNAPSHOT, NULL, &err), -1);
	fake->repeat_last = true;
	say(fake, "DescribeSnapshots", LIST(ITEM("pending", "", "41%")));
	assert_int_equal(snapshot_wait_completed(&fake->ec2, SNAPSHOT, &short_wait, &err), -1);
	assert_non_null(strstr(err.message, "state pending, 41%"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create), TEST(test_lost_answers), TEST(test_delete_and_describe), TEST(test_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
