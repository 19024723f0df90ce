/* SPDX-License-Identifier: Apache-2.0 */
/* CreateTags, and cutting by characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/tags.h"
#include "tests/unit/fake_aws.h"

static void test_create(void **state)
{
	(void)state;
	const char *const ids[] = { "vol-1", "i-2" };
	const struct ec2_tag tags[] = { { "a", "1" }, { "b", NULL } };
	struct fake_aws fake;

	fake_aws_open(&fake);
	/* what was just made may not be known yet */
	fake_aws_script(&fake,
			(struct fake_answer){ .status = 400, .body = fake_aws_error("InvalidVolume.NotFound", "no") });
	fake_aws_script(&fake, (struct fake_answer){ .action = "CreateTags",
						     .body = "<CreateTagsResponse><return>true</return>"
							     "</CreateTagsResponse>" });
	assert_int_equal(tags_create(&fake.ec2, (struct ec2_ids){ ids, 2 }, (struct ec2_tags){ tags, 2 }, NULL), 0);
	assert_string_equal(fake.bodies[1], "Action=CreateTags&Version=2016-11-15&ResourceId.1=vol-1&ResourceId.2=i-2"
			    "&Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&Tag.2.Value=");
	/* nothing to do: no call */
	assert_int_equal(tags_create(&fake.ec2, (struct ec2_ids){ ids, 2 }, (struct ec2_tags){ tags, 0 }, NULL), 0);
	assert_int_equal(tags_create(&fake.ec2, (struct ec2_ids){ ids, 0 }, (struct ec2_tags){ tags, 2 }, NULL), 0);
	fake_aws_close(&fake);
}

static void test_create_if_there(void **state)
{
	(void)state;
	const char *const ids[] = { "vol-1" };
	const struct ec2_tag tag = { "Name", "to be deleted" };
	struct fake_aws fake;
	struct error err;

	fake_aws_open(&fake);
	fake_aws_script(&fake,
			(struct fake_answer){ .status = 400, .body = fake_aws_error("InvalidVolume.NotFound", "no") });
	assert_int_equal(tags_create_if_there(&fake.ec2, (struct ec2_ids){ ids, 1 }, (struct ec2_tags){ &tag, 1 }, &err), 0);
	assert_int_equal(fake.n_requests, 1);
	fake_aws_script(&fake, (struct fake_answer){ .status = 400, .body = fake_aws_error("TagLimitExceeded", "no") });
	assert_int_equal(tags_create_if_there(&fake.ec2, (struct ec2_ids){ ids, 1 }, (struct ec2_tags){ &tag, 1 }, &err), -1);
	assert_true(tags_are_refused(&err));
	fake_aws_close(&fake);
}

static void test_refused(void **state)
{
	static const struct {
		struct error error;
		bool refused;
	} rows[] = {
		{ { ERROR_AWS, .aws_code = "TagLimitExceeded" }, true },
		{ { ERROR_AWS, .aws_code = "InvalidParameterValue" }, true },
		{ { ERROR_AWS, .aws_code = "UnauthorizedOperation" }, false },
		{ { ERROR_TIMEOUT, .aws_code = "TagLimitExceeded" }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(tags_are_refused(&rows[i].error), rows[i].refused);
}

static void test_cut(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t max;
		const char *cut;
	} rows[] = {
		{ "", 3, "" },
		{ "abc", 3, "abc" },
		{ "abcd", 3, "abc" },
		{ "äöüß", 3, "äöü" },
		{ "äöü", 3, "äöü" },
		{ "名前です", 2, "名前" },
		{ "a😀b😀", 3, "a😀b" },
		{ "abc", 0, "" },
	};
	struct arena *arena CLEANUP_ARENA = arena_new(10000);
	struct arena *none CLEANUP_ARENA = arena_new(0);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(tags_cut(arena, rows[i].text, rows[i].max), rows[i].cut);
	assert_null(tags_cut(none, "a", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_create_if_there),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
