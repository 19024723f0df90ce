/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: those of configuration and environment; the order of all sources; what is said when there are none; a role
 * on top. Each other source has a test of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/chain_kit.h"

#define SECRET "secret-of-AKIDEXAMPLE"

static void test_static(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	struct aws_settings *settings = &kit.fake.settings;
	settings->credentials_source = "static";
	setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret-of-AKIDENV", 1);
	setenv("AWS_PROFILE", "not there, and not looked for", 1);
	chain_files(&kit, "[default]\nrole_arn = x\n", "[default]\naws_access_key_id = AKIDFILE\n");
	chain_expect_error(&kit, "aws.access_key_id is not set");
	settings->access_key_id = "AKIDEXAMPLE";
	chain_expect_error(&kit, "aws.secret_access_key is not");
	settings->secret_access_key = SECRET;
	assert_null(chain_expect(&kit, "AKIDEXAMPLE", "configuration").session_token);
	settings->session_token = "";
	assert_null(chain_expect(&kit, "AKIDEXAMPLE", "configuration").session_token);
	settings->session_token = "token";
	assert_string_equal(chain_expect(&kit, "AKIDEXAMPLE", "configuration").session_token, "token");
	settings->credentials_source = NULL;
	chain_expect(&kit, "AKIDEXAMPLE", "configuration");
	settings->session_token = "line\nbreak";
	chain_expect_error(&kit, "line breaks");
	settings->session_token = NULL;
	settings->access_key_id = "AKID EXAMPLE";
	chain_expect_error(&kit, "blanks");
	settings->access_key_id = NULL;
	chain_expect_error(&kit, "aws.access_key_id is not");
	settings->credentials_source = "vault";
	chain_expect_error(&kit, "'vault'");
	chain_close(&kit);
}

static void test_environment(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	kit.fake.settings.access_key_id = "AKIDSTATIC";
	kit.fake.settings.secret_access_key = SECRET;
	setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
	chain_expect_error(&kit, "AWS_SECRET_ACCESS_KEY is not");
	setenv("AWS_SECRET_ACCESS_KEY", "secret-of-AKIDENV", 1);
	setenv("AWS_PROFILE", "loses against keys", 1);
	chain_files(&kit, NULL, NULL);
	assert_null(chain_expect(&kit, "AKIDENV", "environment").session_token);
	setenv("AWS_SESSION_TOKEN", "token-of-AKIDENV", 1);
	setenv("AWS_ACCOUNT_ID", "123456789012", 1);
	struct credentials credentials = chain_expect(&kit, "AKIDENV", "environment");
	assert_string_equal(credentials.session_token, "token-of-AKIDENV");
	assert_string_equal(credentials.account, "123456789012");
	assert_int_equal(credentials.expires_at, 0);
	/* the older name, first as in botocore */
	setenv("AWS_SECURITY_TOKEN", "token-of-old", 1);
	assert_string_equal(chain_expect(&kit, "AKIDENV", "environment").session_token, "token-of-old");
	setenv("AWS_CREDENTIAL_EXPIRATION", "2026-01-01T02:00:00+01:00", 1);
	assert_int_equal(chain_expect(&kit, "AKIDENV", "environment").expires_at, FAKE_NOW + 3600);
	setenv("AWS_CREDENTIAL_EXPIRATION", "2026-01-01T00:00:00Z", 1);
	chain_expect_error(&kit, "have expired (AWS_CREDENTIAL_EXPIRATION is 2026-01-01T00:00:00Z)");
	setenv("AWS_CREDENTIAL_EXPIRATION", "soon", 1);
	chain_expect_error(&kit, "AWS_CREDENTIAL_EXPIRATION is 'soon'");
	unsetenv("AWS_CREDENTIAL_EXPIRATION");
	setenv("AWS_SECRET_ACCESS_KEY", "", 1);
	chain_expect_error(&kit, "AWS_SECRET_ACCESS_KEY is not");
	setenv("AWS_SECRET_ACCESS_KEY", "env secret", 1);
	chain_expect_error(&kit, "blanks");
	chain_close(&kit);
}

/* --- the order ---------------------------------------------------------------------------------------------------- */

/* botocore's order; the winner's key, or what the error says of it. */
enum source { ENVIRONMENT, ROLE, WEB, SSO, SHARED, LOGIN, PROCESS, CONFIG, CONTAINER, METADATA, N_SOURCES };

static const struct {
	const char *key;
	const char *name;
} expected[N_SOURCES] = {
	[ENVIRONMENT] = { "AKIDENV", "environment" },
	[ROLE] = { "ASIASTS-mine", "role arn:aws:iam::123456789012:role/mine by profile default" },
	[WEB] = { "ASIAWEB-web", "role arn:aws:iam::123456789012:role/web by web identity" },
	[SSO] = { "ASIASSO", "SSO of profile default" },
	[SHARED] = { "AKIDSHARED", "shared credentials file of profile default" },
	[LOGIN] = { NULL, "`aws login`" },
	[PROCESS] = { "AKIDPROCESS", NULL },
	[CONFIG] = { "AKIDCONFIG", "config file of profile default" },
	[CONTAINER] = { "ASIACONTAINER", "container" },
	[METADATA] = { "ASIAIMDS", "instance metadata" },
};

static bool has(unsigned present, enum source source)
{
	return (present >> source & 1) != 0;
}

static void write_files(struct chain_kit *kit, unsigned present)
{
	const char *process = chain_file(kit, "process.json", "{\"Version\":1,\"AccessKeyId\":\"AKIDPROCESS\","
				       "\"SecretAccessKey\":\"secret-of-AKIDPROCESS\"}");
	const char *config = arena_printf(
		kit->arena, "[default]\nregion = eu-west-1\n%s%s%s%s%s%s%s[profile base]\naws_access_key_id = AKIDBASE\n"
		"aws_secret_access_key = secret-of-AKIDBASE\n",
		has(present, ROLE) ? "role_arn = arn:aws:iam::123456789012:role/mine\nsource_profile = base\n" : "",
		has(present, SSO) ? "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
				    "sso_account_id = 123456789012\nsso_role_name = Admin\n" : "",
		has(present, LOGIN) ? "login_session = arn:aws:iam::123456789012:user/me\n" : "",
		has(present, PROCESS) ? "credential_process = /bin/cat " : "", has(present, PROCESS) ? process : "",
		has(present, PROCESS) ? "\n" : "",
		has(present, CONFIG) ? "aws_access_key_id = AKIDCONFIG\naws_secret_access_key = secret-of-AKIDCONFIG\n" : "");

	chain_files(kit, config, has(present, SHARED) ? "[default]\naws_access_key_id = AKIDSHARED\n"
		  "aws_secret_access_key = secret-of-AKIDSHARED\n" : NULL);
}

/* Exactly those. */
static void provide(struct chain_kit *kit, unsigned present)
{
	if (has(present, ENVIRONMENT)) {
		setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
		setenv("AWS_SECRET_ACCESS_KEY", "secret-of-AKIDENV", 1);
	}
	if (has(present, WEB)) {
		setenv("AWS_WEB_IDENTITY_TOKEN_FILE", chain_file(kit, "web-token", "web-identity-token\n"), 1);
		setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web", 1);
	}
	if (has(present, CONTAINER))
		setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/container", 1);
	kit->has_metadata = has(present, METADATA);
	/* sha1 of the start URL */
	tree_file(&kit->home, "{\"accessToken\":\"sso-access-token\",\"expiresAt\":\"2100-01-01T00:00:00Z\"}",
		  ".aws/sso/cache/a51746d4aa793ae07b25e90c3a5db96fc7832bd7.json");
	write_files(kit, present);
}

static void expect_first(unsigned present)
{
	struct chain_kit kit;
	unsigned first = 0;

	while (!has(present, first))
		first++;
	chain_open(&kit);
	provide(&kit, present);
	if (expected[first].key == NULL)
		chain_expect_error(&kit, expected[first].name);
	else
		chain_expect(&kit, expected[first].key, expected[first].name);
	chain_close(&kit);
}

static void test_the_order(void **state)
{
	(void)state;
	for (unsigned one = 0; one < N_SOURCES; one++) {
		expect_first(1u << one);
		for (unsigned other = one + 1; other < N_SOURCES; other++)
			expect_first(1u << one | 1u << other);
		/* it and all that come after it */
		expect_first((1u << N_SOURCES) - (1u << one));
	}
}

static void test_none(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	chain_expect_error(&kit, "no AWS credentials were found; looked at: environment (AWS_ACCESS_KEY_ID is not set), "
			 "assumed role (profile default has no role_arn), web identity (");
	chain_expect_error(&kit, "instance metadata (");
	chain_expect_error(&kit, "connection refused");
	chain_expect_error(&kit, "Set aws.access_key_id and ");
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	chain_expect_error(&kit, "instance metadata (AWS_EC2_METADATA_DISABLED is true). Set ");
	/* an empty variable is absent, and so is a profile without keys */
	setenv("AWS_ACCESS_KEY_ID", "", 1);
	setenv("AWS_PROFILE", "", 1);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "", 1);
	setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "", 1);
	chain_files(&kit, "[default]\nregion = eu-west-1\nrole_arn =\n", "[default]\naws_access_key_id =\n");
	chain_expect_error(&kit, "no AWS credentials were found");
	/* without files at all */
	kit.context.profiles = NULL;
	chain_expect_error(&kit, "no AWS credentials were found");
	chain_close(&kit);
}

static void test_a_chosen_profile(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	kit.has_metadata = true;
	setenv("AWS_PROFILE", "typo", 1);
	chain_files(&kit, "[profile dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = secret-of-dev\n", NULL);
	chain_expect_error(&kit, "is 'typo', and there is no such profile in ");
	chain_expect_error(&kit, "/.aws/config or in ");
	chain_expect_error(&kit, "/.aws/credentials: ");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere", 1);
	chain_expect_error(&kit, "is 'typo'");
	unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	setenv("AWS_PROFILE", "dev", 1);
	chain_files(&kit, "[profile dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = secret-of-dev\n", NULL);
	chain_expect(&kit, "AKIDDEV", "config file of profile dev");
	/* one that says nothing of credentials is there, and what comes after profiles is taken */
	chain_files(&kit, "[profile dev]\nregion = eu-west-1\n", NULL);
	chain_expect(&kit, "ASIAIMDS", "instance metadata");
	assert_int_equal(kit.requests[0].url[0], 'h');
	chain_close(&kit);
}

/* One that a person named for this call goes before the environment's keys; one that a variable names does not. */
static void test_a_profile_before_the_environment(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret-of-AKIDENV", 1);
	setenv("AWS_PROFILE", "dev", 1);
	chain_files(&kit, "[profile dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = secret-of-dev\n", NULL);
	chain_expect(&kit, "AKIDENV", "environment");
	kit.fake.settings.profile_is_chosen = true;
	chain_expect(&kit, "AKIDDEV", "config file of profile dev");
	/* nor do they count where it has none */
	chain_files(&kit, "[profile dev]\nregion = eu-west-1\n", NULL);
	chain_expect_error(&kit, "no AWS credentials were found");
	chain_close(&kit);
}

static void test_what_is_not_read_is_not_passed_over(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	kit.has_metadata = true;
	setenv("AWS_CREDENTIAL_FILE", "/some/file", 1);
	chain_expect_error(&kit, "AWS_CREDENTIAL_FILE is set");
	setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret-of-AKIDENV", 1);
	chain_expect(&kit, "AKIDENV", "environment");
	chain_close(&kit);
}

/* A source that is there but broken ends the search. */
static void test_broken_is_not_absent(void **state)
{
	(void)state;
	static const struct {
		const char *config;
		const char *credentials;
		const char *message;
	} rows[] = {
		{ "[default]\nrole_arn = arn:aws:iam::1:role/x\n", NULL, "add source_profile or credential_source" },
		{ NULL, "[default]\naws_access_key_id = AKID\n", "aws_secret_access_key" },
		{ "[default]\naws_access_key_id = AKID\n", NULL, "aws_secret_access_key" },
		{ "[default]\nlogin_session = x\n", NULL, "aws login" },
		{ "[default]\ncredential_process = /bin/false\n", NULL, "credential_process" },
		{ "[default]\nsso_session = x\nsso_account_id = 1\nsso_role_name = r\n", NULL, "sso" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chain_kit kit;
		chain_open(&kit);
		kit.has_metadata = true;
		chain_files(&kit, rows[i].config, rows[i].credentials);
		chain_expect_error(&kit, rows[i].message);
		assert_int_equal(kit.n_requests, 0);
		chain_close(&kit);
	}
}

/* --- aws.role_arn ------------------------------------------------------------------------------------------------- */

static void test_a_role_on_top(void **state)
{
	(void)state;
	struct chain_kit kit;
	struct aws_settings *settings = &kit.fake.settings;

	chain_open(&kit);
	settings->credentials_source = "static";
	settings->access_key_id = "AKIDEXAMPLE";
	settings->secret_access_key = SECRET;
	settings->role_arn = "";
	chain_expect(&kit, "AKIDEXAMPLE", "configuration");
	settings->role_arn = "arn:aws:iam::123456789012:role/cpi";
	struct credentials credentials =
		chain_expect(&kit, "ASIASTS-cpi", "role arn:aws:iam::123456789012:role/cpi by configuration");
	assert_string_equal(credentials.account, "123456789012");
	assert_int_equal(credentials.expires_at, FAKE_NOW + 3600);
	assert_int_equal(kit.n_requests, 1);
	assert_non_null(strstr(kit.requests[0].authorization, "Credential=AKIDEXAMPLE/20260101/eu-west-1/sts/"));
	/* as the incumbent names its sessions */
	assert_non_null(strstr(kit.requests[0].body, "&RoleSessionName=rsn-"));
	assert_null(strstr(kit.requests[0].body, "ExternalId"));
	assert_null(strstr(kit.requests[0].body, "DurationSeconds"));
	chain_close(&kit);

	/* of the machine's own */
	chain_open(&kit);
	kit.has_metadata = true;
	settings->role_arn = "arn:aws:iam::123456789012:role/cpi";
	chain_expect(&kit, "ASIASTS-cpi", "role arn:aws:iam::123456789012:role/cpi by instance metadata");
	assert_non_null(strstr(kit.requests[kit.n_requests - 1].authorization, "Credential=ASIAIMDS/"));
	/* no base: the role is not even tried */
	kit.has_metadata = false;
	chain_expect_error(&kit, "no AWS credentials were found");
	assert_int_equal(chain_count(&kit, "AssumeRole"), 1);
	chain_close(&kit);

	struct credentials untouched = { .access_key_id = "untouched" };
	struct error err;
	chain_open(&kit);
	kit.has_metadata = true;
	kit.denied_role = "cpi";
	settings->role_arn = "arn:aws:iam::123456789012:role/cpi";
	assert_int_equal(credentials_load(&kit.context, &untouched, &err), -1);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_string_equal(err.aws_code, "AccessDenied");
	assert_non_null(strstr(err.message, "aws.role_arn: role arn:aws:iam::123456789012:role/cpi may not be assumed with "
			       "instance metadata (check the role's trust policy"));
	assert_string_equal(untouched.access_key_id, "untouched");
	chain_close(&kit);
}

static void test_no_memory(void **state)
{
	(void)state;
	struct chain_kit kit;

	chain_open(&kit);
	kit.fake.settings.credentials_source = "static";
	kit.fake.settings.access_key_id = "AKIDEXAMPLE";
	kit.fake.settings.secret_access_key = SECRET;
	kit.fake.settings.session_token = "token";
	for (size_t room = 0; room < 400; room += 16) {
		struct arena *small CLEANUP_ARENA = arena_new(room);
		struct credentials credentials;
		struct error err;
		kit.context.arena = small;
		if (credentials_load(&kit.context, &credentials, &err) == 0) {
			assert_in_range(room, 48, 400);
			assert_int_equal(kit.fake.log.n_secrets, 2);
			log_forget_secrets(&kit.fake.log, small);
			chain_close(&kit);
			return;
		}
		assert_int_equal(err.kind, ERROR_NOMEM);
		assert_int_equal(kit.fake.log.n_secrets, 0);
	}
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_the_order),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_a_chosen_profile),
		cmocka_unit_test(test_a_profile_before_the_environment),
		cmocka_unit_test(test_what_is_not_read_is_not_passed_over),
		cmocka_unit_test(test_broken_is_not_absent),
		cmocka_unit_test(test_a_role_on_top),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
