/* SPDX-License-Identifier: Apache-2.0 */
/* Denials whose reason AWS gives only encoded: decoded once where that is allowed, told in one sentence, and left as they
 * are where it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/denial.h"
#include "tests/unit/fake_aws.h"

#define DOCUMENT(explicit, statements) \
	"{\"allowed\":false,\"explicitDeny\":" explicit ",\"matchedStatements\":{\"items\":[" statements "]},\"failures\":{" \
	"\"items\":[]},\"context\":{\"principal\":{\"id\":\"AIDA\",\"name\":\"me\",\"arn\":\"arn:aws:iam::1:user/me\"}," \
	"\"action\":\"ec2:RunInstances\",\"resource\":\"arn:aws:ec2:eu-west-1:1:instance/*\",\"conditions\":{\"items\":[]}}}"
#define NOT_ALLOWED "No policy allows arn:aws:iam::1:user/me ec2:RunInstances on arn:aws:ec2:eu-west-1:1:instance/*"
#define DENIED "A policy denies arn:aws:iam::1:user/me explicitly ec2:RunInstances on arn:aws:ec2:eu-west-1:1:instance/*"
#define STATEMENT(id) "{\"statementId\":\"" id "\",\"effect\":\"DENY\"}"

#define FEATURE "; ec2:RunInstances is part of the feature vm: `cpi policy` prints the IAM policy that allows it"

static const struct aws_service service = { .name = "ec2", .version = "2016-11-15" };

static int call(struct fake_aws *fake, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(100000000);
	struct aws_call run = { .service = &service, .action = "RunInstances", .purpose = "vm" };
	const struct xml_node *root;

	return aws_call(fake->client, &run, arena, &root, err);
}

static void script_denial(struct fake_aws *fake, const char *code, const char *encoded)
{
	char message[4096];
	char body[8192];

	snprintf(message, sizeof(message), "You are not authorized to perform this operation. Encoded authorization failure "
		 "message: %s", encoded);
	snprintf(body, sizeof(body), "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>"
		 "req-no</RequestID></Response>", code, message);
	fake_aws_script(fake, (struct fake_answer){ .status = 403, .action = "RunInstances", .body = strdup(body) });
}

static void script_decoded(struct fake_aws *fake, const char *json)
{
	char body[8192];
	struct buf text CLEANUP_BUF = BUF_INIT(sizeof(body));

	for (; *json != '\0'; json++) {
		if (*json == '"')
			buf_str(&text, "&quot;");
		else
			buf_char(&text, *json);
	}
	snprintf(body, sizeof(body), "<DecodeAuthorizationMessageResponse><DecodeAuthorizationMessageResult><DecodedMessage>%s"
		 "</DecodedMessage></DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>", buf_text(&text));
	fake_aws_script(fake, (struct fake_answer){ .action = "DecodeAuthorizationMessage", .body = strdup(body) });
}

static void close_all(struct fake_aws *fake)
{
	for (unsigned i = 0; i < fake->n_script; i++)
		free((char *)fake->script[i].body);
	fake_aws_close(fake);
}

static void test_decoded(void **state)
{
	(void)state;
	static const struct {
		const char *code;
		const char *document;
		const char *sentence;
	} rows[] = {
		{ "UnauthorizedOperation", DOCUMENT("false", ""), NOT_ALLOWED },
		{ "AccessDenied", DOCUMENT("true", ""), DENIED },
		{ "UnauthorizedOperation", DOCUMENT("true", STATEMENT("NoVms")), DENIED " (statement NoVms)" },
		{ "UnauthorizedOperation",
		  DOCUMENT("true", STATEMENT("") "," STATEMENT("A") "," STATEMENT("B") "," STATEMENT("C") "," STATEMENT("D")),
		  DENIED " (statement A, B, C)" },
		{ "UnauthorizedOperation", "{\"context\":{\"action\":\"ec2:RunInstances\"}}",
		  "No policy allows the caller ec2:RunInstances" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_aws fake;
		struct error err;
		char expected[1024];
		char text[16384];
		fake_aws_open(&fake);
		script_denial(&fake, rows[i].code, "Zm9v-blob_1");
		script_decoded(&fake, rows[i].document);
		assert_int_equal(call(&fake, &err), -1);
		snprintf(expected, sizeof(expected), "RunInstances failed: You are not authorized to perform this operation. (AWS "
			 "code %s, request id req-no). %s" FEATURE, rows[i].code, rows[i].sentence);
		assert_string_equal(err.message, expected);
		assert_int_equal(err.kind, ERROR_AWS);
		assert_int_equal(err.http_status, 403);
		assert_string_equal(err.aws_code, rows[i].code);
		assert_string_equal(err.aws_action, "RunInstances");
		assert_true(fake_aws_sent(&fake, 1, "EncodedMessage=Zm9v-blob_1"));
		/* the denied call's line does not count the time of the second one */
		fake_aws_log(&fake, text, sizeof(text));
		assert_non_null(strstr(text, "action=RunInstances start=2026-01-01T00:00:00.000Z duration_ms=1 "));
		close_all(&fake);
	}
}

static void expect_original(struct fake_aws *fake)
{
	struct error err;

	assert_int_equal(call(fake, &err), -1);
	assert_string_equal(err.message, "RunInstances failed: You are not authorized to perform this operation. (AWS code "
			    "UnauthorizedOperation, request id req-no)" FEATURE ". Encoded authorization failure message: blob");
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
	assert_string_equal(err.aws_action, "RunInstances");
	assert_false(err.retryable);
}

static void test_not_decoded(void **state)
{
	(void)state;
	static const struct fake_answer answers[] = {
		{ .way = FAKE_REFUSED },
		{ .way = FAKE_HANG },
		{ .status = 500, .body = "" },
		{ .body = "<DecodeAuthorizationMessageResponse/>" },
		{ .status = 403, .body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you. Encoded authorization "
					 "failure message: again</Message></Error></ErrorResponse>" },
	};
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct fake_aws fake;
		struct fake_answer answer = answers[i];
		fake_aws_open(&fake);
		script_denial(&fake, "UnauthorizedOperation", "blob");
		answer.action = "DecodeAuthorizationMessage";
		answer.body = answer.body == NULL ? NULL : strdup(answer.body);
		fake_aws_script(&fake, answer);
		expect_original(&fake);
		/* in vain once is enough */
		script_denial(&fake, "UnauthorizedOperation", "blob");
		expect_original(&fake);
		close_all(&fake);
	}
}

static void test_documents_that_are_none(void **state)
{
	(void)state;
	static const char *const documents[] = { "", "x", "[]", "{}", "{\"context\":{}}", "{\"context\":{\"action\":1}}" };

	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		struct fake_aws fake;
		fake_aws_open(&fake);
		script_denial(&fake, "UnauthorizedOperation", "blob");
		script_decoded(&fake, documents[i]);
		expect_original(&fake);
		close_all(&fake);
	}
}

/* Too long to be shown whole it is of no use: then the log has it. */
static void test_a_long_one(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;
	char blob[3001];
	char text[32768];

	memset(blob, 'b', sizeof(blob) - 1);
	blob[sizeof(blob) - 1] = '\0';
	fake_aws_open(&fake);
	script_denial(&fake, "UnauthorizedOperation", blob);
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_REFUSED });
	assert_int_equal(call(&fake, &err), -1);
	assert_string_equal(err.message, "RunInstances failed: You are not authorized to perform this operation. (AWS code "
			    "UnauthorizedOperation, request id req-no). The reason stands, encoded, in the debug log, for aws sts "
			    "decode-authorization-message" FEATURE);
	fake_aws_log(&fake, text, sizeof(text));
	assert_non_null(strstr(text, blob));
	close_all(&fake);

	/* decoded, its length does not matter */
	fake_aws_open(&fake);
	script_denial(&fake, "UnauthorizedOperation", blob);
	script_decoded(&fake, DOCUMENT("false", ""));
	assert_int_equal(call(&fake, &err), -1);
	assert_non_null(strstr(err.message, "req-no). " NOT_ALLOWED));
	close_all(&fake);
}

/* Only denials, and only of clients that have rights of their own. */
static void test_others_are_left_alone(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;

	fake_aws_open(&fake);
	script_denial(&fake, "VolumeInUse", "blob");
	assert_int_equal(call(&fake, &err), -1);
	assert_non_null(strstr(err.message, "Encoded authorization failure message: blob"));
	close_all(&fake);

	struct aws_client *own;
	const struct credentials credentials = { .access_key_id = "AKIDX", .secret_access_key = "x" };
	fake_aws_open(&fake);
	assert_int_equal(aws_client_new_as(&fake.runtime, &fake.settings, &credentials, &own, NULL), 0);
	struct aws_client *other = fake.client;
	fake.client = own;
	script_denial(&fake, "UnauthorizedOperation", "blob");
	expect_original(&fake);
	assert_non_null(strstr(fake.authorizations[0], "Credential=AKIDX/"));
	fake.client = other;
	aws_client_free(own);
	close_all(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoded),
		cmocka_unit_test(test_not_decoded),
		cmocka_unit_test(test_documents_that_are_none),
		cmocka_unit_test(test_a_long_one),
		cmocka_unit_test(test_others_are_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
