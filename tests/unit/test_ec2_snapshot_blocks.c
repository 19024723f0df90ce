/* SPDX-License-Identifier: Apache-2.0 */
/* The EBS direct calls: what is sent and read, what is refused before it is sent, lost answers, denials and quotas in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_read.h"
#include "common/parallel.h"
#include "cpi/ec2/snapshot_blocks.h"
#include "tests/unit/fake_aws.h"

#define SNAPSHOT "snap-1234567890abcdef0"
#define KEY "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define START "POST https://ebs.eu-west-1.amazonaws.com/snapshots\n"
#define PUT "PUT https://ebs.eu-west-1.amazonaws.com/snapshots/" SNAPSHOT "/blocks/"
#define COMPLETE "POST https://ebs.eu-west-1.amazonaws.com/snapshots/completion/" SNAPSHOT "\n"
/* sha256 and base64 of 524288 zero bytes, by sha256sum and base64 */
#define ZEROS_SHA256 "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE="

static const uint8_t zeros[SNAPSHOT_BLOCK_SIZE];
static const struct http_header stored = { "x-amz-checksum", ZEROS_SHA256 };

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
	return 0;
}

static void say(struct fake_aws *fake, const char *action, int status, const char *body)
{
	fake_aws_script(fake, (struct fake_answer){ .action = action, .status = status, .body = body });
}

static void lose(struct fake_aws *fake, const char *action)
{
	fake_aws_script(fake, (struct fake_answer){ .action = action, .way = FAKE_CUT });
}

/* An error in the form of EBS: its code in the header. */
static void refuse(struct fake_aws *fake, const char *action, int status, const char *code, const char *body)
{
	fake_aws_script(fake, (struct fake_answer){
				      .action = action,
				      .status = status,
				      .body = body,
				      .header = { "x-amzn-ErrorType", code },
				      .request_id = "req-1",
			      });
}

static void describe(struct fake_aws *fake, const char *state)
{
	static char texts[8][512];
	static unsigned n_texts;
	char *text = texts[n_texts++ % 8];

	snprintf(text, sizeof(texts[0]),
		 "<DescribeSnapshotsResponse><snapshotSet><item><snapshotId>" SNAPSHOT "</snapshotId><status>%s</status>"
		 "<statusMessage>why</statusMessage><volumeSize>1</volumeSize></item></snapshotSet>"
		 "</DescribeSnapshotsResponse>",
		 state);
	say(fake, "DescribeSnapshots", 200, text);
}

static const struct snapshot_start_request plain = {
	.size_gib = 3,
	.client_token = "token-1",
	.timeout_minutes = 60,
};

static int start(struct fake_aws *fake, const struct snapshot_start_request *request, struct arena *arena,
		 struct started_snapshot *ret_started, struct error *err)
{
	return snapshot_start(&fake->ec2, arena, request, ret_started, err);
}

/* --- starting --- */

static void test_start(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct ec2_tag tags[] = { { "Name", "a \"b\"" }, { "aws-cpi-request", "d/r/1" } };
	struct snapshot_start_request request = plain;
	struct started_snapshot started;

	say(fake, START, 201, "{\"SnapshotId\":\"" SNAPSHOT "\",\"Status\":\"pending\",\"VolumeSize\":3,\"BlockSize\":524288}");
	assert_int_equal(start(fake, &request, arena, &started, NULL), 0);
	assert_string_equal(started.id, SNAPSHOT);
	assert_false(started.encrypted);
	/* no Encrypted: AWS refuses false where the account encrypts by default */
	assert_string_equal(fake->bodies[0], "{\"VolumeSize\":3,\"ClientToken\":\"token-1\",\"Timeout\":60}");
	assert_non_null(strstr(fake->heads[0], "\nContent-Type: application/json\n"));
	assert_non_null(strstr(fake->authorizations[0], "/eu-west-1/ebs/aws4_request, SignedHeaders=content-type;host;x-amz-date,"));

	request.description = "stemcell";
	request.tags = (struct ec2_tags){ tags, 2 };
	request.encrypted = true;
	request.kms_key_arn = KEY;
	say(fake, START, 201, "{\"SnapshotId\":\"" SNAPSHOT "\",\"KmsKeyArn\":\"" KEY "\"}");
	assert_int_equal(start(fake, &request, arena, &started, NULL), 0);
	assert_true(started.encrypted);
	assert_string_equal(fake->bodies[1],
			    "{\"VolumeSize\":3,\"ClientToken\":\"token-1\",\"Description\":\"stemcell\",\"Tags\":["
			    "{\"Key\":\"Name\",\"Value\":\"a \\\"b\\\"\"},{\"Key\":\"aws-cpi-request\",\"Value\":\"d/r/1\"}],"
			    "\"Encrypted\":true,\"KmsKeyArn\":\"" KEY "\",\"Timeout\":60}");
}

static void test_whether_it_is_encrypted(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const struct {
		const char *members;
		bool encrypted;
	} rows[] = {
		{ "", false },
		{ ",\"KmsKeyArn\":\"" KEY "\"", true },
		{ ",\"KmsKeyArn\":\"\"", false },
		{ ",\"KmsKeyArn\":null", false },
		{ ",\"SseType\":\"sse-kms\"", true },
		{ ",\"SseType\":\"sse-ebs\"", true },
		{ ",\"SseType\":\"none\"", false },
	};
	char body[sizeof(rows) / sizeof(rows[0])][256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct started_snapshot started;
		snprintf(body[i], sizeof(body[i]), "{\"SnapshotId\":\"" SNAPSHOT "\"%s}", rows[i].members);
		say(fake, START, 201, body[i]);
		assert_int_equal(start(fake, &plain, arena, &started, NULL), 0);
		assert_int_equal(started.encrypted, rows[i].encrypted);
	}
}

static void test_start_again_with_the_same_token(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct started_snapshot started;
	struct error err;

	lose(fake, START);
	refuse(fake, START, 500, "InternalServerException", "{}");
	say(fake, START, 201, "{\"SnapshotId\":\"" SNAPSHOT "\"}");
	assert_int_equal(start(fake, &plain, arena, &started, NULL), 0);
	assert_string_equal(fake->bodies[0], fake->bodies[1]);
	assert_string_equal(fake->bodies[0], fake->bodies[2]);
	assert_non_null(strstr(fake->bodies[0], "\"ClientToken\":\"token-1\""));

	refuse(fake, START, 409, "ConflictException", "{\"Message\":\"other parameters\"}");
	assert_int_equal(start(fake, &plain, arena, &started, &err), -1);
	assert_string_equal(err.aws_code, "ConflictException");
	assert_non_null(strstr(err.message, "the client token token-1 has been used for a snapshot with other parameters: "
					    "StartSnapshot failed: other parameters"));
	assert_false(err.retryable);
}

/* What is no id of a snapshot goes into no path; pages of proxies are tried again. */
static void test_answers_that_are_not_ebs(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const char *const bodies[] = {
		"",
		"<html>welcome</html>",
		"{}",
		"[]",
		"{\"SnapshotId\":7}",
		"{\"SnapshotId\":\"snap-\"}",
		"{\"SnapshotId\":\"snap-1234/../../x\"}",
		"{\"SnapshotId\":\"snap-12G4\"}",
		"{\"SnapshotId\":\"vol-1234\"}",
		"{\"SnapshotId\":\"snap-12\\u00003\"}",
		"{\"SnapshotId\":\"snap-0000000000000000000000000000000000000000000000000000000000000000\"}",
		"{\"SnapshotId\":\"snap-1234\"",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct started_snapshot started;
		struct error err;
		for (unsigned n = 0; n < 3; n++)
			say(fake, START, 201, bodies[i]);
		if (start(fake, &plain, arena, &started, &err) != -1)
			fail_msg("taken: %s", bodies[i]);
		assert_int_equal(err.kind, ERROR_INVALID);
		assert_true(err.retryable);
		assert_non_null(strstr(err.message, "proxies"));
	}
}

static void test_keys(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const char *const good[] = {
		KEY,
		"arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
		"arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	};
	static const char *const bad[] = {
		"",
		"alias/mine",
		"1234abcd-12ab-34cd-56ef-1234567890ab",
		"mrk-1234abcd12ab34cd56ef1234567890ab",
		"arn:aws:kms:eu-west-1:111122223333:alias/mine",
		"arn:aws:kms:eu-west-1:111122223333:key/",
		"arn:aws:kms:eu-west-1:111122223333:key",
		"arn:aws:kms:eu-west-1:111122223333",
		"arn:aws:kms:eu-west-1:1111222233:key/1234",
		"arn:aws:kms:eu-west-1:11112222333x:key/1234",
		"arn:aws:kms::111122223333:key/1234",
		"arn:aws:ec2:eu-west-1:111122223333:key/1234",
		"arn:other:kms:eu-west-1:111122223333:key/1234",
		"arn:aws:kms:eu-west-1:111122223333:key/1234:more",
		"arn:aws:kms:eu-west-1:111122223333:key/12/34",
	};
	struct snapshot_start_request request = plain;
	struct started_snapshot started;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		request.kms_key_arn = good[i];
		say(fake, START, 201, "{\"SnapshotId\":\"" SNAPSHOT "\"}");
		assert_int_equal(start(fake, &request, arena, &started, NULL), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err;
		request.kms_key_arn = bad[i];
		if (start(fake, &request, arena, &started, &err) != -1)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_non_null(strstr(err.message, "aws kms describe-key"));
		assert_non_null(strstr(err.message, bad[i]));
	}
}

static void test_start_needs_a_token(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct snapshot_start_request request = plain;
	struct started_snapshot started;
	struct error err;

	request.client_token = NULL;
	assert_int_equal(start(fake, &request, arena, &started, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
}

static void test_quota(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct started_snapshot started;
	struct error err;

	refuse(fake, START, 402, "ServiceQuotaExceededException", "{\"Message\":\"too many\",\"Reason\":\"DEPENDENCY_SERVICE_QUOTA_EXCEEDED\"}");
	assert_int_equal(start(fake, &plain, arena, &started, &err), -1);
	assert_non_null(strstr(err.message, "`cpi sweep`"));
	assert_non_null(strstr(err.message, "too many (AWS code ServiceQuotaExceededException, reason "
					    "DEPENDENCY_SERVICE_QUOTA_EXCEEDED, request id req-1)"));
	assert_false(err.retryable);
}

/* --- denials --- */

static int put(struct fake_aws *fake, int64_t unknown_ms, struct snapshot_put *ret_put, struct error *err)
{
	uint8_t sum[SHA256_LEN];

	assert_int_equal(digest_sha256(zeros, sizeof(zeros), sum, NULL), 0);
	const struct snapshot_block block = {
		.snapshot_id = SNAPSHOT,
		.index = 5,
		.data = zeros,
		.sha256 = sum,
		.percent = 42,
		.unknown_ms = unknown_ms,
	};
	return snapshot_put_block(&fake->ec2, &block, ret_put, err);
}

static int complete(struct fake_aws *fake, struct error *err)
{
	const uint8_t sum[SHA256_LEN] = { 1, 2, 3 };

	return snapshot_complete(&fake->ec2, SNAPSHOT, 7, sum, err);
}

#define DENIED "{\"Message\":\"User: arn:aws:iam::1:user/x is not authorized\"}"
#define KEY_DENIED "{\"Message\":\"no\",\"Reason\":\"DEPENDENCY_ACCESS_DENIED\"}"

static void expect_denial(const struct error *err, const char *beginning)
{
	if (strncmp(err->message, beginning, strlen(beginning)) != 0)
		fail_msg("%s", err->message);
	assert_string_equal(err->aws_code, "AccessDeniedException");
	assert_string_equal(err->aws_request_id, "req-1");
	assert_int_equal(err->http_status, 403);
	assert_false(err->retryable);
}

static void test_denials_name_the_permission(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct ec2_tag tag = { "k", "v" };
	struct snapshot_start_request request = plain;
	struct started_snapshot started;
	struct snapshot_put done;
	struct error err;

	refuse(fake, START, 403, "AccessDeniedException", DENIED);
	assert_int_equal(start(fake, &request, arena, &started, &err), -1);
	expect_denial(&err, "allow ebs:StartSnapshot: StartSnapshot failed: User: arn:aws:iam::1:user/x is");
	request.tags = (struct ec2_tags){ &tag, 1 };
	request.kms_key_arn = KEY;
	refuse(fake, START, 403, "AccessDeniedException", DENIED);
	assert_int_equal(start(fake, &request, arena, &started, &err), -1);
	expect_denial(&err, "allow ebs:StartSnapshot and ec2:CreateTags, and kms:CreateGrant, kms:Decrypt");
	refuse(fake, PUT, 403, "AccessDeniedException", DENIED);
	assert_int_equal(put(fake, 1000, &done, &err), -1);
	expect_denial(&err, "allow ebs:PutSnapshotBlock: PutSnapshotBlock failed: User");
	refuse(fake, PUT, 403, "AccessDeniedException", KEY_DENIED);
	assert_int_equal(put(fake, 1000, &done, &err), -1);
	expect_denial(&err, "allow kms:CreateGrant");
	refuse(fake, COMPLETE, 403, "AccessDeniedException", DENIED);
	assert_int_equal(complete(fake, &err), -1);
	expect_denial(&err, "allow ebs:CompleteSnapshot: CompleteSnapshot failed: User");
	/* not even after a lost answer is that looked into: no look would make it right */
	lose(fake, COMPLETE);
	describe(fake, "pending");
	refuse(fake, COMPLETE, 403, "AccessDeniedException", DENIED);
	describe(fake, "pending");
	assert_int_equal(complete(fake, &err), -1);
	expect_denial(&err, "allow ebs:CompleteSnapshot");
}

/* --- blocks --- */

static void stores(struct fake_aws *fake)
{
	fake_aws_script(fake, (struct fake_answer){ .action = PUT, .status = 201, .header = stored });
}

static void test_put(void **state)
{
	struct fake_aws *fake = *state;
	struct snapshot_put done = { 99 };

	stores(fake);
	assert_int_equal(put(fake, 0, &done, NULL), 0);
	assert_int_equal(done.throttled, 0);
	assert_int_equal(fake->body_lens[0], 524288);
	assert_non_null(strstr(fake->heads[0], PUT "5\n"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Data-Length: 524288\n"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Progress: 42\n"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Checksum: " ZEROS_SHA256 "\n"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Checksum-Algorithm: SHA256\n"));
	assert_non_null(strstr(fake->heads[0], "\nX-Amz-Content-SHA256: UNSIGNED-PAYLOAD\n"));
	assert_non_null(strstr(fake->authorizations[0],
			       "SignedHeaders=content-type;host;x-amz-checksum;x-amz-checksum-algorithm;"
			       "x-amz-content-sha256;x-amz-data-length;x-amz-date;x-amz-progress,"));
}

static void test_put_looks_at_the_checksum(void **state)
{
	struct fake_aws *fake = *state;
	const struct fake_answer other = { .action = PUT, .status = 201, .header = { "x-amz-Checksum", "b3RoZXI=" } };
	struct snapshot_put done;
	struct error err;

	/* another one, or none: a proxy's page */
	fake_aws_script(fake, other);
	say(fake, PUT, 200, "<html/>");
	stores(fake);
	assert_int_equal(put(fake, 0, &done, NULL), 0);

	for (unsigned n = 0; n < 3; n++)
		fake_aws_script(fake, other);
	assert_int_equal(put(fake, 0, &done, &err), -1);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_true(err.retryable);
	assert_non_null(strstr(err.message, "checksum b3RoZXI=, not " ZEROS_SHA256));

	for (unsigned n = 0; n < 3; n++)
		say(fake, PUT, 200, "<html/>");
	assert_int_equal(put(fake, 0, &done, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
}

static void test_put_while_aws_does_not_know_it_yet(void **state)
{
	struct fake_aws *fake = *state;
	struct snapshot_put done;
	struct error err;
	int64_t before;

	refuse(fake, PUT, 404, "ResourceNotFoundException", "{\"Message\":\"does not exist\"}");
	assert_int_equal(put(fake, 0, &done, &err), -1);
	assert_true(ec2_is_not_found(&err));
	assert_false(err.retryable);

	refuse(fake, PUT, 404, "ResourceNotFoundException", "{\"Message\":\"does not exist\"}");
	refuse(fake, PUT, 404, "ResourceNotFoundException", "{\"Message\":\"does not exist\"}");
	stores(fake);
	assert_int_equal(put(fake, SNAPSHOT_UNKNOWN_MS, &done, NULL), 0);

	fake->repeat_last = true;
	before = fake->now_ms;
	refuse(fake, PUT, 404, "ResourceNotFoundException", "{\"Message\":\"does not exist\"}");
	assert_int_equal(put(fake, SNAPSHOT_UNKNOWN_MS, &done, &err), -1);
	assert_string_equal(err.aws_code, "ResourceNotFoundException");
	assert_in_range(fake->now_ms - before, SNAPSHOT_UNKNOWN_MS, SNAPSHOT_UNKNOWN_MS + 20000);
}

/* What passes, by code, message or reason. */
static void test_put_again(void **state)
{
	struct fake_aws *fake = *state;
	static const struct {
		int status;
		const char *code;
		const char *body;
		unsigned throttled;
	} rows[] = {
		{ 400, "RequestThrottledException", "{\"Reason\":\"ACCOUNT_THROTTLED\"}", 1 },
		{ 400, "ThrottlingException:http://internal.amazon.com/", "{\"message\":\"slow\"}", 1 },
		{ 400, "ConcurrentLimitExceededException", "{}", 1 },
		{ 500, "InternalServerException", "{}", 0 },
		{ 503, "ServiceUnavailable", "", 0 },
		{ 400, "ValidationException", "{\"Message\":\"Failed to read block data\",\"Reason\":\"INVALID_PARAMETER_VALUE\"}", 0 },
		{ 400, "ValidationException", "{\"Message\":\"busy\",\"Reason\":\"CONFLICTING_BLOCK_UPDATE\"}", 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snapshot_put done;
		struct error err = { 0 };
		refuse(fake, PUT, rows[i].status, rows[i].code, rows[i].body);
		stores(fake);
		if (put(fake, 0, &done, &err) != 0)
			fail_msg("%s: %s", rows[i].code, err.message);
		assert_int_equal(done.throttled, rows[i].throttled);
	}
	struct snapshot_put done;
	struct error err;
	refuse(fake, PUT, 400, "ValidationException", "{\"Message\":\"bad\",\"Reason\":\"INVALID_BLOCK\"}");
	assert_int_equal(put(fake, 1000, &done, &err), -1);
	assert_string_equal(err.aws_code, "ValidationException");
}

static void test_ids_from_outside(void **state)
{
	struct fake_aws *fake = *state;
	const uint8_t sum[SHA256_LEN] = { 0 };
	const struct snapshot_block block = { .snapshot_id = "snap-1/../x", .data = zeros, .sha256 = sum };
	struct snapshot_put done;
	struct error err;

	assert_int_equal(snapshot_put_block(&fake->ec2, &block, &done, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	assert_int_equal(snapshot_complete(&fake->ec2, "", 1, sum, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
}

/* A line in the log is for what is worth a look. */
static void test_quiet(void **state)
{
	struct fake_aws *fake = *state;
	char text[8192];
	struct snapshot_put done;

	fake->log.level = LOG_LEVEL_INFO;
	stores(fake);
	assert_int_equal(put(fake, 0, &done, NULL), 0);
	fake_aws_log(fake, text, sizeof(text));
	assert_string_equal(text, "");
	lose(fake, PUT);
	stores(fake);
	assert_int_equal(put(fake, 0, &done, NULL), 0);
	fake_aws_log(fake, text, sizeof(text));
	assert_non_null(strstr(text, "aws-call action=PutSnapshotBlock "));
	assert_non_null(strstr(text, " attempts=2 "));
	assert_non_null(strstr(text, " for=\"block 5 of snapshot " SNAPSHOT "\""));
	fake->log.level = LOG_LEVEL_DEBUG;
	stores(fake);
	assert_int_equal(put(fake, 0, &done, NULL), 0);
	fake_aws_log(fake, text, sizeof(text));
	assert_non_null(strstr(text, " attempts=1 "));
}

struct putter {
	struct fake_aws *fake;
	bool done;
};

static int put_one(void *self, struct error *err)
{
	struct putter *putter = self;
	struct snapshot_put done;

	putter->done = put(putter->fake, 0, &done, err) == 0;
	return putter->done ? 0 : -1;
}

static void test_many_at_once(void **state)
{
	struct fake_aws *fake = *state;
	struct putter putters[16];
	struct parallel_task jobs[16];

	fake->any_order = true;
	for (unsigned i = 0; i < 16; i++) {
		stores(fake);
		putters[i] = (struct putter){ .fake = fake };
		jobs[i] = (struct parallel_task){ .run = put_one, .self = &putters[i] };
	}
	assert_int_equal(parallel_run(jobs, 16, NULL), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_true(putters[i].done);
}

/* --- completing --- */

static void test_complete(void **state)
{
	struct fake_aws *fake = *state;

	say(fake, COMPLETE, 202, "{\"Status\":\"pending\"}");
	assert_int_equal(complete(fake, NULL), 0);
	assert_non_null(strstr(fake->heads[0], "\nx-amz-ChangedBlocksCount: 7\n"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Checksum: AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Checksum-Algorithm: SHA256\n"));
	assert_non_null(strstr(fake->heads[0], "\nx-amz-Checksum-Aggregation-Method: LINEAR\n"));
	assert_int_equal(fake->body_lens[0], 0);
}

static void test_complete_whose_answer_was_lost(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	/* it had been done */
	lose(fake, COMPLETE);
	describe(fake, "completed");
	assert_int_equal(complete(fake, NULL), 0);
	/* it had not, or EC2 cannot tell, or does not know the snapshot yet: AWS takes it again */
	lose(fake, COMPLETE);
	describe(fake, "pending");
	refuse(fake, COMPLETE, 500, "InternalServerException", "{}");
	say(fake, "DescribeSnapshots", 403, fake_aws_error("UnauthorizedOperation", "no"));
	say(fake, COMPLETE, 202, "{\"Status\":\"completed\"}");
	assert_int_equal(complete(fake, NULL), 0);
	lose(fake, COMPLETE);
	say(fake, "DescribeSnapshots", 400, fake_aws_error("InvalidSnapshot.NotFound", "no"));
	say(fake, COMPLETE, 202, "{\"Status\":\"completed\"}");
	assert_int_equal(complete(fake, NULL), 0);
	/* it had, and AWS refuses another one while it is still at it */
	lose(fake, COMPLETE);
	describe(fake, "pending");
	refuse(fake, COMPLETE, 400, "ValidationException", "{\"Message\":\"not pending\"}");
	describe(fake, "pending");
	describe(fake, "pending");
	describe(fake, "completed");
	assert_int_equal(complete(fake, NULL), 0);
	/* it had not, and will not */
	lose(fake, COMPLETE);
	describe(fake, "pending");
	refuse(fake, COMPLETE, 400, "ValidationException", "{\"Message\":\"wrong checksum\"}");
	describe(fake, "pending");
	describe(fake, "error");
	assert_int_equal(complete(fake, &err), -1);
	assert_non_null(strstr(err.message, "wrong checksum"));
	assert_string_equal(err.aws_code, "ValidationException");
}

static void test_complete_is_refused(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	refuse(fake, COMPLETE, 400, "ValidationException", "{\"Message\":\"wrong checksum\"}");
	assert_int_equal(complete(fake, &err), -1);
	assert_non_null(strstr(err.message, "wrong checksum"));
	say(fake, COMPLETE, 202, "{\"Status\":\"error\"}");
	describe(fake, "error");
	assert_int_equal(complete(fake, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	for (unsigned n = 0; n < 3; n++) {
		say(fake, COMPLETE, 200, "<html/>");
		describe(fake, "pending");
	}
	fake->repeat_last = true;
	assert_int_equal(complete(fake, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start),
		TEST(test_whether_it_is_encrypted),
		TEST(test_start_again_with_the_same_token),
		TEST(test_answers_that_are_not_ebs),
		TEST(test_keys),
		TEST(test_start_needs_a_token),
		TEST(test_quota),
		TEST(test_denials_name_the_permission),
		TEST(test_put),
		TEST(test_put_looks_at_the_checksum),
		TEST(test_put_while_aws_does_not_know_it_yet),
		TEST(test_put_again),
		TEST(test_ids_from_outside),
		TEST(test_quiet),
		TEST(test_many_at_once),
		TEST(test_complete),
		TEST(test_complete_whose_answer_was_lost),
		TEST(test_complete_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
