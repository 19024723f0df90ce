/* SPDX-License-Identifier: Apache-2.0 */
/* The call loop against a scripted AWS: what is sent, every kind of failure at every position, clock, lost answers, the
 * log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/parallel.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/retry.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fake_aws.h"
#include "tests/unit/gather.h"
#include "tests/unit/tree.h"

#define GOOD "<?xml version=\"1.0\"?>\n<DescribeVolumesResponse xmlns=\"x\"><requestId>req-ok</requestId><a>1</a>" \
	     "</DescribeVolumesResponse>"

static const struct aws_service service = { .name = "ec2", .version = "2016-11-15" };

static int call_with(struct fake_aws *fake, struct aws_call call, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(100000000);
	const struct xml_node *root = NULL;

	call.service = &service;
	if (call.action == NULL)
		call.action = "DescribeVolumes";
	int result = aws_call(fake->client, &call, arena, &root, err);
	if (result == 0 && root != NULL)
		assert_string_equal(xml_text(root, "a"), "1");
	if (result == 0 && root == NULL)
		return 1; /* settled */
	return result;
}

static int call_plain(struct fake_aws *fake, struct error *err)
{
	return call_with(fake, (struct aws_call){ .purpose = "thing thing-1" }, err);
}

static struct fake_answer error_answer(int status, const char *code, const char *message)
{
	return (struct fake_answer){ .status = status, .body = fake_aws_error(code, message) };
}

static void test_what_is_sent(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct aws_params params;

	fake_aws_open(&fake);
	aws_params_init(&params);
	aws_params_add(&params, "Name", "a b&c=d/ü");
	aws_params_add(&params, "Absent", NULL);
	aws_params_add(&params, "Empty", "");
	aws_params_addf(&params, "v", "Filter.%d.Value.%d", 1, 2);
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_with(&fake, (struct aws_call){ .params = &params }, NULL), 0);
	assert_string_equal(fake.bodies[0],
			    "Action=DescribeVolumes&Version=2016-11-15&Name=a%20b%26c%3Dd%2F%C3%BC&Empty="
			    "&Filter.1.Value.2=v");
	assert_string_equal(fake.url, "https://ec2.eu-west-1.amazonaws.com/");
	assert_string_equal(fake.dates[0], "20260101T000000Z");
	assert_non_null(strstr(fake.authorizations[0], "Credential=AKIDEXAMPLE/20260101/eu-west-1/ec2/aws4_request, "
			       "SignedHeaders=content-type;host;x-amz-date, Signature="));
	aws_params_free(&params);
	fake_aws_close(&fake);
}

static void test_parameters_beyond_the_limit_are_not_sent_cut(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct aws_params params;
	struct error err;
	char *long_text = malloc(5000001);

	memset(long_text, 'a', 5000000);
	long_text[5000000] = '\0';
	fake_aws_open(&fake);
	aws_params_init(&params);
	aws_params_add(&params, "UserData", long_text);
	assert_int_equal(call_with(&fake, (struct aws_call){ .params = &params }, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	aws_params_free(&params);
	aws_params_init(&params);
	long_text[300] = '\0';
	aws_params_addf(&params, "v", "%s", long_text);
	assert_int_equal(call_with(&fake, (struct aws_call){ .params = &params }, &err), -1);
	aws_params_free(&params);
	free(long_text);
	fake_aws_close(&fake);
}

static void test_the_log_line(void **state)
{
	(void)state;
	struct fake_aws fake;
	char text[8192];

	fake_aws_open(&fake);
	fake.log.level = LOG_LEVEL_INFO;
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_with(&fake, (struct aws_call){ .purpose = "a \"quoted\" name\n" }, NULL), 0);
	fake_aws_log(&fake, text, sizeof(text));
	assert_non_null(
		strstr(text, ": aws-call action=DescribeVolumes start=2026-01-01T00:00:00.000Z duration_ms=1 attempts=1 "
			     "wait_ms=0 status=200 aws_request_id=req-ok for=\"a \\\"quoted\\\" name \"\n"));
	fake_aws_script(&fake, error_answer(400, "VolumeInUse", "it is"));
	assert_int_equal(call_plain(&fake, NULL), -1);
	fake_aws_log(&fake, text, sizeof(text));
	assert_non_null(strstr(text, " status=400 aws_request_id=ea966190-f9aa-478e-9ede-example code=VolumeInUse "
			       "for=\"thing thing-1\"\n"));
	fake_aws_close(&fake);
}

/* Nothing goes out that no policy would allow. */
static void test_what_is_not_declared_is_not_called(void **state)
{
	(void)state;
	static const struct aws_service elb = { .name = "elasticloadbalancing", .version = "2012-06-01" };
	struct aws_call calls[] = {
		{ .service = &service, .action = "DescribeThings" },
		{ .service = &elb, .action = "DescribeVolumes" },
		{ .service = &service, .action = "PassRole" },
		{ .service = &service, .action = "describeVolumes" },
	};
	struct fake_aws fake;

	fake_aws_open(&fake);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct aws_rest_call rest = { .call = calls[i], .method = "GET", .path = "/" };
		const struct xml_node *root;
		struct error err;
		assert_int_equal(aws_call(fake.client, &calls[i], NULL, &root, &err), -1);
		assert_int_equal(err.kind, ERROR_INTERNAL);
		assert_non_null(strstr(err.message, calls[i].action));
		assert_int_equal(aws_call_rest(fake.client, &rest, &err), -1);
		assert_int_equal(err.kind, ERROR_INTERNAL);
	}
	assert_int_equal(fake.n_requests, 0);
	fake_aws_close(&fake);
}

static void test_an_error_says_all(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;

	fake_aws_open(&fake);
	fake_aws_script(&fake, error_answer(403, "UnauthorizedOperation", "You are not authorized"));
	assert_int_equal(call_plain(&fake, &err), -1);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_string_equal(err.message,
			    "DescribeVolumes failed: You are not authorized (AWS code UnauthorizedOperation, "
			    "request id ea966190-f9aa-478e-9ede-example); ec2:DescribeVolumes is part of the feature disk: "
			    "`cpi policy` prints the IAM policy that allows it");
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
	assert_string_equal(err.aws_message, "You are not authorized");
	assert_string_equal(err.aws_request_id, "ea966190-f9aa-478e-9ede-example");
	assert_string_equal(err.aws_action, "DescribeVolumes");
	assert_int_equal(err.http_status, 403);
	assert_false(err.retryable);
	fake_aws_close(&fake);
}

static void test_other_forms_of_errors(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *body;
		const char *header_id;
		const char *code;
		const char *id;
		const char *message;
	} rows[] = {
		{ 403,
		  "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>"
		  "AccessDenied</Code><Message>no</Message></Error><RequestId>req-sts</RequestId></ErrorResponse>",
		  NULL, "AccessDenied", "req-sts", "no (AWS code AccessDenied, request id req-sts)" },
		{ 400, "<Response><Errors><Error><Code>Blocked</Code></Error></Errors></Response>", "req-header",
		  "Blocked", "req-header", "AWS gives no message (AWS code Blocked, request id req-header)" },
		{ 400, "<Response><Errors><Error><Code>Blocked</Code><Message>x</Message></Error></Errors></Response>",
		  NULL, "Blocked", "", "request id not given" },
		{ 403, "<html><body>Proxy says no</body></html>", NULL, "403", "",
		  "proxies on the way. The answer begins: <html>" },
		{ 400, "", NULL, "400", "", "empty body" },
		{ 301, "moved", NULL, "301", "", "moved" },
		{ 404, "<Response><Errors><Error><Code></Code></Error></Errors></Response>", NULL, "404", "",
		  "HTTP status 404" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_aws fake;
		struct error err;
		fake_aws_open(&fake);
		fake_aws_script(&fake, (struct fake_answer){ .status = rows[i].status, .body = rows[i].body,
							     .request_id = rows[i].header_id });
		assert_int_equal(call_plain(&fake, &err), -1);
		assert_int_equal(err.kind, ERROR_AWS);
		assert_string_equal(err.aws_code, rows[i].code);
		assert_string_equal(err.aws_request_id, rows[i].id);
		if (strstr(err.message, rows[i].message) == NULL)
			fail_msg("'%s' is not in: %s", rows[i].message, err.message);
		fake_aws_close(&fake);
	}
}

/* Whatever can pass, in one table: each of them at each position, and for ever. */
static const struct passing {
	struct fake_answer answer;
	enum error_kind kind; /* when it does not pass */
} passing[] = {
	{ { .way = FAKE_REFUSED }, ERROR_NETWORK },
	{ { .way = FAKE_CUT }, ERROR_NETWORK },
	{ { .way = FAKE_HANG }, ERROR_TIMEOUT },
	{ { .body = "<DescribeVolumesResponse><requestId>req" }, ERROR_INVALID },
	{ { .body = "" }, ERROR_INVALID },
	{ { .body = "garbage" }, ERROR_INVALID },
	{ { .body = "<html><body/></html>" }, ERROR_INVALID },
	{ { .body = "<DescribeVolumes/>" }, ERROR_INVALID },
	{ { .body = "<!DOCTYPE html><DescribeVolumesResponse/>" }, ERROR_INVALID },
	{ { .status = 500, .body = "" }, ERROR_AWS },
	{ { .status = 502, .body = "<html>bad gateway" }, ERROR_AWS },
	{ { .status = 503, .body = "<Response><Errors><Error><Code>Unavailable</Code></Error></Errors></Response>" },
	  ERROR_AWS },
	{ { .status = 500, .body = "<Response><Errors><Error><Code>InternalError</Code></Error></Errors></Response>" },
	  ERROR_AWS },
};
#define N_PASSING (sizeof(passing) / sizeof(passing[0]))

static void test_what_passes_is_repeated(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PASSING; i++) {
		for (unsigned before = 1; before <= 2; before++) {
			struct fake_aws fake;
			struct error err = { 0 };
			fake_aws_open(&fake);
			for (unsigned n = 0; n < before; n++)
				fake_aws_script(&fake, passing[i].answer);
			fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
			if (call_plain(&fake, &err) != 0)
				fail_msg("row %zu: %s", i, err.message);
			fake_aws_close(&fake);
		}
	}
}

static void test_what_does_not_pass_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PASSING; i++) {
		struct fake_aws fake;
		struct error err;
		fake_aws_open(&fake);
		for (unsigned n = 0; n < 3; n++)
			fake_aws_script(&fake, passing[i].answer);
		assert_int_equal(call_plain(&fake, &err), -1);
		assert_int_equal(err.kind, passing[i].kind);
		assert_true(err.retryable);
		assert_string_equal(err.aws_action, "DescribeVolumes");
		assert_non_null(strstr(err.message, "DescribeVolumes"));
		fake_aws_close(&fake);
	}
}

static void test_what_cannot_pass_is_not_repeated(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *code;
	} rows[] = {
		{ 500, "InsufficientInstanceCapacity" },
		{ 403, "UnauthorizedOperation" },
		{ 403, "AccessDenied" },
		{ 401, "AuthFailure" },
		{ 400, "VolumeInUse" },
		{ 400, "InvalidVolume.NotFound" },
		{ 400, "RequestExpired" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_aws fake;
		struct error err;
		fake_aws_open(&fake);
		fake_aws_script(&fake, error_answer(rows[i].status, rows[i].code, "no"));
		assert_int_equal(call_plain(&fake, &err), -1);
		assert_string_equal(err.aws_code, rows[i].code);
		assert_false(err.retryable);
		assert_int_equal(fake.now_ms, 1);
		fake_aws_close(&fake);
	}
	struct fake_aws fake;
	struct error err;
	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_TLS });
	assert_int_equal(call_plain(&fake, &err), -1);
	assert_int_equal(err.kind, ERROR_NETWORK);
	assert_false(err.retryable);
	fake_aws_close(&fake);
}

static void test_throttling_has_its_own_budget(void **state)
{
	(void)state;
	struct fake_aws fake;
	char text[32768];

	fake_aws_open(&fake);
	fake.settings.max_retries = 0;
	for (unsigned n = 0; n < 20; n++)
		fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_plain(&fake, NULL), 0);
	fake_aws_log(&fake, text, sizeof(text));
	assert_non_null(strstr(text, " attempts=21 "));
	assert_non_null(strstr(text, " throttled=20 "));
	fake_aws_close(&fake);

	struct error err;
	fake_aws_open(&fake);
	fake.repeat_last = true;
	fake_aws_script(&fake, error_answer(400, "Throttling", "slower"));
	assert_int_equal(call_plain(&fake, &err), -1);
	assert_string_equal(err.aws_code, "Throttling");
	assert_true(err.retryable);
	assert_in_range(fake.n_requests, 20, RETRY_MAX_THROTTLES + 1);
	assert_true(fake.now_ms <= RETRY_DEADLINE_MS + 1000);
	fake_aws_close(&fake);
}

static int64_t value_in_log(const struct fake_aws *fake, const char *name)
{
	char text[65536];
	char wanted[50];

	fake_aws_log(fake, text, sizeof(text));
	snprintf(wanted, sizeof(wanted), " %s=", name);
	/* the last line's */
	const char *at = NULL;
	for (const char *next = strstr(text, wanted); next != NULL; next = strstr(next + 1, wanted))
		at = next;
	return at == NULL ? -1 : strtoll(at + strlen(wanted), NULL, 10);
}

/* What one process learns, the next one knows: it waits before its first attempt, and that is no retry. */
static void test_turns_are_shared(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct aws_client *other;
	struct aws_client *own;
	struct tree folder;
	struct error err;
	const struct credentials credentials = { .access_key_id = "AKIDEXAMPLE", .secret_access_key = "x" };

	tree_make(&folder);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", folder.root, 1), 0);
	fake_aws_open(&fake);
	fake.settings.max_retries = 0;
	for (unsigned i = 0; i < 5; i++)
		fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_int_equal(value_in_log(&fake, "throttled"), 5);
	assert_in_range(value_in_log(&fake, "throttle_ms"), 1, 60000);
	assert_int_equal(value_in_log(&fake, "throttle_ms"), value_in_log(&fake, "wait_ms"));
	assert_int_equal(aws_client_throttles(fake.client), 5);

	struct aws_client *first = fake.client;
	assert_int_equal(aws_client_new(&fake.runtime, &fake.settings, &other, NULL), 0);
	fake.client = other;
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_int_equal(value_in_log(&fake, "attempts"), 1);
	assert_int_equal(value_in_log(&fake, "throttled"), 0);
	assert_in_range(value_in_log(&fake, "throttle_ms"), 1, 60000);
	/* one for credentials waits for nobody */
	assert_int_equal(aws_client_new_as(&fake.runtime, &fake.settings, &credentials, &own, NULL), 0);
	fake.client = own;
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_int_equal(value_in_log(&fake, "wait_ms"), 0);
	aws_client_free(own);
	/* a signal ends the wait for a turn, and nothing is sent */
	unsigned before = fake.n_requests;
	fake.client = other;
	cancel_raise(&fake.cancel, 15);
	assert_int_equal(call_plain(&fake, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_int_equal(fake.n_requests, before);
	fake.client = first;
	aws_client_free(other);
	fake_aws_close(&fake);
	unsetenv("AWS_CPI_STATE_DIR");
	tree_remove(&folder);
}

/* A bucket that gives nothing for long: the call goes out at its deadline, and ends. */
static void test_turns_end_at_the_deadline(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct tree folder;
	struct error err;

	tree_make(&folder);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", folder.root, 1), 0);
	fake_aws_open(&fake);
	fake.repeat_last = true;
	fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	assert_int_equal(call_plain(&fake, &err), -1);
	assert_string_equal(err.aws_code, "RequestLimitExceeded");
	assert_true(err.retryable);
	assert_true(fake.now_ms <= RETRY_DEADLINE_MS + 1000);
	fake_aws_close(&fake);
	unsetenv("AWS_CPI_STATE_DIR");
	tree_remove(&folder);
}

struct lookup {
	int answer;
	unsigned asked;
};

static int settle(void *self, struct error *err)
{
	struct lookup *lookup = self;

	lookup->asked++;
	if (lookup->answer < 0)
		return error_set(err, ERROR_AWS, "no lookup");
	return lookup->answer;
}

/* Where the credentials come from has had its attempts. And nothing was sent that could have taken effect. */
static void test_failing_credentials_are_not_retried_here(void **state)
{
	(void)state;
	static const struct fake_answer failures[] = {
		{ .way = FAKE_REFUSED },
		{ .status = 503, .body = "" },
		{ .status = 403, .body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>" },
		{ .status = 403, .body = "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>" },
	};
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct fake_aws fake;
		struct error err;
		struct lookup lookup = { .answer = 1 };
		struct aws_call call = { .settle = settle, .settle_self = &lookup };
		fake_aws_open(&fake);
		fake.settings.role_arn = "arn:aws:iam::123456789012:role/cpi";
		unsigned times = i < 2 ? fake.settings.max_retries + 1 : 1;
		for (unsigned n = 0; n < times; n++) {
			struct fake_answer answer = failures[i];
			answer.action = "AssumeRole";
			fake_aws_script(&fake, answer);
		}
		assert_int_equal(call_with(&fake, call, &err), -1);
		assert_int_equal(lookup.asked, 0);
		assert_int_equal(err.retryable, i < 2);
		assert_string_equal(err.aws_action, "AssumeRole");
		assert_non_null(strstr(err.message, "aws.role_arn: role arn:aws:iam::123456789012:role/cpi"));
		fake_aws_close(&fake);
	}
}

static void test_once(void **state)
{
	(void)state;
	struct fake_aws fake;

	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_REFUSED });
	assert_int_equal(call_with(&fake, (struct aws_call){ .once = true }, NULL), -1);
	fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	assert_int_equal(call_with(&fake, (struct aws_call){ .once = true }, NULL), -1);
	fake_aws_close(&fake);
}

static void test_retry_after_is_honoured(void **state)
{
	(void)state;
	struct fake_aws fake;

	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .status = 503, .body = "", .retry_after = "30" });
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_in_range(fake.times[1], 30000, 30010);
	fake_aws_close(&fake);
}

static void test_created_by_us_may_be_unknown_for_a_while(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;
	struct aws_call call = { .created_by_us = true };

	fake_aws_open(&fake);
	for (unsigned n = 0; n < 5; n++)
		fake_aws_script(&fake, error_answer(400, "InvalidVolume.NotFound", "not yet"));
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_with(&fake, call, NULL), 0);
	fake_aws_close(&fake);

	fake_aws_open(&fake);
	fake.repeat_last = true;
	fake_aws_script(&fake, error_answer(400, "InvalidVolume.NotFound", "never"));
	assert_int_equal(call_with(&fake, call, &err), -1);
	assert_string_equal(err.aws_code, "InvalidVolume.NotFound");
	assert_in_range(fake.now_ms, RETRY_NOT_FOUND_MS, RETRY_NOT_FOUND_MS + 10000);
	fake_aws_close(&fake);
}

static void test_clock_is_repaired_once(void **state)
{
	(void)state;
	static const char *const codes[] = { "RequestExpired", "RequestTimeTooSkewed", "AuthFailure",
					     "SignatureDoesNotMatch", "InvalidSignatureException" };
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct fake_aws fake;
		fake_aws_open(&fake);
		struct fake_answer skewed = error_answer(403, codes[i], "clock?");
		skewed.date = "Thu, 01 Jan 2026 01:00:00 GMT";
		fake_aws_script(&fake, skewed);
		fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
		assert_int_equal(call_plain(&fake, NULL), 0);
		assert_string_equal(fake.dates[0], "20260101T000000Z");
		assert_string_equal(fake.dates[1], "20260101T010000Z");
		/* remembered for the next call */
		fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
		assert_int_equal(call_plain(&fake, NULL), 0);
		assert_string_equal(fake.dates[2], "20260101T010000Z");
		fake_aws_close(&fake);
	}
}

static void test_clock_is_not_blamed_for_wrong_keys(void **state)
{
	(void)state;
	static const char *const dates[] = { NULL, "nonsense", "Thu, 01 Jan 2026 00:04:00 GMT",
					     "Wed, 31 Dec 2025 23:56:01 GMT" };

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		struct fake_aws fake;
		struct error err;
		fake_aws_open(&fake);
		struct fake_answer refused = error_answer(403, "SignatureDoesNotMatch", "wrong");
		refused.date = dates[i];
		fake_aws_script(&fake, refused);
		assert_int_equal(call_plain(&fake, &err), -1);
		assert_string_equal(err.aws_code, "SignatureDoesNotMatch");
		fake_aws_close(&fake);
	}
	/* a second refusal ends it, however far the clock seems off then */
	struct fake_aws fake;
	fake_aws_open(&fake);
	struct fake_answer skewed = error_answer(403, "AuthFailure", "wrong");
	skewed.date = "Thu, 01 Jan 2026 01:00:00 GMT";
	fake_aws_script(&fake, skewed);
	skewed.date = "Thu, 01 Jan 2026 03:00:00 GMT";
	fake_aws_script(&fake, skewed);
	assert_int_equal(call_plain(&fake, NULL), -1);
	fake_aws_close(&fake);
}

static void test_lost_answers_are_looked_up(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;
	struct lookup lookup = { .answer = 1 };
	struct aws_call call = { .settle = settle, .settle_self = &lookup };

	/* it took effect: no second call */
	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_CUT });
	assert_int_equal(call_with(&fake, call, &err), 1);
	assert_int_equal(lookup.asked, 1);
	fake_aws_close(&fake);

	/* it did not */
	lookup = (struct lookup){ .answer = 0 };
	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .status = 500, .body = "" });
	fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_with(&fake, call, &err), 0);
	assert_int_equal(lookup.asked, 2);
	fake_aws_close(&fake);

	/* also when there is no further attempt */
	lookup = (struct lookup){ .answer = 1 };
	fake_aws_open(&fake);
	fake.settings.max_retries = 0;
	fake_aws_script(&fake, (struct fake_answer){ .body = "<cut" });
	assert_int_equal(call_with(&fake, call, &err), 1);
	fake_aws_close(&fake);

	/* the lookup fails: then nothing is known, and nothing is made twice */
	lookup = (struct lookup){ .answer = -1 };
	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_CUT });
	assert_int_equal(call_with(&fake, call, &err), -1);
	assert_non_null(strstr(err.message, "no lookup"));
	assert_false(err.not_done);
	fake_aws_close(&fake);

	/* a refusal may be the answer to a repetition */
	call = (struct aws_call){ 0 };
	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_CUT });
	fake_aws_script(&fake, error_answer(400, "VolumeInUse", "no"));
	assert_int_equal(call_with(&fake, call, &err), -1);
	assert_false(err.not_done);
	fake_aws_close(&fake);
}

static void test_known_outcomes_are_not_looked_up(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;
	struct lookup lookup = { .answer = 1 };
	struct aws_call call = { .settle = settle, .settle_self = &lookup };

	fake_aws_open(&fake);
	fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	fake_aws_script(&fake, error_answer(400, "VolumeInUse", "no"));
	assert_int_equal(call_with(&fake, call, &err), -1);
	assert_int_equal(lookup.asked, 0);
	assert_true(err.not_done);
	fake_aws_close(&fake);

	/* a server's error, and no server's doubt */
	fake_aws_open(&fake);
	fake_aws_script(&fake, error_answer(500, "InsufficientInstanceCapacity", "none"));
	assert_int_equal(call_with(&fake, call, &err), -1);
	assert_true(err.not_done);
	fake_aws_close(&fake);
}

static void test_a_signal_ends_it(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;
	struct lookup lookup = { .answer = 1 };
	struct aws_call call = { .settle = settle, .settle_self = &lookup };

	fake_aws_open(&fake);
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_SIGNAL });
	assert_int_equal(call_with(&fake, call, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_int_equal(lookup.asked, 0);
	assert_false(err.not_done);
	fake_aws_close(&fake);

	/* and in the wait between two attempts */
	fake_aws_open(&fake);
	fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	cancel_raise(&fake.cancel, 15);
	assert_int_equal(call_with(&fake, call, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_true(err.not_done);
	fake_aws_close(&fake);
}

static void test_time_scale(void **state)
{
	(void)state;
	struct fake_aws fake;

	fake_aws_open(&fake);
	fake.clock.scale = 0.01;
	fake_aws_script(&fake, (struct fake_answer){ .status = 503, .body = "", .retry_after = "30" });
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_in_range(fake.times[1], 300, 310);
	fake_aws_close(&fake);
}

static void test_identity_and_endpoint(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(10000);
	struct fake_aws fake;
	const char *id;
	const char *source;
	const char *url;

	fake_aws_open(&fake);
	assert_int_equal(aws_client_identity(fake.client, &id, &source, NULL), 0);
	assert_string_equal(id, "AKIDEXAMPLE");
	assert_string_equal(source, "configuration");
	assert_int_equal(aws_client_endpoint(fake.client, "ec2", arena, &url, NULL), 0);
	assert_string_equal(url, "https://ec2.eu-west-1.amazonaws.com/");
	assert_ptr_equal(aws_client_runtime(fake.client), &fake.runtime);
	fake_aws_close(&fake);
}

static void test_credentials_that_run_out(void **state)
{
	(void)state;
	struct fake_aws fake;
	const char *first =
		"{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"secret-one\",\"Token\":\"t1\","
		"\"Expiration\":\"2026-01-01T01:00:00Z\"}";
	const char *second =
		"{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA2\",\"SecretAccessKey\":\"secret-two\",\"Token\":\"t2\","
		"\"Expiration\":\"2026-01-01T02:00:00Z\"}";
	const char *documents[] = { first, second, second };
	unsetenv("AWS_ACCESS_KEY_ID");

	fake_aws_open(&fake);
	fake.settings.credentials_source = "env_or_profile";
	for (unsigned i = 0; i < 3; i++) {
		fake_aws_script(&fake, (struct fake_answer){ .body = "token" });
		fake_aws_script(&fake, (struct fake_answer){ .body = "role" });
		fake_aws_script(&fake, (struct fake_answer){ .body = documents[i] });
		if (i == 1) /* refused although its time is not up: loaded anew and tried again */
			fake_aws_script(&fake, error_answer(400, "RequestExpired", "expired"));
		else
			fake_aws_script(&fake, (struct fake_answer){ .body = GOOD, .action = "DescribeVolumes" });
	}
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_non_null(strstr(fake.authorizations[3], "ASIA1/"));
	fake.now_ms = 56 * 60 * 1000;
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_non_null(strstr(fake.authorizations[7], "ASIA2/"));
	assert_non_null(strstr(fake.authorizations[11], "ASIA2/"));

	/* the source fails: what is still valid stays in use */
	fake.now_ms = 117 * 60 * 1000;
	fake_aws_script(&fake, (struct fake_answer){ .way = FAKE_REFUSED });
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD, .action = "DescribeVolumes" });
	assert_int_equal(call_plain(&fake, NULL), 0);
	fake_aws_close(&fake);
}

static void test_throttles_are_counted(void **state)
{
	(void)state;
	struct fake_aws fake;

	fake_aws_open(&fake);
	fake_aws_script(&fake, error_answer(503, "InternalError", "ill"));
	fake_aws_script(&fake, error_answer(503, "RequestLimitExceeded", "slower"));
	fake_aws_script(&fake, error_answer(400, "Throttling", "slower"));
	fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	assert_int_equal(aws_client_throttles(fake.client), 0);
	assert_int_equal(call_plain(&fake, NULL), 0);
	assert_int_equal(aws_client_throttles(fake.client), 2);
	fake_aws_close(&fake);
}

#define THREADS 8

/* The threads' attempts go in step: all first ones, then all second ones. */
struct together {
	struct fake_aws *fake;
	struct http_transport inner;
	struct gather gather;
};

static bool meet(struct together *together)
{
	return gather_meet(&together->gather, (gather_count(&together->gather) / THREADS + 1) * THREADS);
}

static int perform_together(void *self, const struct http_request *request, const struct cancel *cancel,
			    struct arena *arena, struct http_response *ret_response, struct error *err)
{
	struct together *together = self;

	if (!meet(together))
		return error_set(err, ERROR_INTERNAL, "the calls do not overlap");
	int result = together->inner.perform(together->inner.self, request, cancel, arena, ret_response, err);
	return meet(together) ? result : -1;
}

static int call_task(void *self, struct error *err)
{
	return call_plain(((struct together *)self)->fake, err);
}

static void call_from_threads(struct together *together, struct fake_aws *fake)
{
	struct parallel_task tasks[THREADS];
	struct error err = { 0 };

	*together = (struct together){ .fake = fake, .inner = fake->http, .gather = GATHER_INIT };
	fake->any_order = true;
	fake->http.perform = perform_together;
	fake->http.self = together;
	for (unsigned i = 0; i < THREADS; i++)
		tasks[i] = (struct parallel_task){ call_task, together };
	if (parallel_run(tasks, THREADS, &err) != 0)
		fail_msg("%s", err.message);
	fake->http = together->inner;
}

static void test_calls_of_several_threads(void **state)
{
	(void)state;
	struct together together;
	struct fake_aws fake;
	char text[32768];

	fake_aws_open(&fake);
	fake.settings.max_retries = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		struct fake_answer skewed = error_answer(403, "RequestExpired", "clock?");
		skewed.date = "Thu, 01 Jan 2026 01:00:00 GMT";
		fake_aws_script(&fake, skewed);
	}
	for (unsigned i = 0; i < THREADS; i++)
		fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
	/* each has heard that the clock is wrong, and each is heard with the right one */
	call_from_threads(&together, &fake);
	for (unsigned i = 0; i < 2 * THREADS; i++) {
		bool late = strncmp(fake.dates[i], "20260101T01", strlen("20260101T01")) == 0;
		assert_int_equal(late, i >= THREADS);
	}
	fake_aws_log(&fake, text, sizeof(text));
	const char *repaired = strstr(text, "clock is");
	assert_non_null(repaired);
	assert_null(strstr(repaired + 1, "clock is"));
	fake_aws_close(&fake);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (long n = 0; n < 60; n++) {
		struct fake_aws fake;
		struct error err = { 0 };
		fake_aws_open(&fake);
		fake.repeat_last = true;
		fake_aws_script(&fake, (struct fake_answer){ .body = GOOD });
		struct arena *arena CLEANUP_ARENA = arena_new(1000000);
		struct aws_call call = { .service = &service, .action = "DescribeVolumes" };
		const struct xml_node *root = NULL;
		assert_non_null(arena_alloc(arena, 10));
		fail_alloc_after(n);
		int result = aws_call(fake.client, &call, arena, &root, &err);
		bool failed = fail_alloc_off();
		if (result != 0)
			assert_true(failed && err.kind != ERROR_NONE);
		fake_aws_close(&fake);
		if (!failed)
			return;
	}
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_parameters_beyond_the_limit_are_not_sent_cut),
		cmocka_unit_test(test_the_log_line),
		cmocka_unit_test(test_what_is_not_declared_is_not_called),
		cmocka_unit_test(test_an_error_says_all),
		cmocka_unit_test(test_other_forms_of_errors),
		cmocka_unit_test(test_what_passes_is_repeated),
		cmocka_unit_test(test_what_does_not_pass_is_an_error),
		cmocka_unit_test(test_what_cannot_pass_is_not_repeated),
		cmocka_unit_test(test_throttling_has_its_own_budget),
		cmocka_unit_test(test_turns_are_shared),
		cmocka_unit_test(test_turns_end_at_the_deadline),
		cmocka_unit_test(test_failing_credentials_are_not_retried_here),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_retry_after_is_honoured),
		cmocka_unit_test(test_created_by_us_may_be_unknown_for_a_while),
		cmocka_unit_test(test_clock_is_repaired_once),
		cmocka_unit_test(test_clock_is_not_blamed_for_wrong_keys),
		cmocka_unit_test(test_lost_answers_are_looked_up),
		cmocka_unit_test(test_known_outcomes_are_not_looked_up),
		cmocka_unit_test(test_a_signal_ends_it),
		cmocka_unit_test(test_time_scale),
		cmocka_unit_test(test_identity_and_endpoint),
		cmocka_unit_test(test_credentials_that_run_out),
		cmocka_unit_test(test_throttles_are_counted),
		cmocka_unit_test(test_calls_of_several_threads),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
