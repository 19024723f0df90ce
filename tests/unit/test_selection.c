/* SPDX-License-Identifier: Apache-2.0 */
/* Which features a configuration and a choice come to, and the document that is made of them. */
#include "cpi/policy/selection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_read.h"
#include "cpi/policy/document.h"
#include "cpi/policy/feature_list.h"

#define KEY "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define MAX_TEXT ((size_t)256 * 1024)

struct fixture {
	struct arena *arena;
	struct config config;
	struct policy_choice choice;
	struct policy_selection selection;
	struct error err;
};

static int begin(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .arena = arena_new(16 * 1024 * 1024), .config = { .describe_instance_types = true } };
	*state = &fixture;
	return fixture.arena == NULL;
}

static int end(void **state)
{
	arena_free(((struct fixture *)*state)->arena);
	return 0;
}

static void configure(struct fixture *fixture, const char *json)
{
	assert_int_equal(json_parse(fixture->arena, json, strlen(json), 4096, &fixture->config.aws_properties, NULL), 0);
}

static int choose(struct fixture *fixture)
{
	fixture->err = (struct error){ 0 };
	return policy_select(&fixture->config, &fixture->choice, fixture->arena, &fixture->selection, &fixture->err);
}

static const struct json *document(struct fixture *fixture, struct buf *text)
{
	const struct json *root;

	assert_int_equal(choose(fixture), 0);
	buf_reset(text);
	policy_document_write(&fixture->selection, text);
	assert_false(text->failed);
	assert_int_equal(json_parse(fixture->arena, buf_text(text), text->len, MAX_TEXT, &root, NULL), 0);
	return root;
}

static const struct json *statement(const struct json *root, const char *sid)
{
	const struct json *found = json_get(root, "Statement")->child;

	while (found != NULL && strcmp(json_text(json_get(found, "Sid")), sid) != 0)
		found = found->next;
	return found;
}

static void test_by_configuration(void **state)
{
	struct fixture *fixture = *state;
	const bool *chosen = fixture->selection.chosen;

	assert_int_equal(choose(fixture), 0);
	assert_true(chosen[AWS_FEATURE_VM] && chosen[AWS_FEATURE_ELB] && chosen[AWS_FEATURE_HEAVY_STEMCELL] &&
		    chosen[AWS_FEATURE_DIRECT_STEMCELL]);
	assert_false(chosen[AWS_FEATURE_WORKER] || chosen[AWS_FEATURE_DENIAL] || chosen[AWS_FEATURE_PROFILE] ||
		     chosen[AWS_FEATURE_ENCRYPTION] || chosen[AWS_FEATURE_ROLE]);
	configure(fixture, "{\"default_iam_instance_profile\":\"vms\"}");
	fixture->config.kms_key_arn = KEY;
	fixture->config.aws.role_arn = "arn:aws:iam::123456789012:role/bosh";
	fixture->config.stemcell.builder = CONFIG_BUILDER_DIRECT;
	assert_int_equal(choose(fixture), 0);
	assert_true(chosen[AWS_FEATURE_PROFILE] && chosen[AWS_FEATURE_ENCRYPTION] && chosen[AWS_FEATURE_ROLE] &&
		    chosen[AWS_FEATURE_DIRECT_STEMCELL]);
	assert_false(chosen[AWS_FEATURE_HEAVY_STEMCELL]);
	fixture->config.stemcell.builder = CONFIG_BUILDER_SSH;
	assert_int_equal(choose(fixture), 0);
	assert_true(chosen[AWS_FEATURE_HEAVY_STEMCELL] && !chosen[AWS_FEATURE_DIRECT_STEMCELL]);
}

static void test_by_choice(void **state)
{
	struct fixture *fixture = *state;
	const bool *chosen = fixture->selection.chosen;

	fixture->choice.only = "vm,disk";
	fixture->choice.with = "worker,";
	fixture->choice.without = "disk";
	assert_int_equal(choose(fixture), 0);
	for (size_t i = 0; i < AWS_N_FEATURES; i++)
		assert_int_equal(chosen[i], i == AWS_FEATURE_VM || i == AWS_FEATURE_WORKER);
	fixture->choice = (struct policy_choice){ .role = "vms" };
	assert_int_equal(choose(fixture), 0);
	assert_true(chosen[AWS_FEATURE_PROFILE]);
	assert_string_equal(fixture->selection.role, "arn:aws:iam::*:role/vms");
}

static void test_refused(void **state)
{
	static const struct {
		struct policy_choice choice;
		const char *message;
	} rows[] = {
		{ { .only = "vm,elbs" }, "there is no feature 'elbs'; did you mean elb?" },
		{ { .without = "vms,disk" }, "there is no feature 'vms'; did you mean vm?" },
		{ { .with = ",disk" }, "there is no feature ''" },
		{ { .only = "encryption" }, "the feature encryption needs a KMS key" },
		{ { .with = "role" }, "the feature role needs aws.role_arn" },
		{ { .only = "vm", .without = "vm" }, "no feature is left" },
		{ { .kms_key = "alias/mine" }, "--kms-key arn:aws:kms:" },
		{ { .kms_key = "arn:aws:kms:eu-west-1:123456789012:alias/mine" }, "--kms-key arn:aws:kms:" },
		{ { .kms_key = "arn:aws:kms:eu-west-1:123456789012:key/" }, "--kms-key arn:aws:kms:" },
		{ { .kms_key = KEY "\",\"" }, "--kms-key arn:aws:kms:" },
		{ { .role = "arn:aws:iam::123456789012:instance-profile/vms" }, "is neither a role's name nor its ARN" },
		{ { .role = "a\"b" }, "is neither a role's name nor its ARN" },
		{ { .region = "eu\"west" }, "is no region" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture->choice = rows[i].choice;
		assert_int_equal(choose(fixture), -1);
		assert_int_equal(fixture->err.kind, ERROR_INVALID);
		if (strstr(fixture->err.message, rows[i].message) == NULL)
			fail_msg("%s: not in: %s", rows[i].message, fixture->err.message);
	}
}

static void test_documents(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	struct fixture *fixture = *state;

	fixture->choice = (struct policy_choice){ .region = "cn-north-1", .role = "vms" };
	const struct json *root = document(fixture, &text);
	assert_string_equal(json_text(json_get(root, "Version")), "2012-10-17");
	const struct json *profile = statement(root, "InstanceProfile");
	assert_string_equal(json_text(json_get(profile, "Resource")), "arn:aws-cn:iam::*:role/vms");
	assert_non_null(strstr(buf_text(&text), "\"iam:PassedToService\": \"ec2.amazonaws.com.cn\""));
	assert_non_null(strstr(buf_text(&text), "arn:aws-cn:iam::*:role/aws-service-role/spot.amazonaws.com/*"));
	const struct json *vms = statement(root, "Vm");
	assert_string_equal(json_text(json_get(vms, "Resource")), "*");
	assert_string_equal(json_text(json_path(vms, "Condition", "StringEquals", "aws:RequestedRegion", NULL)), "cn-north-1");
	assert_null(strstr(buf_text(&text), "\"Sid\": \"Worker\""));

	fixture->choice = (struct policy_choice){ .region = "us-gov-west-1" };
	(void)document(fixture, &text);
	assert_non_null(strstr(buf_text(&text), "arn:aws-us-gov:iam::"));

	fixture->choice = (struct policy_choice){ .region = "us-isob-east-1" };
	(void)document(fixture, &text);
	assert_non_null(strstr(buf_text(&text), "arn:aws-iso-b:iam::"));

	/* no region: anywhere */
	fixture->choice = (struct policy_choice){ .only = "vm" };
	root = document(fixture, &text);
	assert_null(json_get(statement(root, "Vm"), "Condition"));
	fixture->config.describe_instance_types = false;
	(void)document(fixture, &text);
	assert_null(strstr(buf_text(&text), "DescribeInstanceTypes"));
}

static size_t count_of(const char *text, const char *word)
{
	size_t count = 0;

	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
		count++;
	return count;
}

/* Each action once, whatever is chosen, and within what IAM takes. */
static void test_everything(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	struct fixture *fixture = *state;
	size_t characters = 0;
	char quoted[128];

	fixture->config.aws.role_arn = "arn:aws:iam::123456789012:role/bosh";
	fixture->choice = (struct policy_choice){ .kms_key = KEY, .with = "worker,denial,instance-profile", .region = "ap-southeast-3" };
	(void)document(fixture, &text);
	for (size_t i = 0; i < aws_action_count; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s:%s\"", aws_actions[i].service, aws_actions[i].name);
		assert_int_equal(count_of(buf_text(&text), quoted), aws_actions[i].feature != AWS_FEATURE_NONE);
	}
	assert_int_equal(count_of(buf_text(&text), "\"Sid\""), AWS_N_FEATURES);
	for (size_t i = 0; i < text.len; i++)
		characters += strchr(" \n", text.data[i]) == NULL;
	assert_in_range(characters, 1000, POLICY_MAX_CHARACTERS);
	for (size_t f = 0; f < AWS_N_FEATURES; f++) {
		fixture->choice.only = aws_features[f].name;
		fixture->choice.with = NULL;
		(void)document(fixture, &text);
		for (size_t i = 0; i < aws_action_count; i++) {
			snprintf(quoted, sizeof(quoted), "\"%s:%s\"", aws_actions[i].service, aws_actions[i].name);
			assert_int_equal(count_of(buf_text(&text), quoted),
					 aws_action_serves(&aws_actions[i], (enum aws_feature_id)f));
		}
	}
}

static void test_lists(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	struct fixture *fixture = *state;
	const struct json *root;

	fixture->choice.only = "disk";
	assert_int_equal(choose(fixture), 0);
	feature_list_write(&fixture->selection, &text);
	assert_int_equal(count_of(buf_text(&text), "(in the policy)"), 1);
	assert_non_null(strstr(buf_text(&text), "\ndisk (in the policy)\n  used by:    create_disk, "));
	for (const char *line = buf_text(&text); *line != '\0'; line += strcspn(line, "\n") + 1) {
		if (strncmp(line, "  actions:", 10) == 0)
			assert_in_range(strcspn(line, "\n"), 10, 100);
	}
	buf_reset(&text);
	feature_list_json(&fixture->selection, &text);
	assert_int_equal(json_parse(fixture->arena, buf_text(&text), text.len, MAX_TEXT, &root, NULL), 0);
	size_t count = 0;
	for (const struct json *item = json_get(root, "features")->child; item != NULL; item = item->next)
		count++;
	assert_int_equal(count, AWS_N_FEATURES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_by_configuration, begin, end),
		cmocka_unit_test_setup_teardown(test_by_choice, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_documents, begin, end),
		cmocka_unit_test_setup_teardown(test_everything, begin, end),
		cmocka_unit_test_setup_teardown(test_lists, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
