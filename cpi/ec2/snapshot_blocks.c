/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots by the EBS direct APIs. How many blocks are sent at once, and which, is cpi/upload's. */
#include "cpi/ec2/snapshot_blocks.h"

#include <stdio.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "cpi/ec2/action.h"
#include "cpi/ec2/snapshots.h"

#define MAX_REQUEST ((size_t)64 * 1024) /* 50 tags of 128 and 256 characters, each up to six bytes in JSON */
#define MAX_SNAPSHOT_ID 64
#define PUT_TIMEOUT_MS ((int64_t)5 * 60 * 1000) /* 64 blocks at once over a line of 1 Mbit/s */
#define SETTLE_LIMIT_MS ((int64_t)2 * 60 * 1000)
#define KEY_PERMISSIONS                                                                                                \
	"kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt* on the KMS key"

static const struct aws_service ebs = { .name = "ebs", .version = "2019-11-02" };

static bool is_snapshot_id(const char *id)
{
	static const char prefix[] = "snap-";

	if (id == NULL || strncmp(id, prefix, strlen(prefix)) != 0 || strlen(id) > MAX_SNAPSHOT_ID)
		return false;
	const char *hex = id + strlen(prefix);
	return *hex != '\0' && hex[strspn(hex, "0123456789abcdef")] == '\0';
}

static int check_snapshot_id(const char *id, struct error *err)
{
	return is_snapshot_id(id) ? 0 : error_set(err, ERROR_INTERNAL, "'%s' is no snapshot's id", id == NULL ? "" : id);
}

/* Which permission it takes; AWS's words follow. EBS says of a key's refusal no more than that it is a dependency's. */
static int name_permission(struct error *err, const char *permission, bool with_key)
{
	if (err == NULL || !ec2_is_denied(err))
		return -1;
	if (strstr(err->message, "DEPENDENCY_ACCESS_DENIED") != NULL)
		return error_prefix(err, "allow " KEY_PERMISSIONS);
	if (with_key)
		return error_prefix(err, "allow %s, and " KEY_PERMISSIONS, permission);
	return error_prefix(err, "allow %s", permission);
}

static bool is_code(const struct error *err, const char *code)
{
	return err != NULL && err->kind == ERROR_AWS && strcmp(err->aws_code, code) == 0;
}

/* A 2xx answer that is not EBS's: a proxy's page, or half of one. Worth another attempt. */
static int not_ebs(const char *action, struct error *err)
{
	if (err == NULL)
		return -1;
	error_set(err, ERROR_INVALID,
		  "%s was answered with success, but not as EBS answers: check the endpoint, and proxies on the way", action);
	err->retryable = true;
	return -1;
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

/* arn:PARTITION:kms:REGION:ACCOUNT:key/ID. Fact: StartSnapshot's pattern for it, EBS direct APIs Reference. */
static bool is_key_arn(const char *arn)
{
	static const char *const kinds[] = { "arn", "aws", "kms", "", "", "key/" };
	const char *at = arn;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strcspn(at, ":");
		bool is_last = i == sizeof(kinds) / sizeof(kinds[0]) - 1;
		if (strncmp(at, kinds[i], strlen(kinds[i])) != 0 || len == 0 || (at[len] == '\0') != is_last)
			return false;
		if (i == 4 && (len != 12 || strspn(at, "0123456789") != len))
			return false;
		if (is_last)
			return len > strlen("key/") && strpbrk(at + strlen("key/"), "/ ") == NULL;
		at += len + 1;
	}
	return false;
}

static int check_key(const char *key, struct error *err)
{
	if (key == NULL || is_key_arn(key))
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "kms_key_arn is '%s': the EBS direct APIs take a key's full ARN only "
			 "(arn:aws:kms:REGION:ACCOUNT:key/ID), no alias and no id. "
			 "aws kms describe-key --key-id '%s' --query KeyMetadata.Arn shows it",
			 key, key);
}

static int write_start(const struct snapshot_start_request *request, struct buf *body, struct error *err)
{
	struct json_writer writer;

	json_writer_init(&writer, body);
	json_begin_object(&writer);
	json_member_unsigned(&writer, "VolumeSize", request->size_gib);
	json_member_string(&writer, "ClientToken", request->client_token);
	if (request->description != NULL && *request->description != '\0')
		json_member_string(&writer, "Description", request->description);
	if (request->tags.count > 0) {
		json_key(&writer, "Tags");
		json_begin_array(&writer);
		for (size_t i = 0; i < request->tags.count; i++) {
			json_begin_object(&writer);
			json_member_string(&writer, "Key", request->tags.items[i].key);
			json_member_string(&writer, "Value", request->tags.items[i].value);
			json_end_object(&writer);
		}
		json_end_array(&writer);
	}
	/* false is refused where the account encrypts by default: left out, it is as that default says */
	if (request->encrypted || request->kms_key_arn != NULL)
		json_member_boolean(&writer, "Encrypted", true);
	if (request->kms_key_arn != NULL)
		json_member_string(&writer, "KmsKeyArn", request->kms_key_arn);
	json_member_unsigned(&writer, "Timeout", request->timeout_minutes);
	json_end_object(&writer);
	return buf_check(body, "StartSnapshot's request", err);
}

struct starting {
	struct arena *arena;
	struct started_snapshot started;
};

static int read_started(void *self, const struct http_response *response, struct error *err)
{
	struct starting *starting = self;
	const struct json *root;

	if (json_parse(starting->arena, response->body, response->body_len, response->body_len, &root, err) != 0)
		return err != NULL && err->kind == ERROR_NOMEM ? -1 : not_ebs("StartSnapshot", err);
	const char *id = json_text(json_get(root, "SnapshotId"));
	const char *key = json_text(json_get(root, "KmsKeyArn"));
	const char *type = json_text(json_get(root, "SseType"));
	if (!is_snapshot_id(id))
		return not_ebs("StartSnapshot", err);
	starting->started.id = id;
	starting->started.encrypted = (key != NULL && *key != '\0') || (type != NULL && strncmp(type, "sse-", 4) == 0);
	return 0;
}

/* What the operator can do, in front of AWS's words. */
static int explain_start(const struct snapshot_start_request *request, struct error *err)
{
	const char *permission = request->tags.count > 0 ? "ebs:StartSnapshot and ec2:CreateTags" : "ebs:StartSnapshot";

	if (is_code(err, "ServiceQuotaExceededException"))
		return error_prefix(err, "the account has as many pending snapshots as its quota allows (100, unless it was "
					 "raised): `cpi sweep` finds those that were left behind");
	if (is_code(err, "ConflictException"))
		return error_prefix(err, "the client token %s has been used for a snapshot with other parameters",
				    request->client_token);
	return name_permission(err, permission, request->encrypted || request->kms_key_arn != NULL);
}

int snapshot_start(struct ec2_client *ec2, struct arena *arena, const struct snapshot_start_request *request,
		   struct started_snapshot *ret_snapshot, struct error *err)
{
	struct buf body CLEANUP_BUF = BUF_INIT(MAX_REQUEST);
	const struct http_header type = { "Content-Type", "application/json" };
	struct starting starting = { .arena = arena };
	char purpose[80];

	if (check_key(request->kms_key_arn, err) != 0 ||
	    action_check_token("StartSnapshot", request->client_token, err) != 0 || write_start(request, &body, err) != 0)
		return -1;
	snprintf(purpose, sizeof(purpose), "new snapshot of %llu GiB", (unsigned long long)request->size_gib);
	const struct aws_rest_call call = {
		.call = { .service = &ebs, .action = "StartSnapshot", .purpose = purpose },
		.method = "POST",
		.path = "/snapshots",
		.headers = &type,
		.n_headers = 1,
		.body = buf_text(&body),
		.body_len = body.len,
		.read = read_started,
		.read_self = &starting,
	};
	if (aws_call_rest(ec2->aws, &call, err) != 0)
		return explain_start(request, err);
	*ret_snapshot = starting.started;
	return 0;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

/* The answer has AWS's own checksum of what it has stored. */
static int read_put(void *self, const struct http_response *response, struct error *err)
{
	const char *ours = self;
	const char *theirs = http_header_value(response, "x-amz-Checksum");

	if (theirs == NULL)
		return not_ebs("PutSnapshotBlock", err);
	if (strcmp(theirs, ours) == 0)
		return 0;
	error_set(err, ERROR_AWS, "PutSnapshotBlock: AWS has stored a block with checksum %s, not %s", theirs, ours);
	if (err != NULL)
		err->retryable = true;
	return -1;
}

int snapshot_put_block(struct ec2_client *ec2, const struct snapshot_block *block, struct snapshot_put *ret_put,
		       struct error *err)
{
	char path[MAX_SNAPSHOT_ID + 48];
	char purpose[MAX_SNAPSHOT_ID + 48];
	char length[24];
	char percent[24];
	char checksum[BASE64_SIZE(SHA256_LEN)];

	*ret_put = (struct snapshot_put){ 0 };
	if (check_snapshot_id(block->snapshot_id, err) != 0)
		return -1;
	snprintf(path, sizeof(path), "/snapshots/%s/blocks/%u", block->snapshot_id, block->index);
	snprintf(purpose, sizeof(purpose), "block %u of snapshot %s", block->index, block->snapshot_id);
	snprintf(length, sizeof(length), "%zu", SNAPSHOT_BLOCK_SIZE);
	snprintf(percent, sizeof(percent), "%u", block->percent > 100 ? 100 : block->percent);
	digest_base64(block->sha256, SHA256_LEN, checksum);
	const struct http_header headers[] = {
		{ "Content-Type", "application/octet-stream" }, { "x-amz-Data-Length", length },
		{ "x-amz-Progress", percent },                  { "x-amz-Checksum", checksum },
		{ "x-amz-Checksum-Algorithm", "SHA256" },
	};
	const struct aws_rest_call call = {
		.call = {
			.service = &ebs,
			.action = "PutSnapshotBlock",
			.purpose = purpose,
			.created_by_us = block->unknown_ms > 0,
			.unknown_ms = block->unknown_ms,
			.quiet = true,
			.ret_throttled = &ret_put->throttled,
		},
		.method = "PUT",
		.path = path,
		.headers = headers,
		.n_headers = sizeof(headers) / sizeof(headers[0]),
		.body = block->data,
		.body_len = SNAPSHOT_BLOCK_SIZE,
		.body_sha256 = block->sha256,
		.unsigned_payload = true,
		.timeout_ms = PUT_TIMEOUT_MS,
		.read = read_put,
		.read_self = checksum,
	};
	return aws_call_rest(ec2->aws, &call, err) == 0 ? 0 : name_permission(err, "ebs:PutSnapshotBlock", false);
}

/* --- completing --------------------------------------------------------------------------------------------------- */

struct completing {
	struct ec2_client *ec2;
	const char *snapshot_id;
};

/* Whether a call whose answer was lost has completed it. What cannot be seen is asked again: that may be refused, and then
 * there is another look. */
static int settle_complete(void *self, struct error *err)
{
	struct completing *completing = self;
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct snapshot *snapshots;
	struct error failure = { 0 };
	size_t count;

	if (scratch == NULL)
		return error_nomem(err);
	if (snapshot_describe(completing->ec2, scratch, (struct ec2_ids){ &completing->snapshot_id, 1 },
			      (struct ec2_filters){ NULL, 0 }, &snapshots, &count, &failure) != 0) {
		if (failure.kind != ERROR_CANCELLED)
			return 0;
		if (err != NULL)
			*err = failure;
		return -1;
	}
	return count > 0 && strcmp(snapshots[0].state, "completed") == 0;
}

static int read_completed(void *self, const struct http_response *response, struct error *err)
{
	struct completing *completing = self;
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	const struct json *root;

	if (scratch == NULL)
		return error_nomem(err);
	if (json_parse(scratch, response->body, response->body_len, response->body_len, &root, NULL) != 0)
		return not_ebs("CompleteSnapshot", err);
	const char *status = json_text(json_get(root, "Status"));
	if (status == NULL)
		return not_ebs("CompleteSnapshot", err);
	if (strcmp(status, "error") == 0)
		return error_set(err, ERROR_CLOUD, "snapshot %s is in state error", completing->snapshot_id);
	return 0;
}

/* An attempt that was lost before has done it, or not: AWS, which refuses another one, may still be at it. */
static int look_again(struct completing *completing, const struct error *refusal, struct error *err)
{
	const struct wait_options wait = { .limit_ms = SETTLE_LIMIT_MS };
	struct error failure = { 0 };

	if (snapshot_wait_completed(completing->ec2, completing->snapshot_id, &wait, &failure) == 0)
		return 0;
	if (err != NULL)
		*err = failure.kind == ERROR_CANCELLED ? failure : *refusal;
	return -1;
}

int snapshot_complete(struct ec2_client *ec2, const char *snapshot_id, uint32_t n_blocks, const uint8_t sha256[SHA256_LEN],
		      struct error *err)
{
	struct completing completing = { ec2, snapshot_id };
	struct error refusal = { 0 };
	char path[MAX_SNAPSHOT_ID + 48];
	char purpose[MAX_SNAPSHOT_ID + 48];
	char count[24];
	char checksum[BASE64_SIZE(SHA256_LEN)];

	if (check_snapshot_id(snapshot_id, err) != 0)
		return -1;
	snprintf(path, sizeof(path), "/snapshots/completion/%s", snapshot_id);
	snprintf(purpose, sizeof(purpose), "snapshot %s of %u blocks", snapshot_id, n_blocks);
	snprintf(count, sizeof(count), "%u", n_blocks);
	digest_base64(sha256, SHA256_LEN, checksum);
	const struct http_header headers[] = {
		{ "x-amz-ChangedBlocksCount", count },
		{ "x-amz-Checksum", checksum },
		{ "x-amz-Checksum-Algorithm", "SHA256" },
		{ "x-amz-Checksum-Aggregation-Method", "LINEAR" },
	};
	const struct aws_rest_call call = {
		.call = {
			.service = &ebs,
			.action = "CompleteSnapshot",
			.purpose = purpose,
			.created_by_us = true,
			.unknown_ms = SNAPSHOT_UNKNOWN_MS,
			.settle = settle_complete,
			.settle_self = &completing,
		},
		.method = "POST",
		.path = path,
		.headers = headers,
		.n_headers = sizeof(headers) / sizeof(headers[0]),
		.read = read_completed,
		.read_self = &completing,
	};
	if (aws_call_rest(ec2->aws, &call, &refusal) == 0)
		return 0;
	if (refusal.kind == ERROR_AWS && !refusal.not_done && !refusal.retryable && !ec2_is_denied(&refusal))
		return look_again(&completing, &refusal, err);
	if (err != NULL)
		*err = refusal;
	return name_permission(err, "ebs:CompleteSnapshot", false);
}
