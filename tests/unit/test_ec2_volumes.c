/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: what each call sends and reads (EC2's documented XML), second answers, paging, and every state of the waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/tags.h"
#include "cpi/ec2/volumes.h"
#include "tests/unit/fake_aws.h"

#define VOLUME "vol-1234567890abcdef0"
#define INSTANCE "i-1234567890abcdef0"
#define NAMESPACE                                                                                                      \
	" xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</"        \
	"requestId>"
#define ATTACHMENT(instance, device, status)                                                                           \
	"<attachmentSet><item><volumeId>" VOLUME "</volumeId><instanceId>" instance "</instanceId><device>" device     \
	"</device><status>" status "</status><attachTime>2026-01-01T00:00:00.000Z</attachTime>"                        \
	"<deleteOnTermination>true</deleteOnTermination></item></attachmentSet>"
#define ITEM(id, status, attachments)                                                                                  \
	"<item><volumeId>" id "</volumeId><size>80</size><snapshotId/><availabilityZone>us-east-1a</availabilityZone>" \
	"<status>" status "</status><createTime>2026-01-01T00:00:00.000Z</createTime>" attachments                     \
	"<tagSet><item><key>director</key><value>d-1</value></item><item><key>empty</key><value/></item></tagSet>"     \
	"<volumeType>gp3</volumeType><iops>4000</iops><encrypted>true</encrypted><kmsKeyId>arn:aws:kms:x</kmsKeyId>"   \
	"<multiAttachEnabled>false</multiAttachEnabled><throughput>250</throughput></item>"
#define LIST(items) "<DescribeVolumesResponse" NAMESPACE "<volumeSet>" items "</volumeSet></DescribeVolumesResponse>"
#define PAGE(items, token) "<DescribeVolumesResponse" NAMESPACE "<volumeSet>" items "</volumeSet><nextToken>" token \
			   "</nextToken></DescribeVolumesResponse>"
#define RETURN(action) "<" action "Response" NAMESPACE "<return>true</return></" action "Response>"

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

static void refuse(struct fake_aws *fake, const char *action, const char *code, const char *message)
{
	fake_aws_script(fake,
			(struct fake_answer){ .action = action, .status = 400, .body = fake_aws_error(code, message) });
}

static void test_create(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct ec2_tag tags[] = { { "director", "d 1" }, { "empty", NULL } };
	struct volume_create_request request = {
		.size_gib = 3,
		.availability_zone = "us-east-1a",
		.type = "gp3",
		.client_token = "token-1",
		.iops = 4000,
		.throughput_mibs = 250,
		.encrypted = true,
		.kms_key_id = "arn:aws:kms:x",
		.tags = { tags, 2 },
	};
	struct volume volume;

	say(fake, "CreateVolume",
	    "<CreateVolumeResponse" NAMESPACE "<volumeId>" VOLUME "</volumeId><size>3</size><snapshotId/>"
	    "<availabilityZone>us-east-1a</availabilityZone><status>creating</status><tagSet/><volumeType>gp3</"
	    "volumeType>"
	    "<encrypted>true</encrypted></CreateVolumeResponse>");
	assert_int_equal(volume_create(&fake->ec2, arena, &request, &volume, NULL), 0);
	assert_string_equal(volume.id, VOLUME);
	assert_string_equal(volume.state, "creating");
	assert_string_equal(volume.type, "gp3");
	assert_string_equal(volume.availability_zone, "us-east-1a");
	assert_string_equal(volume.snapshot_id, "");
	assert_int_equal(volume.size_gib, 3);
	assert_true(volume.encrypted);
	assert_int_equal(volume.iops, 0);
	assert_int_equal(volume.throughput_mibs, 0);
	assert_string_equal(volume.kms_key_id, "");
	assert_int_equal(volume.n_attachments, 0);
	assert_int_equal(volume.tags.count, 0);
	static const char *const sent[] = {
		"Version=2016-11-15",
		"Size=3",
		"AvailabilityZone=us-east-1a",
		"VolumeType=gp3",
		"Encrypted=true",
		"KmsKeyId=arn%3Aaws%3Akms%3Ax",
		"Iops=4000",
		"Throughput=250",
		"ClientToken=token-1",
		"TagSpecification.1.ResourceType=volume",
		"TagSpecification.1.Tag.1.Key=director",
		"TagSpecification.1.Tag.1.Value=d%201",
		"TagSpecification.1.Tag.2.Key=empty",
		"TagSpecification.1.Tag.2.Value=",
	};
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		assert_true(fake_aws_sent(fake, 0, sent[i]));
}

static void test_create_says_only_what_is_said(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct volume_create_request request = { .size_gib = 1, .availability_zone = "z", .client_token = "t" };
	struct volume volume = { .id = "untouched" };
	struct error err;

	say(fake, "CreateVolume", "<CreateVolumeResponse" NAMESPACE "<size>3</size></CreateVolumeResponse>");
	assert_int_equal(volume_create(&fake->ec2, arena, &request, &volume, &err), -1);
	assert_string_equal(fake->bodies[0],
			    "Action=CreateVolume&Version=2016-11-15&Size=1&AvailabilityZone=z&ClientToken=t");
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_non_null(strstr(err.message, "volumeId"));
	assert_string_equal(volume.id, "untouched");
	request.client_token = "";
	assert_int_equal(volume_create(&fake->ec2, arena, &request, &volume, &err), -1);
	request.client_token = "0123456789012345678901234567890123456789012345678901234567890123456789";
	assert_int_equal(volume_create(&fake->ec2, arena, &request, &volume, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
}

static void test_describe(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const ids[] = { VOLUME, "vol-2" };
	struct volume *volumes;
	size_t count;

	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdh", "attached"))
					  ITEM("vol-2", "available", "<attachmentSet/>")));
	assert_int_equal(volume_describe(&fake->ec2, arena, (struct ec2_ids){ ids, 2 }, (struct ec2_filters){ NULL, 0 },
					 &volumes, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_string_equal(volumes[0].id, VOLUME);
	assert_int_equal(volumes[0].size_gib, 80);
	assert_int_equal(volumes[0].iops, 4000);
	assert_int_equal(volumes[0].throughput_mibs, 250);
	assert_string_equal(volumes[0].kms_key_id, "arn:aws:kms:x");
	assert_int_equal(volumes[0].n_attachments, 1);
	assert_string_equal(volumes[0].attachments[0].instance_id, INSTANCE);
	assert_string_equal(volumes[0].attachments[0].device, "/dev/sdh");
	assert_string_equal(volumes[0].attachments[0].state, "attached");
	assert_true(volumes[0].attachments[0].delete_on_termination);
	assert_int_equal(volumes[0].tags.count, 2);
	assert_string_equal(tags_get(volumes[0].tags, "director"), "d-1");
	assert_string_equal(tags_get(volumes[0].tags, "empty"), "");
	assert_null(tags_get(volumes[0].tags, "none"));
	assert_string_equal(volumes[1].state, "available");
	assert_int_equal(volumes[1].n_attachments, 0);
	/* ids and a page size exclude each other */
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeVolumes&Version=2016-11-15&VolumeId.1=" VOLUME "&VolumeId.2=vol-2");
}

static void test_pages(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const values[] = { "a", "b" };
	const struct ec2_filter filters[] = { { "tag:director", values, 2 }, { "status", values, 1 } };
	struct volume *volumes;
	size_t count;
	struct error err;

	say(fake, "DescribeVolumes", PAGE(ITEM("vol-1", "available", "") ITEM("vol-2", "available", ""), "t/1="));
	say(fake, "DescribeVolumes", PAGE("", "t2"));
	say(fake, "DescribeVolumes", LIST(ITEM("vol-3", "available", "")));
	assert_int_equal(volume_describe(&fake->ec2, arena, (struct ec2_ids){ NULL, 0 },
					 (struct ec2_filters){ filters, 2 }, &volumes, &count, NULL),
			 0);
	assert_int_equal(count, 3);
	assert_string_equal(volumes[0].id, "vol-1");
	assert_string_equal(volumes[2].id, "vol-3");
	assert_true(fake_aws_sent(fake, 0, "Filter.1.Name=tag%3Adirector"));
	assert_true(fake_aws_sent(fake, 0, "Filter.1.Value.2=b"));
	assert_true(fake_aws_sent(fake, 0, "Filter.2.Name=status"));
	assert_true(fake_aws_sent(fake, 0, "MaxResults=500"));
	assert_true(fake_aws_sent(fake, 1, "NextToken=t%2F1%3D"));
	assert_true(fake_aws_sent(fake, 2, "NextToken=t2"));
	assert_true(fake_aws_sent(fake, 2, "Filter.1.Name=tag%3Adirector"));

	say(fake, "DescribeVolumes", PAGE("", "same"));
	say(fake, "DescribeVolumes", PAGE("", "same"));
	assert_int_equal(volume_describe(&fake->ec2, arena, (struct ec2_ids){ NULL, 0 },
					 (struct ec2_filters){ NULL, 0 }, &volumes, &count, &err),
			 -1);
	assert_non_null(strstr(err.message, "same page"));
}

static void test_many_pages_keep_all_items(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static char pages[60][2048];
	struct volume *volumes;
	size_t count;

	for (int i = 0; i < 60; i++) {
		snprintf(pages[i], sizeof(pages[i]),
			 "<DescribeVolumesResponse><volumeSet><item><volumeId>vol-%d</volumeId></item>"
			 "</volumeSet>%s%d%s</DescribeVolumesResponse>",
			 i, i < 59 ? "<nextToken>" : "<x>", i, i < 59 ? "</nextToken>" : "</x>");
		say(fake, "DescribeVolumes", pages[i]);
	}
	assert_int_equal(volume_describe(&fake->ec2, arena, (struct ec2_ids){ NULL, 0 },
					 (struct ec2_filters){ NULL, 0 }, &volumes, &count, NULL),
			 0);
	assert_int_equal(count, 60);
	for (int i = 0; i < 60; i++) {
		char id[20];
		snprintf(id, sizeof(id), "vol-%d", i);
		assert_string_equal(volumes[i].id, id);
	}
}

static void test_odd_answers(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const struct {
		const char *body;
		const char *message;
	} rows[] = {
		{ "<DescribeVolumesResponse><other/></DescribeVolumesResponse>", "lacks volumeSet" },
		{ LIST("<item><size>1</size></item>"), "lacks volumeId" },
		{ LIST("<item><volumeId>v</volumeId><size>-1</size></item>"), "no number as size" },
		{ LIST("<item><volumeId>v</volumeId><size>1.5</size></item>"), "no number as size" },
		{ LIST("<item><volumeId>v</volumeId><size>99999999999999999999</size></item>"), "no number as size" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct volume *volumes = NULL;
		size_t count = 7;
		struct error err;
		say(fake, "DescribeVolumes", rows[i].body);
		assert_int_equal(volume_describe(&fake->ec2, arena, (struct ec2_ids){ NULL, 0 },
						 (struct ec2_filters){ NULL, 0 }, &volumes, &count, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		if (strstr(err.message, rows[i].message) == NULL)
			fail_msg("%s", err.message);
		assert_int_equal(count, 7);
	}
}

static void test_attach(void **state)
{
	struct fake_aws *fake = *state;

	say(fake, "AttachVolume",
	    "<AttachVolumeResponse" NAMESPACE "<volumeId>" VOLUME "</volumeId><status>attaching</status>"
	    "</AttachVolumeResponse>");
	assert_int_equal(volume_attach(&fake->ec2, VOLUME, INSTANCE, "/dev/sdf", NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=AttachVolume&Version=2016-11-15&VolumeId=" VOLUME
					     "&InstanceId=" INSTANCE "&Device=%2Fdev%2Fsdf");
}

static void test_attach_after_a_lost_answer(void **state)
{
	struct fake_aws *fake = *state;
	static const struct {
		const char *code;
		const char *message;
		const char *now;
		bool success;
	} rows[] = {
		{ "VolumeInUse", "in use", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "attached"))),
		  true },
		{ "VolumeInUse", "in use", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "attaching"))),
		  true },
		{ "InvalidParameterValue", "Attachment point /dev/sdf is already in use",
		  LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "attached"))), true },
		{ "VolumeInUse", "in use", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdg", "attached"))),
		  false },
		{ "VolumeInUse", "in use", LIST(ITEM(VOLUME, "in-use", ATTACHMENT("i-other", "/dev/sdf", "attached"))),
		  false },
		{ "VolumeInUse", "in use", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "detaching"))),
		  false },
		{ "IncorrectState", "no", LIST(ITEM(VOLUME, "available", "<attachmentSet/>")), false },
		{ "VolumeInUse", "in use", LIST(""), false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { 0 };
		fake_aws_script(fake, (struct fake_answer){ .action = "AttachVolume", .way = FAKE_CUT });
		refuse(fake, "AttachVolume", rows[i].code, rows[i].message);
		say(fake, "DescribeVolumes", rows[i].now);
		int result = volume_attach(&fake->ec2, VOLUME, INSTANCE, "/dev/sdf", &err);
		assert_int_equal(result, rows[i].success ? 0 : -1);
		if (!rows[i].success)
			assert_string_equal(err.aws_code, rows[i].code);
	}
	/* other refusals are not looked at */
	struct error err;
	refuse(fake, "AttachVolume", "InvalidParameterValue", "Invalid value 'x'");
	assert_int_equal(volume_attach(&fake->ec2, VOLUME, INSTANCE, "x", &err), -1);
}

static void test_detach(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	say(fake, "DetachVolume",
	    "<DetachVolumeResponse" NAMESPACE "<status>detaching</status></DetachVolumeResponse>");
	assert_int_equal(volume_detach(&fake->ec2, VOLUME, INSTANCE, true, NULL), 0);
	assert_true(fake_aws_sent(fake, 0, "Force=true"));
	refuse(fake, "DetachVolume", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_detach(&fake->ec2, VOLUME, NULL, false, NULL), 0);
	assert_string_equal(fake->bodies[1], "Action=DetachVolume&Version=2016-11-15&VolumeId=" VOLUME);
	refuse(fake, "DetachVolume", "InvalidAttachment.NotFound", "not attached");
	assert_int_equal(volume_detach(&fake->ec2, VOLUME, INSTANCE, false, NULL), 0);
	refuse(fake, "DetachVolume", "IncorrectState", "is in the 'available' state");
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "available", "<attachmentSet/>")));
	assert_int_equal(volume_detach(&fake->ec2, VOLUME, INSTANCE, false, NULL), 0);
	refuse(fake, "DetachVolume", "IncorrectState", "is the root device");
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sda1", "attached"))));
	assert_int_equal(volume_detach(&fake->ec2, VOLUME, INSTANCE, false, &err), -1);
	assert_string_equal(err.aws_code, "IncorrectState");
}

/* Here somebody has asked for it: what is not attached is EC2's error, but where an earlier attempt may have done it. */
static void test_detach_attached(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	say(fake, "DetachVolume", "<DetachVolumeResponse" NAMESPACE "<status>detaching</status></DetachVolumeResponse>");
	assert_int_equal(volume_detach_attached(&fake->ec2, VOLUME, &err), 0);
	assert_string_equal(fake->bodies[0], "Action=DetachVolume&Version=2016-11-15&VolumeId=" VOLUME);
	static const char *const codes[] = { "IncorrectState", "InvalidVolume.NotFound", "InvalidAttachment.NotFound" };
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		refuse(fake, "DetachVolume", codes[i], "is in the 'available' state");
		assert_int_equal(volume_detach_attached(&fake->ec2, VOLUME, &err), -1);
		assert_string_equal(err.aws_code, codes[i]);
		assert_string_equal(err.aws_message, "is in the 'available' state");
	}
	/* the first answer was lost */
	fake_aws_script(fake, (struct fake_answer){ .action = "DetachVolume", .way = FAKE_CUT });
	refuse(fake, "DetachVolume", "IncorrectState", "is in the 'available' state");
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "available", "<attachmentSet/>")));
	assert_int_equal(volume_detach_attached(&fake->ec2, VOLUME, &err), 0);
	/* … and it is attached nevertheless */
	fake_aws_script(fake, (struct fake_answer){ .action = "DetachVolume", .way = FAKE_CUT });
	refuse(fake, "DetachVolume", "IncorrectState", "is the root device");
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sda1", "attached"))));
	assert_int_equal(volume_detach_attached(&fake->ec2, VOLUME, &err), -1);
	assert_string_equal(err.aws_message, "is the root device");
}

static void test_delete(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;
	bool existed = false;

	say(fake, "DeleteVolume", RETURN("DeleteVolume"));
	assert_int_equal(volume_delete(&fake->ec2, VOLUME, &existed, NULL), 0);
	assert_true(existed);
	refuse(fake, "DeleteVolume", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_delete(&fake->ec2, VOLUME, &existed, NULL), 0);
	assert_false(existed);
	refuse(fake, "DeleteVolume", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_delete(&fake->ec2, VOLUME, NULL, NULL), 0);
	/* what EC2 said of it is there for whom it is an error */
	refuse(fake, "DeleteVolume", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_delete(&fake->ec2, VOLUME, &existed, &err), 0);
	assert_false(existed);
	assert_string_equal(err.aws_code, "InvalidVolume.NotFound");
	assert_string_equal(err.aws_message, "gone");
	assert_string_equal(err.aws_action, "DeleteVolume");
	/* the answer to the first attempt was lost: it has deleted it */
	fake_aws_script(fake, (struct fake_answer){ .action = "DeleteVolume", .way = FAKE_CUT });
	refuse(fake, "DeleteVolume", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_delete(&fake->ec2, VOLUME, &existed, &err), 0);
	assert_true(existed);
	refuse(fake, "DeleteVolume", "VolumeInUse", "attached");
	existed = true;
	assert_int_equal(volume_delete(&fake->ec2, VOLUME, &existed, &err), -1);
	assert_string_equal(err.aws_code, "VolumeInUse");
	assert_true(existed);
}

static void test_wait_available(void **state)
{
	struct fake_aws *fake = *state;
	struct wait_options fresh = { .just_created = true };
	struct error err;

	refuse(fake, "DescribeVolumes", "InvalidVolume.NotFound", "not yet");
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "creating", "")));
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "available", "")));
	assert_int_equal(volume_wait_available(&fake->ec2, VOLUME, &fresh, NULL), 0);

	/* gone once it was seen, or not of this call's making: that is the answer */
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "creating", "")));
	refuse(fake, "DescribeVolumes", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_wait_available(&fake->ec2, VOLUME, &fresh, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "does not exist"));
	refuse(fake, "DescribeVolumes", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_wait_available(&fake->ec2, VOLUME, NULL, &err), -1);
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "error", "")));
	assert_int_equal(volume_wait_available(&fake->ec2, VOLUME, NULL, &err), -1);
	assert_non_null(strstr(err.message, "is in state error"));
	refuse(fake, "DescribeVolumes", "UnauthorizedOperation", "no");
	assert_int_equal(volume_wait_available(&fake->ec2, VOLUME, NULL, &err), -1);
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
}

static void test_wait_attached(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "available", "<attachmentSet/>")));
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "attaching"))));
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "attached"))));
	assert_int_equal(volume_wait_attached(&fake->ec2, VOLUME, INSTANCE, NULL, NULL), 0);
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT("i-other", "/dev/sdf", "attached"))));
	assert_int_equal(volume_wait_attached(&fake->ec2, VOLUME, INSTANCE, NULL, &err), -1);
	assert_non_null(strstr(err.message, "i-other"));
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "deleting", "")));
	assert_int_equal(volume_wait_attached(&fake->ec2, VOLUME, INSTANCE, NULL, &err), -1);
}

static void test_wait_detached_and_deleted(void **state)
{
	struct fake_aws *fake = *state;
	struct wait_options short_wait = { .limit_ms = 1000 };
	struct error err;

	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "detaching"))));
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "available", ATTACHMENT(INSTANCE, "/dev/sdf", "detached"))));
	assert_int_equal(volume_wait_detached(&fake->ec2, VOLUME, NULL, NULL), 0);
	refuse(fake, "DescribeVolumes", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_wait_detached(&fake->ec2, VOLUME, NULL, NULL), 0);
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "deleting", "")));
	refuse(fake, "DescribeVolumes", "InvalidVolume.NotFound", "gone");
	assert_int_equal(volume_wait_deleted(&fake->ec2, VOLUME, NULL, NULL), 0);
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "error", "")));
	assert_int_equal(volume_wait_deleted(&fake->ec2, VOLUME, NULL, &err), -1);
	fake->repeat_last = true;
	say(fake, "DescribeVolumes", LIST(ITEM(VOLUME, "in-use", ATTACHMENT(INSTANCE, "/dev/sdf", "busy"))));
	assert_int_equal(volume_wait_detached(&fake->ec2, VOLUME, &short_wait, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.message, "state in-use, busy to " INSTANCE " as /dev/sdf"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create), TEST(test_create_says_only_what_is_said), TEST(test_describe), TEST(test_pages),
		TEST(test_many_pages_keep_all_items), TEST(test_odd_answers), TEST(test_attach),
		TEST(test_attach_after_a_lost_answer), TEST(test_detach), TEST(test_detach_attached), TEST(test_delete), TEST(test_wait_available),
		TEST(test_wait_attached), TEST(test_wait_detached_and_deleted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
