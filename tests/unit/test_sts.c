/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to STS: what is sent and who signs it, what comes back whole and malformed, retries, and what the errors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/aws/sts.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fake_aws.h"

#define ROLE_ARN "arn:aws-us-gov:iam::123456789012:role/path/mine"
#define ANSWER(action, credentials, arn)                                                                               \
	"<" action "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" action "Result><Credentials>" credentials \
	"</Credentials><AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>" arn "</Arn></AssumedRoleUser></" action  \
	"Result><ResponseMetadata><RequestId>req-sts</RequestId></ResponseMetadata></" action "Response>"
#define KEYS \
	"<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token</SessionToken>"
#define ASSUMED_ARN "arn:aws-us-gov:sts::210987654321:assumed-role/mine/s"
#define GOOD ANSWER("AssumeRole", KEYS "<Expiration>2026-01-01T01:00:00Z</Expiration>", ASSUMED_ARN)
#define ERROR(code, message)                                                                                           \
	"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>" code "</Code>" \
	"<Message>" message "</Message></Error><RequestId>req-no</RequestId></ErrorResponse>"

struct fixture {
	struct fake_aws fake;
	struct arena *arena;
	struct credentials_context context;
	struct credentials source;
};

static void begin(struct fixture *fixture)
{
	fake_aws_open(&fixture->fake);
	fixture->arena = arena_new(4000000);
	fixture->context = (struct credentials_context){
		.runtime = &fixture->fake.runtime,
		.settings = &fixture->fake.settings,
		.arena = fixture->arena,
	};
	fixture->source = (struct credentials){ .access_key_id = "ASIASOURCE", .secret_access_key = "source-secret",
						.session_token = "source-token", .source = "somewhere" };
}

static void end(struct fixture *fixture)
{
	log_forget_secrets(&fixture->fake.log, fixture->arena);
	fake_aws_close(&fixture->fake);
	arena_free(fixture->arena);
}

static int assume(struct fixture *fixture, struct sts_role role, struct credentials *ret_credentials, struct error *err)
{
	role.role_arn = ROLE_ARN;
	return sts_assume_role(&fixture->context, &fixture->source, &role, ret_credentials, err);
}

static void test_assume_role(void **state)
{
	(void)state;
	struct fixture fixture;
	struct credentials credentials;
	const struct sts_role role = { .session_name = "s", .external_id = "e", .duration_seconds = "900",
				       .web_identity_token = "not of this call" };
	char text[8192];

	begin(&fixture);
	fixture.fake.log.level = LOG_LEVEL_INFO;
	fake_aws_script(&fixture.fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(assume(&fixture, role, &credentials, NULL), 0);
	assert_string_equal(credentials.access_key_id, "ASIAROLE");
	assert_string_equal(credentials.secret_access_key, "role-secret");
	assert_string_equal(credentials.session_token, "role-token");
	assert_string_equal(credentials.account, "210987654321");
	assert_string_equal(credentials.source, "role " ROLE_ARN " by somewhere");
	assert_int_equal(credentials.expires_at, FAKE_NOW + 3600);
	assert_false(credentials.stay_in_use);
	assert_string_equal(fixture.fake.bodies[0], "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws-us-gov%3Aiam%3A%3A"
			    "123456789012%3Arole%2Fpath%2Fmine&RoleSessionName=s&ExternalId=e&DurationSeconds=900");
	assert_string_equal(fixture.fake.url, "https://sts.eu-west-1.amazonaws.com/");
	assert_non_null(strstr(fixture.fake.authorizations[0], "Credential=ASIASOURCE/20260101/eu-west-1/sts/aws4_request, "
			       "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "));
	fake_aws_log(&fixture.fake, text, sizeof(text));
	assert_non_null(strstr(text, "aws-call action=AssumeRole start=2026-01-01T00:00:00.000Z duration_ms=1 attempts=1 "
			       "wait_ms=0 status=200 aws_request_id=req-sts for=\"role " ROLE_ARN "\""));
	log_info(&fixture.fake.log, "a secret: role-secret, role-token");
	fake_aws_log(&fixture.fake, text, sizeof(text));
	assert_null(strstr(text, "role-secret"));
	assert_null(strstr(text, "role-token"));
	end(&fixture);
}

static void test_session_names_are_unlike(void **state)
{
	(void)state;
	struct fixture fixture;
	struct credentials credentials;
	char names[2][37];

	begin(&fixture);
	for (unsigned i = 0; i < 2; i++) {
		fake_aws_script(&fixture.fake, (struct fake_answer){ .body = GOOD });
		assert_int_equal(assume(&fixture, (struct sts_role){ 0 }, &credentials, NULL), 0);
		const char *name = strstr(fixture.fake.bodies[i], "&RoleSessionName=rsn-");
		assert_non_null(name);
		snprintf(names[i], sizeof(names[i]), "%s", name + strlen("&RoleSessionName=rsn-"));
		assert_int_equal(strspn(names[i], "0123456789abcdef-"), 36);
	}
	assert_string_not_equal(names[0], names[1]);
	end(&fixture);
}

static void test_web_identity(void **state)
{
	(void)state;
	struct fixture fixture;
	struct credentials credentials;
	const struct sts_role role = { .role_arn = ROLE_ARN, .session_name = "s", .external_id = "not of this call",
				       .web_identity_token = "a.web.token" };
	char text[32768];

	begin(&fixture);
	fake_aws_script(&fixture.fake, (struct fake_answer){
		.body = ANSWER("AssumeRoleWithWebIdentity", KEYS "<Expiration>2026-01-01T01:00:00Z</Expiration>", ASSUMED_ARN) });
	assert_int_equal(sts_assume_role_with_web_identity(&fixture.context, &role, &credentials, NULL), 0);
	assert_string_equal(credentials.access_key_id, "ASIAROLE");
	assert_string_equal(credentials.source, "role " ROLE_ARN " by web identity");
	assert_string_equal(fixture.fake.bodies[0], "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws-us-gov"
			    "%3Aiam%3A%3A123456789012%3Arole%2Fpath%2Fmine&RoleSessionName=s&WebIdentityToken=a.web.token");
	assert_null(fixture.fake.authorizations[0]);
	assert_null(fixture.fake.dates[0]);
	fake_aws_log(&fixture.fake, text, sizeof(text));
	assert_null(strstr(text, "a.web.token"));
	end(&fixture);
}

static void test_malformed_answers(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		enum error_kind kind;
		const char *message;
	} rows[] = {
		{ ANSWER("AssumeRole", KEYS, ASSUMED_ARN), ERROR_INVALID, "without AccessKeyId, SecretAccessKey" },
		{ ANSWER("AssumeRole", KEYS "<Expiration>soon</Expiration>", ASSUMED_ARN), ERROR_INVALID, "Expiration" },
		{ ANSWER("AssumeRole", "<Expiration>2026-01-01T01:00:00Z</Expiration>", ASSUMED_ARN), ERROR_INVALID,
		  "without AccessKeyId" },
		{ "<AssumeRoleResponse/>", ERROR_INVALID, "check the endpoint of STS" },
		{ ANSWER("AssumeRole", "<AccessKeyId></AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t"
			 "</SessionToken><Expiration>2026-01-01T01:00:00Z</Expiration>", ASSUMED_ARN), ERROR_CONFIG, "STS" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture fixture;
		struct credentials credentials = { .access_key_id = "untouched" };
		struct error err;
		begin(&fixture);
		fake_aws_script(&fixture.fake, (struct fake_answer){ .body = rows[i].body });
		assert_int_equal(assume(&fixture, (struct sts_role){ 0 }, &credentials, &err), -1);
		assert_int_equal(err.kind, rows[i].kind);
		if (strstr(err.message, rows[i].message) == NULL)
			fail_msg("'%s' is not in: %s", rows[i].message, err.message);
		assert_non_null(strstr(err.message, ROLE_ARN));
		assert_null(strstr(err.message, "role-secret"));
		assert_string_equal(credentials.access_key_id, "untouched");
		end(&fixture);
	}
}

/* Something that is no such ARN costs the account alone. */
static void test_account(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		ANSWER("AssumeRole", KEYS "<Expiration>2026-01-01T01:00:00Z</Expiration>", "arn:aws:sts::12345:assumed-role/x/y"),
		ANSWER("AssumeRole", KEYS "<Expiration>2026-01-01T01:00:00Z</Expiration>", "arn:aws"),
		ANSWER("AssumeRole", KEYS "<Expiration>2026-01-01T01:00:00Z</Expiration>", "arn:aws:sts::1234567890123:x"),
		ANSWER("AssumeRole", KEYS "<Expiration>2026-01-01T01:00:00Z</Expiration>", "arn:aws:sts::123456789012x:y"),
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct fixture fixture;
		struct credentials credentials;
		begin(&fixture);
		fake_aws_script(&fixture.fake, (struct fake_answer){ .body = bodies[i] });
		assert_int_equal(assume(&fixture, (struct sts_role){ 0 }, &credentials, NULL), 0);
		assert_null(credentials.account);
		end(&fixture);
	}
}

/* The same loop as for every other call, and its own clock. */
static void test_retries(void **state)
{
	(void)state;
	struct fixture fixture;
	struct credentials credentials;
	struct error err;

	begin(&fixture);
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_CUT });
	fake_aws_script(&fixture.fake, (struct fake_answer){ .status = 500, .body = "" });
	fake_aws_script(&fixture.fake, (struct fake_answer){ .status = 400, .body = ERROR("Throttling", "slower") });
	fake_aws_script(&fixture.fake, (struct fake_answer){ .status = 403, .body = ERROR("SignatureDoesNotMatch", "expired"),
							     .date = "Thu, 01 Jan 2026 01:00:00 GMT" });
	fake_aws_script(&fixture.fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(assume(&fixture, (struct sts_role){ 0 }, &credentials, NULL), 0);
	assert_int_equal(strncmp(fixture.fake.dates[4], "20260101T01", 11), 0);
	end(&fixture);

	begin(&fixture);
	for (unsigned i = 0; i < 3; i++)
		fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	assert_int_equal(assume(&fixture, (struct sts_role){ 0 }, &credentials, &err), -1);
	assert_int_equal(err.kind, ERROR_NETWORK);
	assert_true(err.retryable);
	assert_non_null(strstr(err.message, "role " ROLE_ARN ", to be assumed with somewhere: AssumeRole failed: connection "
			       "refused"));
	end(&fixture);

	/* a session that has ended is not renewed here: these credentials are all there are */
	begin(&fixture);
	fake_aws_script(&fixture.fake, (struct fake_answer){ .status = 403, .body = ERROR("ExpiredToken", "expired") });
	fixture.source.expires_at = FAKE_NOW + 10;
	assert_int_equal(assume(&fixture, (struct sts_role){ 0 }, &credentials, &err), -1);
	assert_string_equal(err.aws_code, "ExpiredToken");
	end(&fixture);
}

static void test_denied(void **state)
{
	(void)state;
	struct fixture fixture;
	struct credentials credentials;
	struct error err;

	begin(&fixture);
	fake_aws_script(&fixture.fake, (struct fake_answer){
		.status = 403, .body = ERROR("AccessDenied", "User: me is not authorized to perform: sts:AssumeRole") });
	assert_int_equal(assume(&fixture, (struct sts_role){ 0 }, &credentials, &err), -1);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_string_equal(err.message,
			    "role " ROLE_ARN " may not be assumed with somewhere (check the role's trust policy with its "
			    "conditions, and that the caller's own policies allow sts:AssumeRole on it): AssumeRole failed: User: "
			    "me is not authorized to perform: sts:AssumeRole (AWS code AccessDenied, request id req-no); sts:AssumeRole is part "
			    "of the feature role: `cpi policy` prints the IAM policy that allows it");
	end(&fixture);
}

static void test_get_caller_identity(void **state)
{
	(void)state;
	struct fixture fixture;
	struct sts_identity identity = { .arn = "untouched" };
	struct error err;

	begin(&fixture);
	fake_aws_script(&fixture.fake, (struct fake_answer){
		.body = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>"
			"AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>" });
	assert_int_equal(sts_get_caller_identity(fixture.fake.client, fixture.arena, &identity, NULL), 0);
	assert_string_equal(identity.account, "123456789012");
	assert_string_equal(identity.arn, "arn:aws:iam::123456789012:user/me");
	assert_string_equal(identity.user_id, "AIDA");
	assert_string_equal(fixture.fake.bodies[0], "Action=GetCallerIdentity&Version=2011-06-15");
	assert_non_null(strstr(fixture.fake.authorizations[0], "Credential=AKIDEXAMPLE/"));
	identity.arn = "untouched";
	fake_aws_script(&fixture.fake, (struct fake_answer){
		.body = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
			"</GetCallerIdentityResponse>" });
	assert_int_equal(sts_get_caller_identity(fixture.fake.client, fixture.arena, &identity, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_string_equal(identity.arn, "untouched");
	end(&fixture);
}

static void test_decode(void **state)
{
	(void)state;
	struct fixture fixture;
	const char *json;
	struct error err;

	begin(&fixture);
	fake_aws_script(&fixture.fake, (struct fake_answer){
		.body = "<DecodeAuthorizationMessageResponse><DecodeAuthorizationMessageResult><DecodedMessage>{&quot;allowed&quot;:"
			"false}</DecodedMessage></DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>" });
	assert_int_equal(sts_decode_authorization_message(fixture.fake.client, "Ab/+", fixture.arena, &json, NULL), 0);
	assert_string_equal(json, "{\"allowed\":false}");
	assert_string_equal(fixture.fake.bodies[0],
			    "Action=DecodeAuthorizationMessage&Version=2011-06-15&EncodedMessage=Ab%2F%2B");
	fake_aws_script(&fixture.fake, (struct fake_answer){ .body = "<DecodeAuthorizationMessageResponse/>" });
	assert_int_equal(sts_decode_authorization_message(fixture.fake.client, "x", fixture.arena, &json, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	/* one attempt */
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	assert_int_equal(sts_decode_authorization_message(fixture.fake.client, "x", fixture.arena, &json, &err), -1);
	assert_int_equal(err.kind, ERROR_NETWORK);
	end(&fixture);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (long n = 0; n < 100; n++) {
		struct fixture fixture;
		struct credentials credentials;
		struct error err = { 0 };
		begin(&fixture);
		fixture.fake.repeat_last = true;
		fake_aws_script(&fixture.fake, (struct fake_answer){ .body = GOOD });
		assert_non_null(arena_alloc(fixture.arena, 10));
		fail_alloc_after(n);
		int result = assume(&fixture, (struct sts_role){ 0 }, &credentials, &err);
		bool failed = fail_alloc_off();
		if (result != 0)
			assert_true(failed && err.kind != ERROR_NONE);
		end(&fixture);
		if (!failed) {
			assert_in_range(n, 5, 99);
			return;
		}
	}
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assume_role),
		cmocka_unit_test(test_session_names_are_unlike),
		cmocka_unit_test(test_web_identity),
		cmocka_unit_test(test_malformed_answers),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_get_caller_identity),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
