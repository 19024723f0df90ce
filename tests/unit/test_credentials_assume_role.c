/* SPDX-License-Identifier: Apache-2.0 */
/* A profile's role: what is sent for each key, chains, loops, every kind of source, and what is wrong in a profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/chain_kit.h"

#define ROLE(name) "role_arn = arn:aws:iam::123456789012:role/" name "\n"
#define KEYS(id) "aws_access_key_id = " id "\naws_secret_access_key = secret-of-" id "\n"
#define BASE "[profile base]\n" KEYS("AKIDBASE")

static bool signed_by(const struct chain_kit *kit, unsigned request, const char *id)
{
	char text[100];

	assert_true(request < kit->n_requests);
	snprintf(text, sizeof(text), "Credential=%s/", id);
	return strstr(kit->requests[request].authorization, text) != NULL;
}

static bool sent(const struct chain_kit *kit, unsigned request, const char *parameter)
{
	char text[300];
	char body[2100];

	assert_true(request < kit->n_requests);
	snprintf(text, sizeof(text), "&%s&", parameter);
	snprintf(body, sizeof(body), "%s&", kit->requests[request].body);
	return strstr(body, text) != NULL;
}

static void test_what_is_sent(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	chain_files(&kit, "[default]\n" ROLE("mine") "source_profile = base\nexternal_id = e/1\nrole_session_name = director\n"
		    "duration_seconds = 43200\n" BASE, NULL);
	struct credentials credentials =
		chain_expect(&kit, "ASIASTS-mine", "role arn:aws:iam::123456789012:role/mine by profile default");
	assert_string_equal(credentials.session_token, "token-of-ASIASTS-mine");
	assert_string_equal(credentials.account, "123456789012");
	assert_int_equal(credentials.expires_at, FAKE_NOW + 3600);
	assert_int_equal(kit.n_requests, 1);
	assert_string_equal(kit.requests[0].url, "https://sts.eu-west-1.amazonaws.com/");
	assert_true(signed_by(&kit, 0, "AKIDBASE"));
	assert_true(sent(&kit, 0, "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fmine"));
	assert_true(sent(&kit, 0, "RoleSessionName=director"));
	assert_true(sent(&kit, 0, "ExternalId=e%2F1"));
	assert_true(sent(&kit, 0, "DurationSeconds=43200"));
	/* as in botocore, a duration that is no number is left out */
	chain_files(&kit, "[default]\n" ROLE("mine") "source_profile = base\nduration_seconds = long\n" BASE, NULL);
	chain_expect(&kit, "ASIASTS-mine", NULL);
	assert_null(strstr(kit.requests[1].body, "DurationSeconds"));
	assert_null(strstr(kit.requests[1].body, "ExternalId"));
	assert_non_null(strstr(kit.requests[1].body, "RoleSessionName=rsn-"));
	chain_close(&kit);
}

/* The profile may be in both files, and its keys too. */
static void test_both_files(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	setenv("AWS_PROFILE", "dev", 1);
	chain_files(&kit, "[profile dev]\n" ROLE("config") "source_profile = default\n[profile base]\nregion = x\n",
		    "[dev]\n" ROLE("mine") "[default]\n" KEYS("AKIDSHARED"));
	chain_expect(&kit, "ASIASTS-mine", "role arn:aws:iam::123456789012:role/mine by profile dev");
	assert_true(signed_by(&kit, 0, "AKIDSHARED"));
	chain_close(&kit);
}

static void test_chains(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	chain_files(&kit, "[default]\n" ROLE("one") "source_profile = two\n[profile two]\n" ROLE("two") "source_profile = three\n"
		    "external_id = of-two\n[profile three]\n" ROLE("three") "source_profile = base\n" BASE, NULL);
	chain_expect(&kit, "ASIASTS-one", "role arn:aws:iam::123456789012:role/one by profile default");
	assert_int_equal(kit.n_requests, 3);
	assert_true(signed_by(&kit, 0, "AKIDBASE"));
	assert_true(signed_by(&kit, 1, "ASIASTS-three"));
	assert_true(signed_by(&kit, 2, "ASIASTS-two"));
	assert_true(sent(&kit, 1, "ExternalId=of-two"));
	assert_false(sent(&kit, 2, "ExternalId=of-two"));
	/* the secrets on the way are hidden as well */
	char text[] = "x secret-of-ASIASTS-three token-of-ASIASTS-two secret-of-AKIDBASE, all redacted";
	log_redact(&kit.fake.log, text, sizeof(text));
	assert_null(strstr(text, "-of-"));
	/* a profile with keys ends the way: its own role is not asked for */
	chain_files(&kit, "[default]\n" ROLE("one") "source_profile = two\n[profile two]\n" ROLE("two") "source_profile = base\n"
		    KEYS("AKIDTWO") BASE, NULL);
	chain_expect(&kit, "ASIASTS-one", NULL);
	assert_int_equal(kit.n_requests, 4);
	assert_true(signed_by(&kit, 3, "AKIDTWO"));
	chain_close(&kit);
}

static void test_a_profile_that_names_itself(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	chain_files(&kit, "[default]\n" ROLE("mine") "source_profile = default\n" KEYS("AKIDOWN"), NULL);
	chain_expect(&kit, "ASIASTS-mine", NULL);
	assert_int_equal(kit.n_requests, 1);
	assert_true(signed_by(&kit, 0, "AKIDOWN"));
	chain_close(&kit);
}

static void test_credential_sources(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	kit.has_metadata = true;
	chain_files(&kit, "[default]\n" ROLE("mine") "credential_source = Ec2InstanceMetadata\n", NULL);
	chain_expect(&kit, "ASIASTS-mine", NULL);
	assert_true(signed_by(&kit, kit.n_requests - 1, "ASIAIMDS"));
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/container", 1);
	chain_files(&kit, "[default]\n" ROLE("mine") "credential_source = EcsContainer\n", NULL);
	chain_expect(&kit, "ASIASTS-mine", NULL);
	assert_true(signed_by(&kit, kit.n_requests - 1, "ASIACONTAINER"));
	/* in a chain too, although the environment alone would win over profiles */
	setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret-of-AKIDENV", 1);
	chain_expect(&kit, "AKIDENV", "environment");
	unsetenv("AWS_ACCESS_KEY_ID");
	chain_files(&kit, "[default]\n" ROLE("mine") "source_profile = other\n[profile other]\n" ROLE("other")
		    "credential_source = Environment\n", NULL);
	chain_expect_error(&kit, "profile other of ");
	chain_expect_error(&kit, "has credential_source = Environment, and there are no credentials: AWS_ACCESS_KEY_ID is not "
			   "set");
	chain_close(&kit);
}

/* Every way in which a source_profile may have credentials; the environment's variables are not looked at. */
static void test_source_profiles(void **state)
{
	(void)state;
	static const struct {
		const char *base;
		const char *credentials;
		const char *id;
	} rows[] = {
		{ "[profile base]\n" KEYS("AKIDCONFIG"), NULL, "AKIDCONFIG" },
		{ "[profile base]\n" KEYS("AKIDCONFIG"), "[base]\n" KEYS("AKIDSHARED"), "AKIDSHARED" },
		{ "[profile base]\ncredential_process = /bin/echo '{\"Version\":1,\"AccessKeyId\":\"AKIDPROCESS\","
		  "\"SecretAccessKey\":\"secret\"}'\n", NULL, "AKIDPROCESS" },
		{ "[profile base]\n" ROLE("web") "web_identity_token_file = ~/web-token\n", NULL, "ASIAWEB-web" },
		{ "[profile base]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
		  "sso_account_id = 123456789012\nsso_role_name = Admin\n", NULL, "ASIASSO" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chain_kit kit;
		chain_open(&kit);
		setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere", 1);
		setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/elsewhere", 1);
		chain_file(&kit, "web-token", "web-identity-token\n");
		tree_file(&kit.home, "{\"accessToken\":\"sso-access-token\",\"expiresAt\":\"2100-01-01T00:00:00Z\"}",
			  ".aws/sso/cache/a51746d4aa793ae07b25e90c3a5db96fc7832bd7.json");
		chain_files(&kit, arena_printf(kit.arena, "[default]\n" ROLE("mine") "source_profile = base\n%s", rows[i].base),
			    rows[i].credentials);
		chain_expect(&kit, "ASIASTS-mine", NULL);
		assert_true(signed_by(&kit, kit.n_requests - 1, rows[i].id));
		chain_close(&kit);
	}
}

static void test_what_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *config;
		const char *message;
	} rows[] = {
		{ "[default]\n" ROLE("a"), "says not with which credentials it is assumed: add source_profile or "
		  "credential_source" },
		{ "[default]\n" ROLE("a") KEYS("AKIDOWN"), "says not with which credentials" },
		{ "[default]\n" ROLE("a") "source_profile = base\ncredential_source = Environment\n" BASE,
		  "has source_profile and credential_source: keep one of them" },
		{ "[default]\n" ROLE("a") "source_profile = gone\n", "is 'gone', which does not exist" },
		{ "[default]\n" ROLE("a") "credential_source = ec2instancemetadata\n", "is 'ec2instancemetadata': it must be "
		  "Environment, Ec2InstanceMetadata or EcsContainer" },
		{ "[default]\n" ROLE("a") "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n" BASE,
		  "has mfa_serial, and cpi cannot ask anybody for the code" },
		{ "[default]\n" ROLE("a") "source_profile = b\n[profile b]\n" ROLE("b") "source_profile = base\nmfa_serial = x\n"
		  BASE, "profile b of " },
		{ "[default]\n" ROLE("a") "source_profile = default\n", "source_profile of profile default of " },
		{ "[default]\n" ROLE("a") "source_profile = b\n[profile b]\n" ROLE("b") "source_profile = default\n",
		  "is 'default', which needs b itself" },
		/* also one that has keys, but is not the first to name itself */
		{ "[default]\n" ROLE("a") "source_profile = b\n" KEYS("AKIDOWN") "[profile b]\n" ROLE("b")
		  "source_profile = default\n", "is 'default', which needs b itself" },
		{ "[default]\n" ROLE("a") "source_profile = b\n[profile b]\n" ROLE("b") "source_profile = c\n[profile c]\n"
		  ROLE("c") "source_profile = b\n", "is 'b', which needs c itself" },
		{ "[default]\n" ROLE("a") "source_profile = base\n[profile base]\nregion = x\n",
		  "profile base is named as source_profile and has no credentials; looked at: web identity (" },
		{ "[default]\n" ROLE("a") "source_profile = base\n[profile base]\naws_access_key_id = AKID\n",
		  "profile base as source_profile: " },
		{ "[default]\n" ROLE("a") "source_profile = base\n[profile base]\nlogin_session = x\n", "`aws login`" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chain_kit kit;
		chain_open(&kit);
		kit.has_metadata = true;
		chain_files(&kit, rows[i].config, NULL);
		chain_expect_error(&kit, rows[i].message);
		/* found before anybody was asked, and nobody else is asked instead */
		assert_int_equal(kit.n_requests, 0);
		chain_close(&kit);
	}
}

static void test_a_chain_without_end(void **state)
{
	(void)state;
	struct chain_kit kit;
	struct buf config CLEANUP_BUF = BUF_INIT(100000);

	chain_open(&kit);
	buf_str(&config, "[default]\n" ROLE("a") "source_profile = p0\n");
	for (unsigned i = 0; i < 100; i++)
		buf_printf(&config, "[profile p%u]\n" ROLE("a") "source_profile = p%u\n", i, i + 1);
	chain_files(&kit, buf_text(&config), NULL);
	chain_expect_error(&kit, "over 32 profiles are chained");
	chain_close(&kit);
}

static void test_denied_on_the_way(void **state)
{
	(void)state;
	struct chain_kit kit;
	struct credentials credentials;
	struct error err;

	chain_open(&kit);
	kit.has_metadata = true;
	kit.denied_role = "two";
	chain_files(&kit, "[default]\n" ROLE("one") "source_profile = two\n[profile two]\n" ROLE("two") "source_profile = base\n"
		    BASE, NULL);
	assert_int_equal(credentials_load(&kit.context, &credentials, &err), -1);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_non_null(strstr(err.message, "profile two of "));
	assert_non_null(strstr(err.message, "role arn:aws:iam::123456789012:role/two may not be assumed with config file of "
			       "profile base (check the role's trust policy"));
	assert_non_null(strstr(err.message, "request id req-denied"));
	assert_int_equal(kit.n_requests, 1);
	chain_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_both_files),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_a_profile_that_names_itself),
		cmocka_unit_test(test_credential_sources),
		cmocka_unit_test(test_source_profiles),
		cmocka_unit_test(test_what_is_wrong),
		cmocka_unit_test(test_a_chain_without_end),
		cmocka_unit_test(test_denied_on_the_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
