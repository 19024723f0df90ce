/* SPDX-License-Identifier: Apache-2.0 */
/* Dry runs: which are sent, with what, and what is said of the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/check/dry_run.h"
#include "tests/unit/fake_ec2.h"

#define PERMITTED                                                                                                      \
	((struct fake_answer){ .status = 412,                                                                          \
			       .body = fake_aws_error("DryRunOperation", "Request would have succeeded") })
#define DENIED(message)                                                                                                \
	((struct fake_answer){ .status = 403, .body = fake_aws_error("UnauthorizedOperation", message) })

struct fixture {
	struct arena *arena;
	struct config config;
	struct findings findings;
	struct check check;
};

static void begin(struct fixture *fixture, struct fake_aws *fake)
{
	*fixture = (struct fixture){
		.arena = arena_new(32 * 1024 * 1024),
		.config = { .aws = fake->settings, .describe_instance_types = true },
	};
	assert_non_null(fixture->arena);
	fixture->findings = (struct findings){ .arena = fixture->arena, .log = &fake->log };
	fixture->check = (struct check){
		.runtime = &fake->runtime,
		.config = &fixture->config,
		.ec2 = &fake->ec2,
		.arena = fixture->arena,
		.findings = &fixture->findings,
	};
	fake->repeat_last = true;
}

static const struct finding *find(const struct fixture *fixture, const char *name)
{
	size_t i = 0;

	while (i < fixture->findings.count && strcmp(fixture->findings.items[i].name, name) != 0)
		i++;
	assert_true(i < fixture->findings.count);
	return &fixture->findings.items[i];
}

static const struct json *parse(struct arena *arena, const char *text)
{
	const struct json *root = NULL;

	assert_int_equal(json_parse(arena, text, strlen(text), 4096, &root, NULL), 0);
	return root;
}

static void test_all_permitted(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;

	begin(&fixture, fake);
	fake_aws_script(fake, PERMITTED);
	check_permissions(&fixture.check);
	assert_true(findings_are_fine(&fixture.findings));
	assert_string_equal(find(&fixture, "disk permissions")->text, "all 6 permitted");
	assert_string_equal(find(&fixture, "tag permissions")->text, "ec2:CreateTags permitted");
	for (size_t i = 0; i < fixture.findings.count; i++)
		assert_int_equal(fixture.findings.items[i].state, FINDING_OK);
	/* the first request asks for a zone, and is no dry run; here it is refused, and one is made up */
	assert_false(fake_aws_sent(fake, 0, "DryRun=true"));
	for (unsigned i = 1; i < fake->n_requests; i++)
		assert_true(fake_aws_sent(fake, i, "DryRun=true"));
	unsigned volume = fake_aws_find(fake, "CreateVolume", 0);
	assert_true(fake_aws_sent(fake, volume, "AvailabilityZone=eu-west-1a"));
	assert_true(fake_aws_sent(fake, fake_aws_find(fake, "CopyImage", 0), "SourceRegion=eu-west-1"));
	arena_free(fixture.arena);
}

static void test_configuration(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;

	begin(&fixture, fake);
	fake_aws_script(fake, PERMITTED);
	fixture.config.kms_key_arn = "arn:key";
	fixture.config.describe_instance_types = false;
	fixture.config.aws_properties = parse(fixture.arena, "{\"default_iam_instance_profile\":\"bosh\"}");
	check_permissions(&fixture.check);
	assert_string_equal(find(&fixture, "VM permissions")->text, "all 8 permitted");
	assert_string_equal(find(&fixture, "instance profile permissions")->text, "ec2:RunInstances permitted");
	/* of the disks', then of the encrypted ones */
	unsigned one = fake_aws_find(fake, "CreateVolume", 0), other = fake_aws_find(fake, "CreateVolume", 1);
	assert_true(fake_aws_sent(fake, one, "KmsKeyId=arn%3Akey") != fake_aws_sent(fake, other, "KmsKeyId=arn%3Akey"));
	bool by_name = false;
	for (unsigned i = 0; i < 3; i++)
		by_name |= fake_aws_sent(fake, fake_aws_find(fake, "RunInstances", i), "IamInstanceProfile.Name=bosh");
	assert_true(by_name);
	arena_free(fixture.arena);
}

static void test_all_denied(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;

	begin(&fixture, fake);
	fake_aws_script(fake, DENIED("You are not authorized to perform this operation."));
	check_permissions(&fixture.check);
	for (unsigned i = 0; i < fake->n_requests; i++)
		assert_non_null(strstr(fake->bodies[i], "Action=Describe"));
	const struct finding *routes = find(&fixture, "route permissions");
	assert_int_equal(routes->state, FINDING_FAILED);
	assert_string_equal(routes->text, "denied: ec2:DescribeRouteTables; 0 of 4 permitted; not certain: ec2:CreateRoute (not "
					  "tried), ec2:ReplaceRoute (not tried), ec2:DeleteRoute (not tried)");
	assert_string_equal(routes->advice, "allow ec2:DescribeRouteTables on * (needed for VMs with advertised_routes); `cpi "
					     "policy` prints it as part of the feature route");
	assert_int_equal(find(&fixture, "tag permissions")->state, FINDING_UNKNOWN);
	arena_free(fixture.arena);
}

/* The permission that AWS names is the one to allow; one that cannot be one is not repeated. */
static void test_what_is_missing(void **state)
{
	static const struct {
		const char *message;
		const char *permission;
	} cases[] = {
		{ "not authorized to perform: ec2:CreateTags on resource: x", "ec2:CreateTags" },
		{ "not authorized to perform: iam:CreateServiceLinkedRole", "iam:CreateServiceLinkedRole" },
		{ "not authorized to perform: what you want", "ec2:CreateSnapshot" },
		{ "not authorized to perform: ", "ec2:CreateSnapshot" },
		{ "go away", "ec2:CreateSnapshot" },
	};
	struct fake_aws *fake = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture;
		struct dry_run *runs = NULL;
		size_t count = 0, found = 0;
		begin(&fixture, fake);
		fake->any_order = true;
		fake->n_script = 0;
		memset(fake->used, 0, sizeof(fake->used));
		struct fake_answer denied = DENIED(cases[i].message);
		denied.action = "CreateSnapshot";
		fake_aws_script(fake, denied);
		fake_aws_script(fake, PERMITTED);
		assert_int_equal(dry_run_all(&fixture.check, &runs, &count, NULL), 0);
		for (size_t r = 0; r < count; r++) {
			if (runs[r].outcome != DRY_RUN_DENIED)
				continue;
			assert_string_equal(runs[r].action->name, "CreateSnapshot");
			assert_string_equal(runs[r].permission, cases[i].permission);
			found++;
		}
		assert_int_equal(found, 1);
		arena_free(fixture.arena);
		for (unsigned r = 0; r < fake->n_requests; r++) {
			free(fake->bodies[r]);
			free(fake->authorizations[r]);
			free(fake->dates[r]);
			free(fake->heads[r]);
		}
		fake->n_requests = 0;
	}
}

static void test_signal(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;
	struct dry_run *runs;
	struct error err;
	size_t count;

	begin(&fixture, fake);
	fake_aws_script(fake, PERMITTED); /* the zone */
	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_SIGNAL });
	assert_int_equal(dry_run_all(&fixture.check, &runs, &count, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	for (unsigned i = 0; i < fake->n_requests; i++)
		assert_non_null(strstr(fake->bodies[i], "Action=Describe"));
	arena_free(fixture.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_all_permitted),   FAKE_EC2_TEST(test_configuration), FAKE_EC2_TEST(test_all_denied),
		FAKE_EC2_TEST(test_what_is_missing), FAKE_EC2_TEST(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
