/* SPDX-License-Identifier: Apache-2.0 */
/* Images: what is sent and read, duplicate names, lost answers, the waits' states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/images.h"
#include "cpi/ec2/tags.h"
#include "tests/unit/fake_aws.h"

#define IMAGE "ami-1234567890abcdef0"
#define SNAPSHOT "snap-1234567890abcdef0"
#define NAMESPACE                                                                                                      \
	" xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</"        \
	"requestId>"
#define ITEM(id, state, snapshot, tag)                                                                                 \
	"<item><imageId>" id "</imageId><imageLocation>111122223333/BOSH</imageLocation><imageState>" state            \
	"</imageState><imageOwnerId>111122223333</imageOwnerId><architecture>x86_64</architecture><imageType>machine"  \
	"</imageType><stateReason><code>Client.X</code><message>because</message></stateReason><name>BOSH-1</name>"    \
	"<description>a stemcell</description><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item>"    \
	"<deviceName>/dev/xvda</deviceName><ebs><snapshotId>" snapshot "</snapshotId><volumeSize>5</volumeSize>"       \
	"<deleteOnTermination>true</deleteOnTermination><volumeType>gp3</volumeType><encrypted>true</encrypted></ebs>" \
	"</item><item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item>"                   \
	"</blockDeviceMapping><virtualizationType>hvm</virtualizationType><tagSet><item><key>request</key><value>" tag \
	"</value></item></tagSet></item>"
#define LIST(items) "<DescribeImagesResponse" NAMESPACE "<imagesSet>" items "</imagesSet></DescribeImagesResponse>"
#define REGISTERED "<RegisterImageResponse" NAMESPACE "<imageId>" IMAGE "</imageId></RegisterImageResponse>"

static const struct ec2_tag tags[] = { { "request", "r-1" } };
static const struct image_mapping mappings[] = {
	{ .device_name = "/dev/xvda",
	  .snapshot_id = SNAPSHOT,
	  .volume_size_gib = 5,
	  .volume_type = "gp3",
	  .encrypted = true,
	  .delete_on_termination = true },
	{ .device_name = "/dev/sdb", .virtual_name = "ephemeral0" },
};
static const struct image_register_request request = {
	.name = "BOSH-1", .description = "a stemcell", .architecture = "x86_64", .virtualization_type = "hvm",
	.root_device_name = "/dev/xvda", .sriov_support = "simple", .boot_mode = "uefi", .ena_support = true,
	.mappings = mappings, .n_mappings = 2, .tags = { tags, 1 },
};

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

static void test_register(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *id;

	say(fake, "RegisterImage", REGISTERED);
	assert_int_equal(image_register(&fake->ec2, arena, &request, &id, NULL), 0);
	assert_string_equal(id, IMAGE);
	assert_string_equal(fake->bodies[0],
			    "Action=RegisterImage&Version=2016-11-15&Name=BOSH-1&Description=a%20stemcell"
			    "&Architecture=x86_64&VirtualizationType=hvm&RootDeviceName=%2Fdev%2Fxvda&BootMode=uefi&"
			    "SriovNetSupport=simple"
			    "&EnaSupport=true&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs."
			    "SnapshotId=" SNAPSHOT
			    "&BlockDeviceMapping.1.Ebs.VolumeSize=5&BlockDeviceMapping.1.Ebs.VolumeType=gp3"
			    "&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true&BlockDeviceMapping.2.DeviceName=%2Fdev%"
			    "2Fsdb"
			    "&BlockDeviceMapping.2.VirtualName=ephemeral0&TagSpecification.1.ResourceType=image"
			    "&TagSpecification.1.Tag.1.Key=request&TagSpecification.1.Tag.1.Value=r-1");

	struct image_register_request paravirtual = { .name = "p",
						      .root_device_name = "/dev/sda1",
						      .kernel_id = "aki-1" };
	say(fake, "RegisterImage", REGISTERED);
	assert_int_equal(image_register(&fake->ec2, arena, &paravirtual, &id, NULL), 0);
	assert_string_equal(fake->bodies[1],
			    "Action=RegisterImage&Version=2016-11-15&Name=p&RootDeviceName=%2Fdev%2Fsda1"
			    "&KernelId=aki-1");
}

static void test_register_after_a_lost_answer(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *id;
	struct error err;

	/* found by its name, and ours by its tag */
	fake_aws_script(fake, (struct fake_answer){ .action = "RegisterImage", .way = FAKE_CUT });
	say(fake, "DescribeImages",
	    LIST(ITEM("ami-other", "available", "snap-2", "r-0") ITEM(IMAGE, "pending", SNAPSHOT, "r-1")));
	assert_int_equal(image_register(&fake->ec2, arena, &request, &id, NULL), 0);
	assert_string_equal(id, IMAGE);
	assert_true(fake_aws_sent(fake, 1, "Filter.1.Name=name"));
	assert_true(fake_aws_sent(fake, 1, "Filter.1.Value.1=BOSH-1"));
	assert_true(fake_aws_sent(fake, 1, "Owner.1=self"));

	/* visible only when the second attempt meets it */
	fake_aws_script(fake, (struct fake_answer){ .action = "RegisterImage", .way = FAKE_CUT });
	say(fake, "DescribeImages", LIST(""));
	refuse(fake, "RegisterImage", "InvalidAMIName.Duplicate");
	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "pending", SNAPSHOT, "r-1")));
	assert_int_equal(image_register(&fake->ec2, arena, &request, &id, NULL), 0);

	/* somebody else's of that name */
	refuse(fake, "RegisterImage", "InvalidAMIName.Duplicate");
	say(fake, "DescribeImages", LIST(ITEM("ami-other", "available", SNAPSHOT, "r-0")));
	assert_int_equal(image_register(&fake->ec2, arena, &request, &id, &err), -1);
	assert_string_equal(err.aws_code, "InvalidAMIName.Duplicate");

	/* without tags the snapshot proves it */
	struct image_register_request untagged = request;
	untagged.tags.count = 0;
	refuse(fake, "RegisterImage", "InvalidAMIName.Duplicate");
	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "available", SNAPSHOT, "")));
	assert_int_equal(image_register(&fake->ec2, arena, &untagged, &id, NULL), 0);
	refuse(fake, "RegisterImage", "InvalidAMIName.Duplicate");
	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "available", "snap-other", "")));
	assert_int_equal(image_register(&fake->ec2, arena, &untagged, &id, NULL), -1);
}

static void test_register_odd_answer(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *id = "untouched";
	struct error err;

	say(fake, "RegisterImage", "<RegisterImageResponse/>");
	assert_int_equal(image_register(&fake->ec2, arena, &request, &id, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_non_null(strstr(err.message, "imageId"));
	assert_string_equal(id, "untouched");
}

static void test_describe(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const ids[] = { IMAGE };
	struct image *images;
	size_t count;

	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "available", SNAPSHOT, "r-1")));
	assert_int_equal(image_describe(&fake->ec2, arena, (struct ec2_ids){ ids, 1 }, (struct ec2_filters){ NULL, 0 },
					NULL, &images, &count, NULL),
			 0);
	assert_int_equal(count, 1);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeImages&Version=2016-11-15&ImageId.1=" IMAGE "&IncludeDeprecated=true");
	assert_string_equal(images[0].name, "BOSH-1");
	assert_string_equal(images[0].description, "a stemcell");
	assert_string_equal(images[0].state, "available");
	assert_string_equal(images[0].state_reason, "because");
	assert_string_equal(images[0].architecture, "x86_64");
	assert_string_equal(images[0].root_device_name, "/dev/xvda");
	assert_string_equal(images[0].virtualization_type, "hvm");
	assert_string_equal(images[0].location, "111122223333/BOSH");
	assert_int_equal(images[0].n_mappings, 2);
	assert_string_equal(images[0].mappings[0].snapshot_id, SNAPSHOT);
	assert_int_equal(images[0].mappings[0].volume_size_gib, 5);
	assert_string_equal(images[0].mappings[0].volume_type, "gp3");
	assert_true(images[0].mappings[0].encrypted);
	assert_true(images[0].mappings[0].delete_on_termination);
	assert_null(images[0].mappings[0].virtual_name);
	assert_string_equal(images[0].mappings[1].virtual_name, "ephemeral0");
	assert_null(images[0].mappings[1].snapshot_id);
	assert_string_equal(tags_get(images[0].tags, "request"), "r-1");

	say(fake, "DescribeImages", LIST(""));
	assert_int_equal(image_describe(&fake->ec2, arena, (struct ec2_ids){ NULL, 0 }, (struct ec2_filters){ NULL, 0 },
					"amazon", &images, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_true(fake_aws_sent(fake, 1, "Owner.1=amazon"));
}

static void test_deregister_and_copy(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct image_copy_request copy = {
		.source_region = "eu-west-1",
		.source_image_id = "ami-1",
		.name = "copy",
		.encrypted = true,
		.kms_key_id = "k",
		.client_token = "t",
		.tags = { tags, 1 },
	};
	const char *id;
	bool existed;
	struct error err;

	say(fake, "DeregisterImage", "<DeregisterImageResponse><return>true</return></DeregisterImageResponse>");
	assert_int_equal(image_deregister(&fake->ec2, IMAGE, &existed, NULL), 0);
	assert_true(existed);
	refuse(fake, "DeregisterImage", "InvalidAMIID.NotFound");
	assert_int_equal(image_deregister(&fake->ec2, IMAGE, &existed, NULL), 0);
	assert_false(existed);
	refuse(fake, "DeregisterImage", "InvalidAMIID.Unavailable");
	assert_int_equal(image_deregister(&fake->ec2, IMAGE, NULL, NULL), 0);
	refuse(fake, "DeregisterImage", "AuthFailure");
	assert_int_equal(image_deregister(&fake->ec2, IMAGE, &existed, NULL), -1);

	say(fake, "CopyImage", "<CopyImageResponse" NAMESPACE "<imageId>" IMAGE "</imageId></CopyImageResponse>");
	assert_int_equal(image_copy(&fake->ec2, arena, &copy, &id, NULL), 0);
	assert_string_equal(id, IMAGE);
	assert_string_equal(fake->bodies[4],
			    "Action=CopyImage&Version=2016-11-15&SourceRegion=eu-west-1&SourceImageId=ami-1"
			    "&Name=copy&Encrypted=true&KmsKeyId=k&ClientToken=t&TagSpecification.1.ResourceType=image"
			    "&TagSpecification.1.Tag.1.Key=request&TagSpecification.1.Tag.1.Value=r-1"
			    "&TagSpecification.2.ResourceType=snapshot&TagSpecification.2.Tag.1.Key=request&"
			    "TagSpecification.2.Tag.1.Value=r-1");

	copy.client_token = NULL;
	assert_int_equal(image_copy(&fake->ec2, arena, &copy, &id, &err), -1);
	assert_non_null(strstr(err.message, "client token"));
}

static void test_wait_available(void **state)
{
	struct fake_aws *fake = *state;
	struct wait_options fresh = { .just_created = true };
	static const char *const failed[] = {
		LIST(ITEM(IMAGE, "failed", SNAPSHOT, "")), LIST(ITEM(IMAGE, "error", SNAPSHOT, "")),
		LIST(ITEM(IMAGE, "invalid", SNAPSHOT, "")), LIST(ITEM(IMAGE, "deregistered", SNAPSHOT, "")),
	};
	struct error err;

	refuse(fake, "DescribeImages", "InvalidAMIID.NotFound");
	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "pending", SNAPSHOT, "")));
	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "transient", SNAPSHOT, "")));
	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "available", SNAPSHOT, "")));
	assert_int_equal(image_wait_available(&fake->ec2, IMAGE, &fresh, NULL), 0);
	for (size_t i = 0; i < sizeof(failed) / sizeof(failed[0]); i++) {
		say(fake, "DescribeImages", failed[i]);
		assert_int_equal(image_wait_available(&fake->ec2, IMAGE, NULL, &err), -1);
		assert_int_equal(err.kind, ERROR_CLOUD);
		assert_non_null(strstr(err.message, "because"));
	}
	refuse(fake, "DescribeImages", "InvalidAMIID.NotFound");
	assert_int_equal(image_wait_available(&fake->ec2, IMAGE, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
}

static void test_wait_deregistered(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "available", SNAPSHOT, "")));
	refuse(fake, "DescribeImages", "InvalidAMIID.Unavailable");
	assert_int_equal(image_wait_deregistered(&fake->ec2, IMAGE, NULL, NULL), 0);
	say(fake, "DescribeImages", LIST(""));
	assert_int_equal(image_wait_deregistered(&fake->ec2, IMAGE, NULL, NULL), 0);
	say(fake, "DescribeImages", LIST(ITEM(IMAGE, "deregistered", SNAPSHOT, "")));
	assert_int_equal(image_wait_deregistered(&fake->ec2, IMAGE, NULL, NULL), 0);
	refuse(fake, "DescribeImages", "UnauthorizedOperation");
	assert_int_equal(image_wait_deregistered(&fake->ec2, IMAGE, NULL, &err), -1);
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_register),
		TEST(test_register_after_a_lost_answer),
		TEST(test_register_odd_answer),
		TEST(test_describe),
		TEST(test_deregister_and_copy),
		TEST(test_wait_available),
		TEST(test_wait_deregistered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
