/* SPDX-License-Identifier: Apache-2.0 */
/* delete_disk, attach_disk and update_disk where EC2 goes on refusing: for how long they ask again, and what they say then. */
#include "cpi/methods/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cpi/methods/disk_attach.h"
#include "cpi/methods/disk_change.h"
#include "cpi/methods/undo.h"
#include "tests/unit/fake_ec2.h"

#define VM "i-1234567890abcdef0"
#define DISK "vol-1234567890abcdef0"
#define MINUTE ((int64_t)60 * 1000)
#define INSTANCE                                                                                                       \
	"<DescribeInstancesResponse" FAKE_EC2_START "<reservationSet><item><instancesSet><item><instanceId>" VM           \
	"</instanceId><instanceState><name>running</name></instanceState><instanceType>m5.large</instanceType>"           \
	"<blockDeviceMapping/></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
#define VOLUME                                                                                                         \
	"<DescribeVolumesResponse" FAKE_EC2_START "<volumeSet><item><volumeId>" DISK "</volumeId><size>2</size>"          \
	"<status>available</status><volumeType>gp3</volumeType><attachmentSet/></item></volumeSet></DescribeVolumesResponse>"

struct fixture {
	struct fake_aws *aws;
	struct config config;
	struct call call;
};

static int begin(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	void *aws;

	assert_non_null(fixture);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", "/dev/null/nowhere", 1), 0);
	fake_ec2_begin(&aws);
	fixture->aws = aws;
	fixture->call = (struct call){
		.runtime = &fixture->aws->runtime,
		.config = &fixture->config,
		.arena = arena_new((size_t)16 * 1024 * 1024),
		.ec2 = &fixture->aws->ec2,
		.api_version = 3,
		.stemcell_api_version = 3,
	};
	assert_int_equal(undo_new(&fixture->aws->runtime, &fixture->aws->ec2, "director", "cpi-1", "method",
				  &fixture->call.undo, NULL), 0);
	*state = fixture;
	return 0;
}

static int end(void **state)
{
	struct fixture *fixture = *state;
	void *aws = fixture->aws;

	undo_free(fixture->call.undo);
	arena_free(fixture->call.arena);
	fake_ec2_end(&aws);
	unsetenv("AWS_CPI_STATE_DIR");
	free(fixture);
	return 0;
}

/* From now on everything is refused with that code. */
static void refuse_all(struct fixture *fixture, int status, const char *code)
{
	fake_aws_script(fixture->aws, (struct fake_answer){ .status = status, .body = fake_aws_error(code, "because") });
	fixture->aws->repeat_last = true;
}

static void check_ten_minutes(const struct fixture *fixture, const struct error *err, const char *code)
{
	assert_in_range(fixture->aws->now_ms, 10 * MINUTE, 11 * MINUTE);
	assert_int_equal(err->kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err->message, DISK));
	assert_non_null(strstr(err->message, code));
}

static void test_delete_in_use(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	refuse_all(fixture, 400, "VolumeInUse");
	assert_int_equal(disk_delete(&fixture->call, DISK, &err), -1);
	check_ten_minutes(fixture, &err, "VolumeInUse");
}

/* cpi/aws repeats it as often as it should be, and nothing above does it again. */
static void test_delete_failing(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	refuse_all(fixture, 500, "InternalError");
	assert_int_equal(disk_delete(&fixture->call, DISK, &err), -1);
	assert_int_equal(fixture->aws->n_requests, 3);
	assert_string_equal(err.aws_code, "InternalError");
}

static void test_attach_in_use(void **state)
{
	struct fixture *fixture = *state;
	const char *hint;
	struct error err;

	fake_ec2_say(fixture->aws, "DescribeInstances", INSTANCE);
	refuse_all(fixture, 400, "VolumeInUse");
	assert_int_equal(disk_attach(&fixture->call, VM, DISK, &hint, &err), -1);
	check_ten_minutes(fixture, &err, "VolumeInUse");
	assert_non_null(strstr(err.message, VM));
}

static void test_attach_failing(void **state)
{
	struct fixture *fixture = *state;
	const char *hint;
	struct error err;

	fake_ec2_say(fixture->aws, "DescribeInstances", INSTANCE);
	refuse_all(fixture, 400, "InvalidVolume.ZoneMismatch");
	assert_int_equal(disk_attach(&fixture->call, VM, DISK, &hint, &err), -1);
	assert_int_equal(fixture->aws->n_requests, 2);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_non_null(strstr(err.message, VM));
}

/* What is refused leaves nothing to undo: no further request. */
static void test_attach_refused_is_forgotten(void **state)
{
	struct fixture *fixture = *state;
	const char *hint;
	struct error err;

	fake_ec2_say(fixture->aws, "DescribeInstances", INSTANCE);
	fake_ec2_refuse(fixture->aws, "AttachVolume", "InvalidVolume.NotFound");
	assert_int_equal(disk_attach(&fixture->call, VM, DISK, &hint, &err), -1);
	assert_int_equal(err.kind, ERROR_DISK_NOT_FOUND);
	undo_run(fixture->call.undo, &err);
	assert_int_equal(fixture->aws->n_requests, 2);
}

static enum error_kind update(struct fixture *fixture)
{
	const struct disk_properties properties = { 0 };
	struct error err = { 0 };

	assert_int_equal(disk_change_update(&fixture->call, DISK, 4096, &properties, &err), -1);
	return err.kind;
}

static void test_update_cannot_look(void **state)
{
	struct fixture *fixture = *state;

	refuse_all(fixture, 500, "InternalError");
	assert_int_equal(update(fixture), ERROR_NOT_SUPPORTED);
}

static void test_update_refused(void **state)
{
	struct fixture *fixture = *state;

	fake_ec2_say(fixture->aws, "DescribeVolumes", VOLUME);
	refuse_all(fixture, 403, "UnauthorizedOperation");
	assert_int_equal(update(fixture), ERROR_NOT_SUPPORTED);
}

/* Its first attempt may have been heard, and that cannot be looked up. */
static void test_update_lost(void **state)
{
	struct fixture *fixture = *state;

	fake_ec2_say(fixture->aws, "DescribeVolumes", VOLUME);
	fake_ec2_lose(fixture->aws, "ModifyVolume");
	refuse_all(fixture, 403, "UnauthorizedOperation");
	assert_int_equal(update(fixture), ERROR_AWS);
}

static void test_update_signalled(void **state)
{
	struct fixture *fixture = *state;

	fake_aws_script(fixture->aws, (struct fake_answer){ .way = FAKE_SIGNAL });
	assert_int_equal(update(fixture), ERROR_CANCELLED);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_delete_in_use),   TEST(test_delete_failing),	    TEST(test_attach_in_use),
		TEST(test_attach_failing),  TEST(test_attach_refused_is_forgotten), TEST(test_update_cannot_look),
		TEST(test_update_refused),  TEST(test_update_lost),	    TEST(test_update_signalled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
