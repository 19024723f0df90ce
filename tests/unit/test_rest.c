/* SPDX-License-Identifier: Apache-2.0 */
/* REST calls through the call loop: what is sent and signed, answers that the caller refuses, errors in JSON, and that each
 * thing the loop does for Query calls it does for these too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/digest.h"
#include "cpi/aws/retry.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fake_aws.h"
#include "tests/unit/tree.h"

static const struct aws_service service = { .name = "ebs", .version = "2019-11-02" };
static const struct http_header extra[] = { { "x-amz-Thing", "a  b" }, { "Content-Type", "text/plain" } };

static int begin(void **state)
{
	static struct fake_aws fake;

	fake_aws_open(&fake);
	*state = &fake;
	return 0;
}

static int end(void **state)
{
	fake_aws_close(*state);
	unsetenv("AWS_ENDPOINT_URL_EBS");
	unsetenv("AWS_CPI_STATE_DIR");
	return 0;
}

/* What a call made of the answers. */
struct reading {
	unsigned times;
	unsigned refusals; /* so many first ones fail */
	bool for_good;     /* and cannot pass */
	char body[64];
	char header[64];
};

static int read_answer(void *self, const struct http_response *response, struct error *err)
{
	struct reading *reading = self;
	const char *header = http_header_value(response, "X-THING");

	reading->times++;
	if (reading->refusals > 0) {
		reading->refusals--;
		error_set(err, ERROR_INVALID, "not what it should be");
		err->retryable = !reading->for_good;
		return -1;
	}
	snprintf(reading->body, sizeof(reading->body), "%s", response->body);
	snprintf(reading->header, sizeof(reading->header), "%s", header == NULL ? "" : header);
	return 0;
}

static int call_with(struct fake_aws *fake, struct aws_rest_call call, struct error *err)
{
	call.call.service = &service;
	call.call.action = "StartSnapshot";
	if (call.method == NULL)
		call.method = "PUT";
	if (call.path == NULL)
		call.path = "/things/1";
	return aws_call_rest(fake->client, &call, err);
}

static int call_plain(struct fake_aws *fake, struct error *err)
{
	return call_with(fake, (struct aws_rest_call){ .body = "body", .body_len = 4 }, err);
}

static struct fake_answer refusal(int status, const char *code, const char *body)
{
	return (struct fake_answer){ .status = status, .body = body, .header = { "x-amzn-errortype", code }, .request_id = "req-1" };
}

/* --- what is sent --- */

static void test_what_is_sent(void **state)
{
	struct fake_aws *fake = *state;
	struct reading reading = { 0 };

	fake_aws_script(fake, (struct fake_answer){ .status = 201, .body = "{}", .header = { "x-thing", "7" } });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .query = "a=b&c=d", .headers = extra, .n_headers = 2,
								 .body = "body", .body_len = 4, .read = read_answer,
								 .read_self = &reading }, NULL), 0);
	assert_non_null(strstr(fake->heads[0], "PUT https://ebs.eu-west-1.amazonaws.com/things/1?a=b&c=d\n"
					       "Host: ebs.eu-west-1.amazonaws.com\nUser-Agent: bosh-aws-cpi/"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Thing: a  b\nContent-Type: text/plain\nX-Amz-Date: 2026"));
	assert_null(strstr(fake->heads[0], "SHA256: "));
	assert_string_equal(fake->bodies[0], "body");
	assert_non_null(strstr(fake->authorizations[0], "/20260101/eu-west-1/ebs/aws4_request, "
							"SignedHeaders=content-type;host;x-amz-date;x-amz-thing, "));
	assert_string_equal(reading.body, "{}");
	assert_string_equal(reading.header, "7");
	/* a query is signed: the same call without one has another signature */
	fake_aws_script(fake, (struct fake_answer){ 0 });
	fake_aws_script(fake, (struct fake_answer){ 0 });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .query = "a=b" }, NULL), 0);
	assert_int_equal(call_with(fake, (struct aws_rest_call){ 0 }, NULL), 0);
	assert_string_not_equal(fake->authorizations[1], fake->authorizations[2]);
	/* nothing of it is wanted */
	fake_aws_script(fake, (struct fake_answer){ .status = 202, .body = "whatever" });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .method = "GET" }, NULL), 0);
	assert_string_equal(fake->bodies[3], "");
}

static void test_an_endpoint_with_a_path(void **state)
{
	struct fake_aws *fake = *state;
	static const char *const urls[] = { "http://127.0.0.1:5000/base/", "http://127.0.0.1:5000/base" };

	for (unsigned i = 0; i < 2; i++) {
		setenv("AWS_ENDPOINT_URL_EBS", urls[i], 1);
		fake_aws_script(fake, (struct fake_answer){ .action = "PUT http://127.0.0.1:5000/base/things/1\n" });
		assert_int_equal(call_plain(fake, NULL), 0);
	}
	/* and the path is signed as it is sent */
	assert_string_equal(fake->authorizations[0], fake->authorizations[1]);
	setenv("AWS_ENDPOINT_URL_EBS", "http://127.0.0.1:5000/other", 1);
	fake_aws_script(fake, (struct fake_answer){ 0 });
	assert_int_equal(call_plain(fake, NULL), 0);
	assert_string_not_equal(fake->authorizations[0], fake->authorizations[2]);
}

/* Over https by name, over http by its digest, which may be given. */
static void test_payloads(void **state)
{
	struct fake_aws *fake = *state;
	uint8_t sum[SHA256_LEN];
	uint8_t wrong[SHA256_LEN] = { 0 };
	struct aws_rest_call call = { .body = "body", .body_len = 4, .unsigned_payload = true };

	assert_int_equal(digest_sha256("body", 4, sum, NULL), 0);
	fake->repeat_last = true;
	fake_aws_script(fake, (struct fake_answer){ 0 });
	call.body_sha256 = wrong; /* not looked at */
	assert_int_equal(call_with(fake, call, NULL), 0);
	assert_non_null(strstr(fake->heads[0], "\nX-Amz-Content-SHA256: UNSIGNED-PAYLOAD\n"));
	assert_non_null(strstr(fake->authorizations[0], "host;x-amz-content-sha256;x-amz-date"));

	setenv("AWS_ENDPOINT_URL_EBS", "http://127.0.0.1:5000", 1);
	call.body_sha256 = NULL;
	assert_int_equal(call_with(fake, call, NULL), 0);
	assert_null(strstr(fake->heads[1], "UNSIGNED"));
	call.body_sha256 = sum;
	assert_int_equal(call_with(fake, call, NULL), 0);
	assert_string_equal(fake->authorizations[2], fake->authorizations[1]);
	call.body_sha256 = wrong;
	assert_int_equal(call_with(fake, call, NULL), 0);
	assert_string_not_equal(fake->authorizations[3], fake->authorizations[1]);
	/* a call that does not ask for it is signed over https too */
	unsetenv("AWS_ENDPOINT_URL_EBS");
	call.unsigned_payload = false;
	call.body_sha256 = sum;
	assert_int_equal(call_with(fake, call, NULL), 0);
	assert_null(strstr(fake->heads[4], "UNSIGNED"));
}

static void test_too_many_headers(void **state)
{
	struct fake_aws *fake = *state;
	const struct http_header many[8] = { { "a", "b" }, { "c", "d" }, { "e", "f" }, { "g", "h" },
					     { "i", "j" }, { "k", "l" }, { "m", "n" }, { "o", "p" } };
	struct error err;

	assert_int_equal(call_with(fake, (struct aws_rest_call){ .headers = many, .n_headers = 8 }, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	fake_aws_script(fake, (struct fake_answer){ 0 });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .headers = many, .n_headers = 7,
								 .unsigned_payload = true }, NULL), 0);
	assert_non_null(strstr(fake->heads[0], "\nm: n\n"));
}

/* --- what comes back --- */

static void test_answers_that_are_refused(void **state)
{
	struct fake_aws *fake = *state;
	struct reading reading = { .refusals = 2 };
	struct aws_rest_call call = { .read = read_answer, .read_self = &reading };
	struct error err;

	for (unsigned n = 0; n < 3; n++)
		fake_aws_script(fake, (struct fake_answer){ .body = "x" });
	assert_int_equal(call_with(fake, call, NULL), 0);
	assert_int_equal(reading.times, 3);
	reading = (struct reading){ .refusals = 3 };
	for (unsigned n = 0; n < 3; n++)
		fake_aws_script(fake, (struct fake_answer){ .body = "x" });
	assert_int_equal(call_with(fake, call, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_true(err.retryable);
	reading = (struct reading){ .refusals = 1, .for_good = true };
	fake_aws_script(fake, (struct fake_answer){ .body = "x" });
	assert_int_equal(call_with(fake, call, &err), -1);
	assert_int_equal(reading.times, 1);
}

/* Codes come in the header or the body, with more in front of or behind them; messages in either letters. */
static void test_forms_of_errors(void **state)
{
	struct fake_aws *fake = *state;
	static const struct {
		const char *header;
		const char *body;
		const char *code;
		const char *message;
	} rows[] = {
		{ "ValidationException", "{\"message\":\"no\"}", "ValidationException",
		  "StartSnapshot failed: no (AWS code ValidationException, request id req-1)" },
		{ "ValidationException:http://internal.amazon.com/coral/", "{\"Message\":\"no\"}", "ValidationException", "failed: no (" },
		{ "aws.ebs#ValidationException", "{}", "ValidationException", "AWS gives no message" },
		{ NULL, "{\"__type\":\"com.amazonaws.ebs#ValidationException\",\"message\":\"no\"}", "ValidationException", "no (" },
		{ NULL, "{\"__type\":\"ConflictException:http://x#y\",\"Message\":\"no\"}", "ConflictException", "no (" },
		{ NULL, "{\"code\":\"ConflictException\"}", "ConflictException", "AWS gives no message" },
		{ NULL, "{\"Code\":\"ConflictException\"}", "ConflictException", "AWS gives no message" },
		{ "", "{\"__type\":\"ConflictException\"}", "ConflictException", "AWS gives no message" },
		{ "ConflictException", "{\"__type\":\"OtherException\"}", "ConflictException", "AWS gives no message" },
		{ "ValidationException", "{\"Message\":\"no\",\"Reason\":\"INVALID_TAG\"}", "ValidationException",
		  "no (AWS code ValidationException, reason INVALID_TAG, request id req-1)" },
		{ "ValidationException", "", "ValidationException", "AWS gives no message" },
		{ "ValidationException", "{\"message\":", "ValidationException", "AWS gives no message" },
		{ NULL, "{\"message\":\"Forbidden\"}", "400", "HTTP status 400 without an AWS error" },
		{ NULL, "{\"__type\":7}", "400", "HTTP status 400" },
		{ NULL, "{\"__type\":\"#\"}", "400", "HTTP status 400" },
		{ NULL, "[]", "400", "HTTP status 400" },
		{ NULL, "<Response><Errors><Error><Code>Blocked</Code></Error></Errors></Response>", "Blocked", "AWS code Blocked" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_answer answer = refusal(400, rows[i].header, rows[i].body);
		struct error err = { 0 };
		if (rows[i].header == NULL)
			answer.header = (struct http_header){ NULL, NULL };
		fake_aws_script(fake, answer);
		assert_int_equal(call_plain(fake, &err), -1);
		assert_int_equal(err.kind, ERROR_AWS);
		assert_int_equal(err.http_status, 400);
		assert_string_equal(err.aws_code, rows[i].code);
		assert_string_equal(err.aws_request_id, "req-1");
		assert_string_equal(err.aws_action, "StartSnapshot");
		if (strstr(err.message, rows[i].message) == NULL)
			fail_msg("row %zu: %s", i, err.message);
	}
}

/* Each thing that passes, and then that it does not. */
static void test_what_passes_is_repeated(void **state)
{
	struct fake_aws *fake = *state;
	const struct fake_answer rows[] = {
		{ .way = FAKE_REFUSED },
		{ .way = FAKE_CUT },
		{ .way = FAKE_HANG },
		{ .status = 502, .body = "<html>bad gateway" },
		{ .status = 500, .body = "" },
		refusal(500, "InternalServerException", "{}"),
		refusal(400, "ValidationException", "{\"Message\":\"Failed to read block data\"}"),
		refusal(400, "ValidationException", "{\"Reason\":\"CONFLICTING_BLOCK_UPDATE\"}"),
		refusal(400, "ValidationException", "{\"Reason\":\"WRITE_REQUEST_TIMEOUT\"}"),
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { 0 };
		for (unsigned n = 0; n < 2; n++)
			fake_aws_script(fake, rows[i]);
		fake_aws_script(fake, (struct fake_answer){ 0 });
		if (call_plain(fake, &err) != 0)
			fail_msg("row %zu: %s", i, err.message);
		for (unsigned n = 0; n < 3; n++)
			fake_aws_script(fake, rows[i]);
		assert_int_equal(call_plain(fake, &err), -1);
		assert_true(err.retryable);
	}
}

static void test_what_does_not_pass_is_not(void **state)
{
	struct fake_aws *fake = *state;
	const struct fake_answer rows[] = {
		refusal(403, "AccessDeniedException", "{\"Reason\":\"DEPENDENCY_ACCESS_DENIED\"}"),
		refusal(402, "ServiceQuotaExceededException", "{}"),
		refusal(409, "ConflictException", "{\"Message\":\"Failed to read block data\"}"),
		refusal(400, "ValidationException", "{\"Reason\":\"INVALID_CUSTOMER_KEY\"}"),
		refusal(404, "ResourceNotFoundException", "{}"),
		refusal(403, "InvalidSignatureException", "{}"),
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err;
		fake_aws_script(fake, rows[i]);
		assert_int_equal(call_plain(fake, &err), -1);
		assert_false(err.retryable);
		assert_true(err.not_done);
	}
}

static void test_throttling(void **state)
{
	struct fake_aws *fake = *state;
	static const char *const codes[] = { "RequestThrottledException", "RequestThrottleException", "ThrottlingException",
					     "ConcurrentLimitExceededException", "TooManyRequestsException" };
	unsigned throttled = 99;
	struct aws_rest_call call = { .call = { .ret_throttled = &throttled } };
	struct error err;

	fake->settings.max_retries = 0;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		fake_aws_script(fake, refusal(400, codes[i], "{}"));
	fake_aws_script(fake, (struct fake_answer){ 0 });
	assert_int_equal(call_with(fake, call, NULL), 0);
	assert_int_equal(throttled, 5);
	assert_int_equal(aws_client_throttles(fake->client), 5);
	/* told also by a call that fails */
	fake_aws_script(fake, refusal(400, codes[0], "{}"));
	fake_aws_script(fake, refusal(409, "ConflictException", "{}"));
	assert_int_equal(call_with(fake, call, &err), -1);
	assert_int_equal(throttled, 1);
}

/* Other processes wait for the turn that this one has learnt of. */
static void test_turns_are_shared(void **state)
{
	struct fake_aws *fake = *state;
	struct aws_client *first = fake->client;
	struct aws_client *other;
	struct tree folder;

	tree_make(&folder);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", folder.root, 1), 0);
	assert_int_equal(aws_client_new(&fake->runtime, &fake->settings, &fake->client, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		fake_aws_script(fake, refusal(400, "RequestThrottledException", "{}"));
	fake_aws_script(fake, (struct fake_answer){ 0 });
	assert_int_equal(call_plain(fake, NULL), 0);
	assert_int_equal(aws_client_new(&fake->runtime, &fake->settings, &other, NULL), 0);
	aws_client_free(fake->client);
	fake->client = other;
	int64_t before = fake->now_ms;
	fake_aws_script(fake, (struct fake_answer){ 0 });
	assert_int_equal(call_plain(fake, NULL), 0);
	assert_true(fake->now_ms - before > 1);
	aws_client_free(other);
	fake->client = first;
	tree_remove(&folder);
}

static void test_unknown_for_a_while(void **state)
{
	struct fake_aws *fake = *state;
	const int64_t limits[] = { 0, 5000, 130000 };
	struct error err;

	fake->repeat_last = true;
	fake_aws_script(fake, refusal(404, "ResourceNotFoundException", "{}"));
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int64_t limit = limits[i] == 0 ? RETRY_NOT_FOUND_MS : limits[i];
		int64_t before = fake->now_ms;
		const struct aws_rest_call call = { .call = { .created_by_us = true, .unknown_ms = limits[i] } };
		assert_int_equal(call_with(fake, call, &err), -1);
		assert_in_range(fake->now_ms - before, limit, limit + limit / 6);
		assert_string_equal(err.aws_code, "ResourceNotFoundException");
	}
}

static void test_clock_and_session_are_repaired(void **state)
{
	struct fake_aws *fake = *state;
	struct fake_answer skewed = refusal(403, "InvalidSignatureException", "{\"message\":\"expired\"}");

	skewed.date = "Thu, 01 Jan 2026 01:00:00 GMT";
	fake_aws_script(fake, skewed);
	fake_aws_script(fake, (struct fake_answer){ 0 });
	assert_int_equal(call_plain(fake, NULL), 0);
	assert_string_equal(fake->dates[0], "20260101T000000Z");
	assert_string_equal(fake->dates[1], "20260101T010000Z");
}

static int say_yes(void *self, struct error *err)
{
	(void)err;
	++*(unsigned *)self;
	return 1;
}

static void test_once_and_settled(void **state)
{
	struct fake_aws *fake = *state;
	struct reading reading = { 0 };
	unsigned asked = 0;
	struct error err;

	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_CUT });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .call = { .once = true } }, &err), -1);
	assert_int_equal(err.kind, ERROR_NETWORK);
	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_CUT });
	const struct aws_rest_call call = { .call = { .settle = say_yes, .settle_self = &asked }, .read = read_answer,
					    .read_self = &reading };
	assert_int_equal(call_with(fake, call, &err), 0);
	assert_int_equal(asked, 1);
	assert_int_equal(reading.times, 0);
}

static void test_the_log_line(void **state)
{
	struct fake_aws *fake = *state;
	char text[8192];

	fake->log.level = LOG_LEVEL_INFO;
	fake_aws_script(fake, (struct fake_answer){ .status = 201, .request_id = "req-9" });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .call = { .purpose = "thing" } }, NULL), 0);
	fake_aws_log(fake, text, sizeof(text));
	assert_non_null(strstr(text, "aws-call action=StartSnapshot start=2026-01-01T00:00:00.000Z duration_ms=1 attempts=1 wait_ms=0 "
				     "status=201 aws_request_id=req-9 for=\"thing\"\n"));
	/* a quiet one that fails at once is as loud as others */
	fake_aws_script(fake, refusal(409, "ConflictException", "{}"));
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .call = { .quiet = true } }, NULL), -1);
	fake_aws_log(fake, text, sizeof(text));
	assert_non_null(strstr(text, " attempts=1 wait_ms=0 status=409 aws_request_id=req-1 code=ConflictException "));
}

static void test_a_long_time_out(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_HANG });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .call = { .once = true } }, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_int_equal(fake->now_ms, 60001);
	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_HANG });
	assert_int_equal(call_with(fake, (struct aws_rest_call){ .call = { .once = true }, .timeout_ms = 300000 }, &err), -1);
	assert_int_equal(fake->now_ms, 360002);
}

static void test_a_signal_ends_it(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	fake_aws_script(fake, (struct fake_answer){ .way = FAKE_SIGNAL });
	assert_int_equal(call_plain(fake, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (long n = 0; n < 60; n++) {
		struct fake_aws fake;
		struct error err = { 0 };
		fake_aws_open(&fake);
		fake.repeat_last = true;
		fake_aws_script(&fake, refusal(409, "ConflictException", "{\"message\":\"no\"}"));
		fail_alloc_after(n);
		assert_int_equal(call_with(&fake, (struct aws_rest_call){ .headers = extra, .n_headers = 2 }, &err), -1);
		bool failed = fail_alloc_off();
		assert_int_not_equal(err.kind, ERROR_NONE);
		fake_aws_close(&fake);
		if (!failed)
			return;
	}
	fail();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_sent),
		TEST(test_an_endpoint_with_a_path),
		TEST(test_payloads),
		TEST(test_too_many_headers),
		TEST(test_answers_that_are_refused),
		TEST(test_forms_of_errors),
		TEST(test_what_passes_is_repeated),
		TEST(test_what_does_not_pass_is_not),
		TEST(test_throttling),
		TEST(test_turns_are_shared),
		TEST(test_unknown_for_a_while),
		TEST(test_clock_and_session_are_repaired),
		TEST(test_once_and_settled),
		TEST(test_the_log_line),
		TEST(test_a_long_time_out),
		TEST(test_a_signal_ends_it),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
