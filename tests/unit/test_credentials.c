/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: each source right, absent and broken; their order; what is said when there are none; redaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/aws/credentials/credentials.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fake_aws.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define DOCUMENT(expiration) \
	"{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIAROLE\",\"SecretAccessKey\":\"rolesecret\"," \
	"\"Token\":\"roletoken\",\"Expiration\":\"" expiration "\"}"

static const char *const variables[] = {
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_DISABLED",
	"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_EC2_METADATA_V1_DISABLED",
};

static int clean_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

struct fixture {
	struct fake_aws fake;
	struct arena *arena;
	struct credentials_context context;
};

static void begin(struct fixture *fixture, const char *source)
{
	fake_aws_open(&fixture->fake);
	fixture->arena = arena_new(1000000);
	fixture->fake.settings = (struct aws_settings){ .region = "eu-west-1", .credentials_source = source };
	fixture->context = (struct credentials_context){
		.runtime = &fixture->fake.runtime,
		.settings = &fixture->fake.settings,
		.arena = fixture->arena,
	};
}

static void end(struct fixture *fixture)
{
	fixture->fake.log.n_secrets = 0;
	fake_aws_close(&fixture->fake);
	arena_free(fixture->arena);
}

static void expect_loaded(struct fixture *fixture, const char *id, const char *token, const char *source)
{
	struct credentials credentials;
	struct error err = { 0 };

	if (credentials_load(&fixture->context, &credentials, &err) != 0)
		fail_msg("%s", err.message);
	assert_string_equal(credentials.access_key_id, id);
	if (token == NULL)
		assert_null(credentials.session_token);
	else
		assert_string_equal(credentials.session_token, token);
	assert_string_equal(credentials.source, source);
	/* from now on the log knows what to black out */
	char text[] = "x wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY rolesecret envsecret x";
	log_redact(&fixture->fake.log, text, sizeof(text));
	assert_null(strstr(text, credentials.secret_access_key));
}

static void expect_error(struct fixture *fixture, const char *in_message)
{
	struct credentials credentials = { .access_key_id = "untouched" };
	struct error err = { 0 };

	assert_int_equal(credentials_load(&fixture->context, &credentials, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	if (strstr(err.message, in_message) == NULL)
		fail_msg("'%s' is not in: %s", in_message, err.message);
	assert_null(strstr(err.message, SECRET));
	assert_string_equal(credentials.access_key_id, "untouched");
}

static void test_static(void **state)
{
	(void)state;
	struct fixture fixture;

	begin(&fixture, "static");
	struct aws_settings *settings = &fixture.fake.settings;
	setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "envsecret", 1);
	expect_error(&fixture, "aws.access_key_id is not set");
	settings->access_key_id = "AKIDEXAMPLE";
	expect_error(&fixture, "aws.secret_access_key is not");
	settings->secret_access_key = SECRET;
	expect_loaded(&fixture, "AKIDEXAMPLE", NULL, "configuration");
	settings->session_token = "";
	expect_loaded(&fixture, "AKIDEXAMPLE", NULL, "configuration");
	settings->session_token = "token";
	expect_loaded(&fixture, "AKIDEXAMPLE", "token", "configuration");
	settings->credentials_source = NULL;
	expect_loaded(&fixture, "AKIDEXAMPLE", "token", "configuration");
	settings->session_token = "line\nbreak";
	expect_error(&fixture, "line breaks");
	settings->session_token = NULL;
	settings->access_key_id = "AKID EXAMPLE";
	expect_error(&fixture, "blanks");
	settings->access_key_id = NULL;
	expect_error(&fixture, "aws.access_key_id is not");
	settings->access_key_id = "AKIDEXAMPLE";
	settings->role_arn = "arn:aws:iam::123456789012:role/x";
	expect_error(&fixture, "role_arn is not supported yet");
	settings->role_arn = NULL;
	settings->credentials_source = "vault";
	expect_error(&fixture, "'vault'");
	end(&fixture);
}

static void test_environment(void **state)
{
	(void)state;
	struct fixture fixture;

	begin(&fixture, "env_or_profile");
	fixture.fake.settings.access_key_id = "AKIDSTATIC";
	fixture.fake.settings.secret_access_key = SECRET;
	setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
	expect_error(&fixture, "AWS_SECRET_ACCESS_KEY is not");
	setenv("AWS_SECRET_ACCESS_KEY", "envsecret", 1);
	setenv("AWS_PROFILE", "loses against keys", 1);
	expect_loaded(&fixture, "AKIDENV", NULL, "environment");
	setenv("AWS_SESSION_TOKEN", "envtoken", 1);
	expect_loaded(&fixture, "AKIDENV", "envtoken", "environment");
	setenv("AWS_SECRET_ACCESS_KEY", "", 1);
	expect_error(&fixture, "AWS_SECRET_ACCESS_KEY is not");
	setenv("AWS_SECRET_ACCESS_KEY", "env secret", 1);
	expect_error(&fixture, "blanks");
	end(&fixture);
}

static void test_sources_that_are_not_read_are_not_passed_over(void **state)
{
	(void)state;
	static const char *const names[] = { "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
					     "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					     "AWS_CONTAINER_CREDENTIALS_FULL_URI" };
	struct fixture fixture;

	begin(&fixture, "env_or_profile");
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv(names[i], "something", 1);
		expect_error(&fixture, names[i]);
		unsetenv(names[i]);
	}
	setenv("AWS_PROFILE", "", 1);
	setenv("AWS_ACCESS_KEY_ID", "", 1);
	expect_error(&fixture, "looked at: environment (AWS_ACCESS_KEY_ID is not set), instance metadata "
		     "(AWS_EC2_METADATA_DISABLED is true)");
	end(&fixture);
}

static void script_metadata(struct fake_aws *fake, int status, const char *role, const char *document)
{
	fake_aws_script(fake, (struct fake_answer){ .body = "a-token" });
	fake_aws_script(fake, (struct fake_answer){ .status = status, .body = role });
	if (document != NULL)
		fake_aws_script(fake, (struct fake_answer){ .body = document });
}

static void test_instance_metadata(void **state)
{
	(void)state;
	struct fixture fixture;
	struct credentials credentials;

	begin(&fixture, "env_or_profile");
	script_metadata(&fixture.fake, 200, "director\n", DOCUMENT("2026-01-01T06:00:00Z"));
	expect_loaded(&fixture, "ASIAROLE", "roletoken", "instance metadata");
	assert_non_null(strstr(fixture.fake.url, "/latest/meta-data/iam/security-credentials/director"));
	script_metadata(&fixture.fake, 200, "director", DOCUMENT("2026-01-01T06:00:00Z"));
	assert_int_equal(credentials_load(&fixture.context, &credentials, NULL), 0);
	assert_int_equal(credentials.expires_at, FAKE_NOW + 6 * 3600);
	assert_false(credentials_expiring(&credentials, FAKE_NOW));
	assert_false(credentials_expiring(&credentials, FAKE_NOW + 6 * 3600 - 301));
	assert_true(credentials_expiring(&credentials, FAKE_NOW + 6 * 3600 - 300));
	credentials.expires_at = 0;
	assert_false(credentials_expiring(&credentials, FAKE_NOW));
	end(&fixture);
}

static void test_instance_metadata_absent_or_broken(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *role;
		const char *document;
		const char *message;
	} rows[] = {
		{ 404, "", NULL, "no instance profile" },
		{ 200, "", NULL, "no instance profile" },
		{ 200, "r", "{\"Code\":\"Failed\",\"Message\":\"no trust\"}", "Failed: no trust" },
		{ 200, "r", "{\"Code\":\"Success\"}", "lack AccessKeyId" },
		{ 200, "r", DOCUMENT("soon"), "lack AccessKeyId" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture fixture;
		begin(&fixture, "env_or_profile");
		script_metadata(&fixture.fake, rows[i].status, rows[i].role, rows[i].document);
		expect_error(&fixture, rows[i].message);
		end(&fixture);
	}
	struct fixture fixture;
	struct credentials credentials;
	struct error err;
	begin(&fixture, "env_or_profile");
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	expect_error(&fixture, "connection refused");
	/* there, but broken: no word of "not found" */
	script_metadata(&fixture.fake, 200, "r", "<html>");
	assert_int_equal(credentials_load(&fixture.context, &credentials, &err), -1);
	assert_non_null(strstr(err.message, "credentials of role r"));
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_SIGNAL });
	assert_int_equal(credentials_load(&fixture.context, &credentials, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	end(&fixture);
}

static void test_no_memory(void **state)
{
	(void)state;
	struct fixture fixture;

	begin(&fixture, "static");
	fixture.fake.settings.access_key_id = "AKIDEXAMPLE";
	fixture.fake.settings.secret_access_key = SECRET;
	fixture.fake.settings.session_token = "token";
	for (size_t room = 0; room < 80; room += 16) {
		struct arena *small CLEANUP_ARENA = arena_new(room);
		struct credentials credentials;
		struct error err;
		fixture.context.arena = small;
		assert_int_equal(credentials_load(&fixture.context, &credentials, &err), -1);
		assert_int_equal(err.kind, ERROR_NOMEM);
		assert_int_equal(fixture.fake.log.n_secrets, 0);
	}
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_static, clean_environment),
		cmocka_unit_test_setup(test_environment, clean_environment),
		cmocka_unit_test_setup(test_sources_that_are_not_read_are_not_passed_over, clean_environment),
		cmocka_unit_test_setup(test_instance_metadata, clean_environment),
		cmocka_unit_test_setup(test_instance_metadata_absent_or_broken, clean_environment),
		cmocka_unit_test_setup(test_no_memory, clean_environment),
	};
	return cmocka_run_group_tests(tests, clean_environment, clean_environment);
}
