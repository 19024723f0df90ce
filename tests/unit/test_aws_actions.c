/* SPDX-License-Identifier: Apache-2.0 */
/* The table itself; that it holds what is called is seen by the lab (tests/tools/recorded_actions.py). */
#include "cpi/aws/aws_actions.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/check/features.h"

static void test_each_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < aws_action_count; i++) {
		const struct aws_action *action = &aws_actions[i];
		assert_ptr_equal(aws_action_find(action->service, action->name), action);
		/* also holds others */
		if (action->feature != AWS_FEATURE_NONE)
			assert_int_equal(action->also & AWS_FEATURE_BIT(action->feature), 0);
		assert_int_equal(action->also >> AWS_N_FEATURES, 0);
	}
	assert_null(aws_action_find("ec2", "RegisterTargets"));
	assert_null(aws_action_find("ec2", "DescribeEverything"));
}

/* Sids as IAM takes them, names as they are typed; no feature without an action of its own. */
static void test_features(void **state)
{
	(void)state;
	for (size_t f = 0; f < AWS_N_FEATURES; f++) {
		const struct aws_feature *feature = &aws_features[f];
		size_t own = 0;
		for (const char *c = feature->sid; *c != '\0'; c++)
			assert_true(isalnum((unsigned char)*c));
		assert_int_equal(strspn(feature->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(feature->name));
		for (size_t other = 0; other < f; other++) {
			assert_string_not_equal(feature->name, aws_features[other].name);
			assert_string_not_equal(feature->sid, aws_features[other].sid);
		}
		for (size_t i = 0; i < aws_action_count; i++)
			own += aws_actions[i].feature == (enum aws_feature_id)f;
		assert_true(own > 0);
		assert_true(*feature->used_by != '\0' && *feature->decided_by != '\0');
	}
}

static void test_serves(void **state)
{
	(void)state;
	const struct aws_action *tags = aws_action_find("ec2", "CreateTags");
	const struct aws_action *anybodys = aws_action_find("sts", "GetCallerIdentity");

	assert_true(aws_action_serves(tags, AWS_FEATURE_TAG));
	assert_true(aws_action_serves(tags, AWS_FEATURE_VM));
	assert_false(aws_action_serves(tags, AWS_FEATURE_ELB));
	for (size_t f = 0; f <= AWS_N_FEATURES; f++)
		assert_false(aws_action_serves(anybodys, (enum aws_feature_id)f));
}

static void test_what_was_refused(void **state)
{
	static const struct {
		const char *called, *message, *refused;
	} rows[] = {
		{ "RunInstances", "not authorized", "RunInstances" },
		{ "RunInstances", "not authorized to perform: iam:PassRole on resource: x", "PassRole" },
		{ "RunInstances", "not authorized to perform: ec2:CreateTags on resource: x", "CreateTags" },
		{ "CreateVolume", "not authorized to perform: kms:GenerateDataKeyWithoutPlaintext on", "GenerateDataKey*" },
		{ "RunInstances", "iam:CreateServiceLinkedRole is denied", "CreateServiceLinkedRole" },
		{ "DescribeEverything", "not authorized", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct aws_action *refused = aws_action_refused("ec2", rows[i].called, rows[i].message);
		if (rows[i].refused == NULL)
			assert_null(refused);
		else
			assert_string_equal(refused->name, rows[i].refused);
	}
}

static bool is_tried(const struct aws_action *action)
{
	for (size_t f = 0; f < feature_count; f++) {
		for (size_t a = 0; a < feature_list[f].n_actions; a++) {
			if (feature_list[f].id == action->feature && strcmp(feature_list[f].actions[a].name, action->name) == 0)
				return true;
		}
	}
	return false;
}

/* `cpi check` tries each of EC2's by a dry run under its feature, but for those that have none. */
static void test_the_check_has_them_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < aws_action_count; i++) {
		const struct aws_action *action = &aws_actions[i];
		if (strcmp(action->service, "ec2") == 0)
			assert_int_equal(is_tried(action), strncmp(action->name, "Assign", strlen("Assign")) != 0);
	}
	for (size_t f = 0; f < feature_count; f++) {
		for (size_t a = 0; a < feature_list[f].n_actions; a++)
			assert_non_null(aws_action_find("ec2", feature_list[f].actions[a].name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),        cmocka_unit_test(test_features),
		cmocka_unit_test(test_serves),           cmocka_unit_test(test_what_was_refused),
		cmocka_unit_test(test_the_check_has_them_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
