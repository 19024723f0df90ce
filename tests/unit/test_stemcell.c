/* SPDX-License-Identifier: Apache-2.0 */
/* create_stemcell's plan and its light kinds, and delete_stemcell, call by call. The heavy kind's acts need a device and are
 * the integration tests'; its kernel image is looked for here. */
#include "cpi/methods/stemcell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "common/cleanup.h"
#include "cpi/methods/kernel_image.h"
#include "cpi/methods/stemcell_plan.h"
#include "cpi/methods/undo.h"
#include "tests/unit/fake_aws.h"

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define REPLY(action, inner) XML "<" action "Response><requestId>r</requestId>" inner "</" action "Response>"
#define IMAGES(inner) REPLY("DescribeImages", "<imagesSet>" inner "</imagesSet>")
#define IMAGE(id) "<item><imageId>" id "</imageId><imageState>available</imageState></item>"
#define KERNEL(id, location)                                                                                           \
	"<item><imageId>" id "</imageId><imageState>available</imageState><imageLocation>" location "</imageLocation></item>"
#define DONE(action) REPLY(action, "<return>true</return>")
#define ROOT_OF(snapshot)                                                                                              \
	"<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>" snapshot                           \
	"</snapshotId></ebs></item></blockDeviceMapping>"

struct fixture {
	struct fake_aws aws;
	struct config config;
	struct arena *arena;
	struct call call;
	const char *cid;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	/* no journal: what it does is another test's */
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", "/proc/none", 1), 0);
	fake_aws_open(&fixture->aws);
	fixture->arena = arena_new(1024 * 1024);
	fixture->config.aws.region = "eu-west-1";
	fixture->call = (struct call){
		.runtime = &fixture->aws.runtime,
		.config = &fixture->config,
		.arena = fixture->arena,
		.ec2 = &fixture->aws.ec2,
		.method = "create_stemcell",
		.director_uuid = "d",
		.request_id = "r",
	};
	assert_int_equal(undo_new(fixture->call.runtime, fixture->call.ec2, "d", "r", "m", &fixture->call.undo, NULL), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	undo_free(fixture->call.undo);
	arena_free(fixture->arena);
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

/* --- the plan --- */

static int plan(struct fixture *fixture, struct stemcell_create_request request, struct stemcell_plan *ret_plan)
{
	*ret_plan = (struct stemcell_plan){ 0 };
	fixture->err = (struct error){ 0 };
	if (stemcell_plan_common(&fixture->call, &request, ret_plan, &fixture->err) != 0)
		return -1;
	return stemcell_plan_heavy(&fixture->call, &request.properties, ret_plan, &fixture->err);
}

static void test_defaults(void **state)
{
	struct fixture *fixture = *state;
	struct stemcell_plan made;

	assert_int_equal(plan(fixture, (struct stemcell_create_request){ 0 }, &made), 0);
	assert_int_equal(made.disk_gib, 2);
	assert_false(made.paravirtual);
	assert_false(made.encrypted);
	assert_null(made.description);
	assert_null(made.architecture);
	assert_string_equal(made.root_device_name, "/dev/xvda");
	assert_string_equal(made.boot_mode, "legacy-bios");
	assert_int_equal(made.tags.count, 0);
}

static void test_disk_sizes(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		uint64_t mib;
		uint64_t gib; /* 0: refused */
	} rows[] = { { 1, 0 }, { 1023, 0 }, { 1024, 1 }, { 1025, 2 }, { 3072, 3 },
		     { 16777216, 16384 }, { 16777217, 0 }, { UINT64_MAX, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stemcell_create_request request = { .properties.disk_mib = rows[i].mib };
		struct stemcell_plan made;
		int result = plan(fixture, request, &made);
		assert_int_equal(result, rows[i].gib > 0 ? 0 : -1);
		if (result == 0)
			assert_int_equal(made.disk_gib, rows[i].gib);
		else
			assert_int_equal(fixture->err.kind, ERROR_CLOUD);
	}
}

static void test_machines(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		struct stemcell_properties properties;
		const char *boot_mode;
		const char *root;
		const char *refusal;
	} rows[] = {
		{ { .architecture = "arm64" }, NULL, "/dev/xvda", NULL },
		{ { .architecture = "arm64", .boot_mode = "uefi" }, "uefi", "/dev/xvda", NULL },
		{ { .architecture = "x86_64", .boot_mode = "uefi-preferred" }, "uefi-preferred", "/dev/xvda", NULL },
		{ { .virtualization_type = "hvm", .root_device_name = "/dev/sda1" }, "legacy-bios", "/dev/xvda", NULL },
		{ { .virtualization_type = "paravirtual", .root_device_name = "/dev/sda1" }, NULL, "/dev/sda1", NULL },
		{ { .virtualization_type = "paravirtual" }, NULL, NULL, "root_device_name" },
		{ { .virtualization_type = "pv" }, NULL, NULL, "virtualization_type is 'pv'" },
		{ { .architecture = "amd64" }, NULL, NULL, "architecture is 'amd64'" },
		{ { .boot_mode = "bios" }, NULL, NULL, "boot_mode is 'bios'" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stemcell_create_request request = { .properties = rows[i].properties };
		struct stemcell_plan made;
		if (rows[i].refusal != NULL) {
			assert_int_equal(plan(fixture, request, &made), -1);
			assert_non_null(strstr(fixture->err.message, rows[i].refusal));
			continue;
		}
		assert_int_equal(plan(fixture, request, &made), 0);
		assert_string_equal(made.root_device_name, rows[i].root);
		if (rows[i].boot_mode == NULL)
			assert_null(made.boot_mode);
		else
			assert_string_equal(made.boot_mode, rows[i].boot_mode);
	}
}

static void test_encryption(void **state)
{
	struct fixture *fixture = *state;
	struct stemcell_create_request request = { 0 };
	struct stemcell_plan made;

	fixture->config.encrypted = true;
	fixture->config.kms_key_arn = "global";
	assert_int_equal(plan(fixture, request, &made), 0);
	assert_true(made.encrypted);
	assert_string_equal(made.kms_key_arn, "global");
	request.properties.kms_key_arn_set = true;
	request.properties.kms_key_arn = "own";
	assert_int_equal(plan(fixture, request, &made), 0);
	assert_string_equal(made.kms_key_arn, "own");
	fixture->config.stemcell.skip_zero_blocks = true;
	assert_int_equal(plan(fixture, request, &made), -1);
	assert_int_equal(fixture->err.kind, ERROR_CONFIG);
	request.properties.encrypted_set = true;
	request.properties.encrypted = false;
	assert_int_equal(plan(fixture, request, &made), 0);
	assert_false(made.encrypted);
}

static void test_tags(void **state)
{
	struct fixture *fixture = *state;
	char long_text[300];
	const struct ec2_tag own[] = { { "a", "1" }, { "Name", "mine" }, { long_text, long_text } };
	const struct ec2_tag env[] = { { "b", "2" }, { "a", "3" } };
	struct stemcell_create_request request = {
		.properties = { .name = "stem", .version = "1.2", .tags = { own, 3 } },
		.env_tags = { env, 2 },
	};
	struct stemcell_plan made;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(plan(fixture, request, &made), 0);
	assert_string_equal(made.description, "stem 1.2");
	assert_int_equal(made.tags.count, 4);
	assert_string_equal(made.tags.items[0].key, "a");
	assert_string_equal(made.tags.items[0].value, "3");
	assert_string_equal(made.tags.items[1].value, "stem 1.2");
	assert_int_equal(strlen(made.tags.items[2].key), 127);
	assert_int_equal(strlen(made.tags.items[2].value), 255);
	assert_string_equal(made.tags.items[3].key, "b");
}

/* --- light --- */

static const struct stemcell_ami amis[] = { { "us-east-1", "ami-1" }, { "eu-west-1", "ami-2" } };

static int create_light(struct fixture *fixture, struct stemcell_properties properties)
{
	struct stemcell_create_request request = { .image_path = "/none", .properties = properties };

	request.properties.amis = amis;
	request.properties.n_amis = 2;
	return stemcell_create(&fixture->call, &request, &fixture->cid, &fixture->err);
}

static void test_light(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeImages", IMAGES(IMAGE("ami-2")));
	assert_int_equal(create_light(fixture, (struct stemcell_properties){ 0 }), 0);
	assert_string_equal(fixture->cid, "ami-2 light");
	assert_true(fake_aws_sent(&fixture->aws, 0, "Filter.1.Value.1=ami-2"));
	assert_false(fake_aws_sent(&fixture->aws, 0, "Filter.1.Value.2=ami-2"));
	assert_true(fake_aws_sent(&fixture->aws, 0, "IncludeDeprecated=true"));
}

static void test_light_without_a_region_of_the_map(void **state)
{
	struct fixture *fixture = *state;
	static const char *const regions[] = { NULL, "nowhere-1" };

	for (size_t i = 0; i < 2; i++) {
		fixture->config.aws.region = regions[i];
		expect(fixture, "DescribeImages", IMAGES(IMAGE("ami-2") IMAGE("ami-1")));
		assert_int_equal(create_light(fixture, (struct stemcell_properties){ 0 }), 0);
		/* the map's order, not EC2's */
		assert_string_equal(fixture->cid, "ami-1 light");
	}
	expect(fixture, "DescribeImages", IMAGES(""));
	assert_int_equal(create_light(fixture, (struct stemcell_properties){ 0 }), -1);
	assert_int_equal(fixture->err.kind, ERROR_CLOUD);
	assert_non_null(strstr(fixture->err.message, "Stemcell does not contain an AMI in region nowhere-1"));
	/* a copy needs to know */
	assert_int_equal(create_light(fixture, (struct stemcell_properties){ .encrypted_set = true, .encrypted = true }), -1);
	assert_int_equal(fixture->err.kind, ERROR_CLOUD);
}

static void test_light_encrypted(void **state)
{
	struct fixture *fixture = *state;
	const struct stemcell_properties properties = { .encrypted_set = true, .encrypted = true };

	expect(fixture, "DescribeImages", IMAGES(IMAGE("ami-2")));
	expect(fixture, "CopyImage", REPLY("CopyImage", "<imageId>ami-3</imageId>"));
	expect(fixture, "DescribeImages", IMAGES("<item><imageId>ami-3</imageId><imageState>pending</imageState></item>"));
	expect(fixture, "DescribeImages", IMAGES(IMAGE("ami-3")));
	assert_int_equal(create_light(fixture, properties), 0);
	assert_string_equal(fixture->cid, "ami-3");
	assert_true(fake_aws_sent(&fixture->aws, 1, "SourceImageId=ami-2"));
	assert_true(fake_aws_sent(&fixture->aws, 1, "SourceRegion=eu-west-1"));
	assert_true(fake_aws_sent(&fixture->aws, 1, "Encrypted=true"));
	assert_true(fake_aws_sent(&fixture->aws, 1, "Name=Copied%20from%20SourceAMI%20ami-2"));
	undo_answered(fixture->call.undo);
}

static void test_refused_copy_is_not_looked_for(void **state)
{
	struct fixture *fixture = *state;
	const struct stemcell_properties properties = { .encrypted_set = true, .encrypted = true };

	expect(fixture, "DescribeImages", IMAGES(IMAGE("ami-2")));
	expect_error(fixture, "CopyImage", "UnauthorizedOperation");
	assert_int_equal(create_light(fixture, properties), -1);
	assert_int_equal(fixture->err.kind, ERROR_AWS);
	assert_non_null(strstr(fixture->err.message, "cannot copy AMI ami-2"));
	undo_run(fixture->call.undo, &fixture->err);
}

/* --- kernel images --- */

static void test_kernel_images(void **state)
{
	struct fixture *fixture = *state;
	static const char answer[] = IMAGES(
		KERNEL("aki-1", "ec2/pv-grub-hd0_1.03-x86_64.gz.manifest.xml")
		KERNEL("aki-2", "ec2/pv-grub-hd0_1.10-x86_64.gz.manifest.xml")
		KERNEL("aki-3", "ec2/pv-grub-hd0-1.9-x86_64.gz.manifest.xml")
		KERNEL("aki-4", "ec2/pv-grub-hd00_2.0-x86_64.gz.manifest.xml")
		KERNEL("aki-5", "ec2/pv-grub-hd00_1.99-x86_64.gz.manifest.xml")
		KERNEL("aki-6", "ec2/pv-grub-hd0_9-x86_64.gz")
		KERNEL("aki-7", "ec2/pv-grub-hd0_.9-x86_64.gz")
		"<item><imageId>aki-8</imageId></item>");
	const char *id = NULL;

	expect(fixture, "DescribeImages", answer);
	assert_int_equal(kernel_image_pick(&fixture->call, "x86_64", "/dev/sda", &id, &fixture->err), 0);
	assert_string_equal(id, "aki-2");
	expect(fixture, "DescribeImages", answer);
	assert_int_equal(kernel_image_pick(&fixture->call, "x86_64", "/dev/sda1", &id, &fixture->err), 0);
	assert_string_equal(id, "aki-4");
	expect(fixture, "DescribeImages", IMAGES(KERNEL("aki-4", "ec2/pv-grub-hd00_2.0-x86_64.gz")));
	assert_int_equal(kernel_image_pick(&fixture->call, "i386", NULL, &id, &fixture->err), -1);
	assert_non_null(strstr(fixture->err.message, "unable to find AKI"));
	assert_true(fake_aws_sent(&fixture->aws, 2, "Filter.1.Value.1=i386"));
}

/* --- delete --- */

static int delete(struct fixture *fixture, const char *cid)
{
	return stemcell_delete(&fixture->call, cid, &fixture->err);
}

static void test_delete(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeImages",
	       IMAGES("<item><imageId>ami-1</imageId><imageState>available</imageState>" ROOT_OF("snap-1") "</item>"));
	expect(fixture, "DescribeInstances", REPLY("DescribeInstances", "<reservationSet/>"));
	expect(fixture, "CreateTags", DONE("CreateTags"));
	expect(fixture, "DeregisterImage", DONE("DeregisterImage"));
	expect(fixture, "DescribeImages", IMAGES(""));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	assert_int_equal(delete(fixture, "ami-1"), 0);
	assert_true(fake_aws_sent(&fixture->aws, 2, "ResourceId.1=snap-1"));
	assert_true(fake_aws_sent(&fixture->aws, 5, "SnapshotId=snap-1"));
}

static void test_delete_light(void **state)
{
	assert_int_equal(delete(*state, "ami-1 light"), 0);
}

static void test_delete_missing(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DescribeImages", "InvalidAMIID.NotFound");
	expect(fixture, "DescribeSnapshots",
	       REPLY("DescribeSnapshots", "<snapshotSet><item><snapshotId>snap-9</snapshotId><status>completed</status></item>"
		     "</snapshotSet>"));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	assert_int_equal(delete(fixture, "ami-1"), 0);
	assert_true(fake_aws_sent(&fixture->aws, 1, "Filter.1.Name=tag%3Aaws-cpi-deleting"));
	assert_true(fake_aws_sent(&fixture->aws, 1, "Filter.1.Value.1=ami-1"));
}

static void test_delete_goes_on_without_the_rights_for_extras(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "DescribeImages",
	       IMAGES("<item><imageId>ami-1</imageId><imageState>available</imageState>" ROOT_OF("snap-1") "</item>"));
	expect_error(fixture, "DescribeInstances", "UnauthorizedOperation");
	expect_error(fixture, "CreateTags", "UnauthorizedOperation");
	expect(fixture, "DeregisterImage", DONE("DeregisterImage"));
	expect(fixture, "DescribeImages", IMAGES(""));
	expect(fixture, "DeleteSnapshot", DONE("DeleteSnapshot"));
	assert_int_equal(delete(fixture, "ami-1"), 0);
}

static void test_delete_of_a_snapshot_that_stays_in_use(void **state)
{
	struct fixture *fixture = *state;
	char log[65536];

	expect(fixture, "DescribeImages",
	       IMAGES("<item><imageId>ami-1</imageId><imageState>available</imageState>" ROOT_OF("snap-1") "</item>"));
	expect(fixture, "DescribeInstances", REPLY("DescribeInstances", "<reservationSet/>"));
	expect(fixture, "CreateTags", DONE("CreateTags"));
	expect(fixture, "DeregisterImage", DONE("DeregisterImage"));
	expect(fixture, "DescribeImages", IMAGES(""));
	/* until the wait gives up, with each delay as long as its jitter makes it: about 17 looks */
	fake_aws_script(&fixture->aws, (struct fake_answer){ .status = 400, .body = fake_aws_error("InvalidSnapshot.InUse",
												   "in use") });
	fixture->aws.repeat_last = true;
	assert_int_equal(delete(fixture, "ami-1"), -1);
	assert_int_equal(fixture->err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(fixture->err.message, "cannot delete snapshot snap-1"));
	fake_aws_log(&fixture->aws, log, sizeof(log));
	assert_null(strstr(log, "secret"));
}

static void test_delete_denied(void **state)
{
	struct fixture *fixture = *state;

	expect_error(fixture, "DescribeImages", "UnauthorizedOperation");
	assert_int_equal(delete(fixture, "ami-1"), -1);
	assert_int_equal(fixture->err.kind, ERROR_AWS);
	assert_non_null(strstr(fixture->err.message, "cannot look at stemcell 'ami-1'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_defaults),
		TEST(test_disk_sizes),
		TEST(test_machines),
		TEST(test_encryption),
		TEST(test_tags),
		TEST(test_light),
		TEST(test_light_without_a_region_of_the_map),
		TEST(test_light_encrypted),
		TEST(test_refused_copy_is_not_looked_for),
		TEST(test_kernel_images),
		TEST(test_delete),
		TEST(test_delete_light),
		TEST(test_delete_missing),
		TEST(test_delete_goes_on_without_the_rights_for_extras),
		TEST(test_delete_of_a_snapshot_that_stays_in_use),
		TEST(test_delete_denied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
