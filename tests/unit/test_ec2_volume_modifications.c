/* SPDX-License-Identifier: Apache-2.0 */
/* ModifyVolume: what is sent, lost answers and refusals that a modification on record explains; the wait's states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/volume_modifications.h"
#include "tests/unit/fake_ec2.h"

#define VOLUME "vol-1234567890abcdef0"
#define MODIFICATION(state, start, more)                                                                               \
	"<item><volumeId>" VOLUME "</volumeId><modificationState>" state "</modificationState><targetSize>20</"         \
	"targetSize><targetIops>4000</targetIops><targetVolumeType>gp3</targetVolumeType><targetThroughput>250</"      \
	"targetThroughput><originalSize>10</originalSize><originalVolumeType>gp2</originalVolumeType><progress>3</"    \
	"progress><startTime>" start "</startTime>" more "</item>"
#define NOW "2026-01-01T00:00:00.000Z"
#define BEFORE "2025-12-31T23:59:59.000Z"
#define LIST(items) "<DescribeVolumesModificationsResponse><volumeModificationSet>" items \
		    "</volumeModificationSet></DescribeVolumesModificationsResponse>"
#define ASKED "<ModifyVolumeResponse><volumeModification><volumeId>" VOLUME "</volumeId><modificationState>modifying</" \
	      "modificationState></volumeModification></ModifyVolumeResponse>"

static const struct volume_modify_request whole_goal = {
	.size_gib = 20,
	.type = "gp3",
	.iops = 4000,
	.throughput_mibs = 250,
};

static void say_record(struct fake_aws *fake, const char *body)
{
	fake_ec2_say(fake, "DescribeVolumesModifications", body);
}

static void test_modify(void **state)
{
	struct fake_aws *fake = *state;
	const struct volume_modify_request only_size = { .size_gib = 20 };

	fake_ec2_say(fake, "ModifyVolume", ASKED);
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=ModifyVolume&Version=2016-11-15&VolumeId=" VOLUME
					     "&Size=20&VolumeType=gp3&Iops=4000&Throughput=250");
	fake_ec2_say(fake, "ModifyVolume", ASKED);
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &only_size, NULL), 0);
	assert_string_equal(fake->bodies[1], "Action=ModifyVolume&Version=2016-11-15&VolumeId=" VOLUME "&Size=20");
}

static void test_a_lost_answer(void **state)
{
	struct fake_aws *fake = *state;
	static const char *const heard[] = {
		LIST(MODIFICATION("modifying", NOW, "")),
		LIST(MODIFICATION("optimizing", NOW, "")),
		LIST(MODIFICATION("completed", NOW, "")),
	};
	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		fake_ec2_lose(fake, "ModifyVolume");
		say_record(fake, heard[i]);
		assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, NULL), 0);
	}
	assert_true(fake_aws_sent(fake, 1, "VolumeId.1=" VOLUME));

	/* not heard: asked again */
	static const char *const unheard[] = { LIST(""), LIST(MODIFICATION("failed", NOW, "")) };
	for (size_t i = 0; i < 2; i++) {
		fake_ec2_lose(fake, "ModifyVolume");
		say_record(fake, unheard[i]);
		fake_ec2_say(fake, "ModifyVolume", ASKED);
		assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, NULL), 0);
	}
	fake_ec2_lose(fake, "ModifyVolume");
	fake_ec2_refuse(fake, "DescribeVolumesModifications", "InvalidVolumeModification.NotFound");
	fake_ec2_say(fake, "ModifyVolume", ASKED);
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, NULL), 0);
}

static void test_another_goal(void **state)
{
	struct fake_aws *fake = *state;
	static const struct {
		struct volume_modify_request goal;
		bool same;
	} rows[] = {
		{ { .size_gib = 20 }, true },
		{ { .type = "gp3" }, true },
		{ { .iops = 4000, .throughput_mibs = 250 }, true },
		{ { .size_gib = 21, .type = "gp3" }, false },
		{ { .size_gib = 20, .type = "io2" }, false },
		{ { .size_gib = 20, .iops = 3000 }, false },
		{ { .size_gib = 20, .throughput_mibs = 125 }, false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { 0 };
		fake_ec2_refuse(fake, "ModifyVolume",
				i % 2 == 0 ? "IncorrectModificationState" : "VolumeModificationRateExceeded");
		say_record(fake, LIST(MODIFICATION("optimizing", NOW, "")));
		int result = volume_modify(&fake->ec2, VOLUME, &rows[i].goal, &err);
		assert_int_equal(result, rows[i].same ? 0 : -1);
		if (!rows[i].same)
			assert_string_equal(err.aws_action, "ModifyVolume");
	}
}

static void test_refusals(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	/* what a modification cannot explain is not looked at */
	fake_ec2_refuse(fake, "ModifyVolume", "InvalidVolume.NotFound");
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, &err), -1);
	assert_true(ec2_is_not_found(&err));
	fake_ec2_refuse(fake, "ModifyVolume", "InvalidParameterValue");
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, &err), -1);

	/* the refusal stays the error, whatever the look says */
	fake_ec2_refuse(fake, "ModifyVolume", "IncorrectModificationState");
	fake_ec2_refuse(fake, "DescribeVolumesModifications", "UnauthorizedOperation");
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, &err), -1);
	assert_string_equal(err.aws_code, "IncorrectModificationState");

	/* there is one, says EC2: it shows up soon */
	fake_ec2_refuse(fake, "ModifyVolume", "IncorrectModificationState");
	fake_ec2_refuse(fake, "DescribeVolumesModifications", "InvalidVolumeModification.NotFound");
	say_record(fake, LIST(MODIFICATION("modifying", NOW, "")));
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, &err), 0);

	/* the latest counts, wherever it stands */
	fake_ec2_refuse(fake, "ModifyVolume", "IncorrectModificationState");
	say_record(fake, LIST(MODIFICATION("failed", NOW, "") MODIFICATION("completed", BEFORE, "")));
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, &err), -1);
	fake_ec2_refuse(fake, "ModifyVolume", "IncorrectModificationState");
	say_record(fake, LIST(MODIFICATION("failed", BEFORE, "") MODIFICATION("completed", NOW, "")));
	assert_int_equal(volume_modify(&fake->ec2, VOLUME, &whole_goal, &err), 0);
}

static void test_wait(void **state)
{
	struct fake_aws *fake = *state;
	const struct wait_options fresh = { .just_created = true };

	fake_ec2_refuse(fake, "DescribeVolumesModifications", "InvalidVolumeModification.NotFound");
	say_record(fake, LIST(""));
	say_record(fake, LIST(MODIFICATION("modifying", NOW, "")));
	say_record(fake, LIST(MODIFICATION("optimizing", NOW, "")));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, &fresh, NULL), 0);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeVolumesModifications&Version=2016-11-15&VolumeId.1=" VOLUME);
	say_record(fake, LIST(MODIFICATION("completed", NOW, "")));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, NULL, NULL), 0);
}

static void test_wait_in_vain(void **state)
{
	struct fake_aws *fake = *state;
	const struct wait_options fresh = { .limit_ms = 5000, .just_created = true };
	struct error err;

	say_record(fake, LIST(MODIFICATION("modifying", NOW, "")));
	say_record(fake, LIST(MODIFICATION("failed", NOW, "<statusMessage>no room</statusMessage>")));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, &fresh, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "modification of volume " VOLUME " has failed: no room"));
	say_record(fake, LIST(MODIFICATION("failed", NOW, "")));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, NULL, &err), -1);
	assert_non_null(strstr(err.message, "gives no reason"));

	say_record(fake, LIST(""));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "no modification"));
	fake_ec2_refuse(fake, "DescribeVolumesModifications", "InvalidVolumeModification.NotFound");
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, NULL, &err), -1);
	assert_non_null(strstr(err.message, "no modification"));
	/* one that was on record and is not any more */
	say_record(fake, LIST(MODIFICATION("modifying", NOW, "")));
	say_record(fake, LIST(""));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, &fresh, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	say_record(fake, LIST("<item><volumeId>" VOLUME "</volumeId></item>"));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, NULL, &err), -1);
	assert_non_null(strstr(err.message, "modificationState"));

	fake->repeat_last = true;
	say_record(fake, LIST(MODIFICATION("modifying", NOW, "")));
	assert_int_equal(volume_wait_modified(&fake->ec2, VOLUME, &fresh, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.message, "state modifying, 3%"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_modify),	  FAKE_EC2_TEST(test_a_lost_answer),
		FAKE_EC2_TEST(test_another_goal), FAKE_EC2_TEST(test_refusals),
		FAKE_EC2_TEST(test_wait),	  FAKE_EC2_TEST(test_wait_in_vain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
