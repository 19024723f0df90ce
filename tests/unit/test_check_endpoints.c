/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints that `cpi check` asks, what their silence means, and AWS's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/check/checks.h"
#include "tests/unit/fake_ec2.h"

#define THERE(when) ((struct fake_answer){ .status = 400, .body = "", .date = (when) })

struct fixture {
	struct arena *arena;
	struct config config;
	struct findings findings;
	struct check check;
};

static void begin(struct fixture *fixture, struct fake_aws *fake)
{
	*fixture = (struct fixture){ .arena = arena_new(8 * 1024 * 1024), .config = { .aws = fake->settings } };
	assert_non_null(fixture->arena);
	fixture->findings = (struct findings){ .arena = fixture->arena, .log = &fake->log };
	fixture->check = (struct check){
		.runtime = &fake->runtime,
		.config = &fixture->config,
		.ec2 = &fake->ec2,
		.arena = fixture->arena,
		.findings = &fixture->findings,
	};
}

static bool has(const struct fixture *fixture, const char *name)
{
	for (size_t i = 0; i < fixture->findings.count; i++) {
		if (strcmp(fixture->findings.items[i].name, name) == 0)
			return true;
	}
	return false;
}

static const struct finding *find(const struct fixture *fixture, const char *name)
{
	size_t i = 0;

	assert_true(has(fixture, name));
	while (strcmp(fixture->findings.items[i].name, name) != 0)
		i++;
	return &fixture->findings.items[i];
}

/* FAKE_NOW is 00:00:00 */
static void test_clock(void **state)
{
	static const struct {
		const char *date;
		enum finding_state state;
		const char *text;
	} cases[] = {
		{ "Thu, 01 Jan 2026 00:00:00 GMT", FINDING_OK, "agrees with AWS's to the second" },
		/* the second had begun before we asked */
		{ "Wed, 31 Dec 2025 23:59:59 GMT", FINDING_OK, "agrees with AWS's to the second" },
		{ "Wed, 31 Dec 2025 23:59:58 GMT", FINDING_OK, "1 s ahead of AWS's, which is near enough" },
		{ "Thu, 01 Jan 2026 00:00:01 GMT", FINDING_OK, "1 s behind AWS's, which is near enough" },
		{ "Thu, 01 Jan 2026 00:04:00 GMT", FINDING_OK, "240 s behind AWS's, which is near enough" },
		{ "Thu, 01 Jan 2026 00:04:01 GMT", FINDING_FAILED, "241 s behind AWS's" },
		{ "Wed, 31 Dec 2025 23:55:59 GMT", FINDING_OK, "240 s ahead of AWS's, which is near enough" },
		{ "Wed, 31 Dec 2025 23:55:58 GMT", FINDING_FAILED, "241 s ahead of AWS's" },
		{ "yesterday", FINDING_UNKNOWN, "no endpoint told the time" },
		{ NULL, FINDING_UNKNOWN, "no endpoint told the time" },
	};
	struct fake_aws *fake = *state;

	fake->repeat_last = true;
	fake_aws_script(fake, THERE(NULL));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture;
		begin(&fixture, fake);
		fake->script[0] = THERE(cases[i].date);
		assert_int_equal(check_endpoints(&fixture.check), 0);
		const struct finding *clock = find(&fixture, "clock");
		assert_string_equal(clock->text, cases[i].text);
		assert_int_equal(clock->state, cases[i].state);
		assert_int_equal(clock->advice == NULL, cases[i].state == FINDING_OK);
		arena_free(fixture.arena);
	}
}

static void test_all_answer(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;

	begin(&fixture, fake);
	fake->repeat_last = true;
	fake_aws_script(fake, THERE("Thu, 01 Jan 2026 00:00:00 GMT"));
	assert_int_equal(check_endpoints(&fixture.check), 0);
	assert_int_equal(fake->n_requests, 3);
	assert_true(findings_are_fine(&fixture.findings));
	assert_string_equal(find(&fixture, "EC2 endpoint")->text,
			    "https://ec2.eu-west-1.amazonaws.com/, the region's endpoint, answers; its certificate is verified");
	assert_false(has(&fixture, "target group endpoint"));
	assert_false(has(&fixture, "EBS direct endpoint"));
	assert_true(fixture.check.sts_answers && fixture.check.balancers_answer && fixture.check.target_groups_answer);
	assert_false(fixture.check.ebs_answers);
	arena_free(fixture.arena);
}

static void test_none_answers(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;

	begin(&fixture, fake);
	fixture.check.uploads = true;
	fake->repeat_last = true;
	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_TLS });
	assert_int_equal(check_endpoints(&fixture.check), -1);
	assert_int_equal(fake->n_requests, 4);
	assert_int_equal(find(&fixture, "EC2 endpoint")->state, FINDING_FAILED);
	assert_non_null(strstr(find(&fixture, "EC2 endpoint")->text, "the certificate is not trusted"));
	assert_int_equal(find(&fixture, "EBS direct endpoint")->state, FINDING_FAILED);
	assert_int_equal(find(&fixture, "load balancer endpoint")->state, FINDING_UNKNOWN);
	assert_int_equal(find(&fixture, "STS endpoint")->state, FINDING_UNKNOWN);
	assert_false(fixture.check.sts_answers || fixture.check.balancers_answer || fixture.check.target_groups_answer);
	arena_free(fixture.arena);
}

/* With a role nothing works without STS. */
static void test_role_needs_sts(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;

	begin(&fixture, fake);
	fixture.config.aws.role_arn = "arn:aws:iam::123456789012:role/cpi";
	fake->repeat_last = true;
	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_REFUSED });
	assert_int_equal(check_endpoints(&fixture.check), -1);
	assert_int_equal(find(&fixture, "STS endpoint")->state, FINDING_FAILED);
	arena_free(fixture.arena);
}

static void test_no_endpoint(void **state)
{
	struct fake_aws *fake = *state;
	struct fixture fixture;

	begin(&fixture, fake);
	fixture.config.aws.region = "not a region";
	assert_int_equal(check_endpoints(&fixture.check), -1);
	assert_int_equal(find(&fixture, "EC2 endpoint")->state, FINDING_FAILED);
	assert_non_null(strstr(find(&fixture, "EC2 endpoint")->text, "not a region"));
	arena_free(fixture.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_clock),	 FAKE_EC2_TEST(test_all_answer),  FAKE_EC2_TEST(test_none_answers),
		FAKE_EC2_TEST(test_role_needs_sts), FAKE_EC2_TEST(test_no_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
