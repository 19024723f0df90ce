/* SPDX-License-Identifier: Apache-2.0 */
/* The call loop: attempts, waits between them, looking up what a lost answer left open, and the one log line. What an
 * attempt is made of is query.c's, what it is signed with identity.c's; what is repeated is retry.c's. */
#include "cpi/aws/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "cpi/aws/endpoint.h"
#include "cpi/aws/identity.h"
#include "cpi/aws/query.h"
#include "cpi/aws/retry.h"

#define ATTEMPT_ARENA (XML_MAX_BYTES + (size_t)16 * 1024 * 1024)

struct aws_client {
	struct runtime *runtime;
	const struct aws_settings *settings;
	struct identity *identity;
	atomic_uint throttles;
};

int aws_client_new(struct runtime *runtime, const struct aws_settings *settings, struct aws_client **ret_client,
		   struct error *err)
{
	struct aws_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return error_nomem(err);
	if (identity_new(runtime, settings, &client->identity, err) != 0) {
		free(client);
		return -1;
	}
	client->runtime = runtime;
	client->settings = settings;
	*ret_client = client;
	return 0;
}

void aws_client_free(struct aws_client *client)
{
	if (client == NULL)
		return;
	identity_free(client->identity);
	free(client);
}

struct runtime *aws_client_runtime(struct aws_client *client)
{
	return client->runtime;
}

unsigned aws_client_throttles(struct aws_client *client)
{
	return client->throttles;
}

int aws_client_identity(struct aws_client *client, const char **ret_access_key_id, const char **ret_source,
			struct error *err)
{
	struct identity_use use;

	if (identity_get(client->identity, &use, err) != 0)
		return -1;
	*ret_access_key_id = use.credentials.access_key_id;
	*ret_source = use.credentials.source;
	return 0;
}

int aws_client_endpoint(struct aws_client *client, const char *service, struct arena *arena, const char **ret_url,
			struct error *err)
{
	struct endpoint endpoint;

	if (endpoint_find(client->settings, service, arena, &endpoint, err) != 0)
		return -1;
	*ret_url = endpoint.url;
	return 0;
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

struct calling {
	struct aws_client *client;
	const struct aws_call *call;
	struct arena *arena;   /* the caller's */
	struct arena *scratch; /* emptied before each attempt */
	struct retry retry;
	struct identity_use use;    /* of the last attempt */
	struct query_answer answer; /* the last one */
	unsigned attempts;
	int64_t waited_ms;
	bool outcome_open; /* an attempt may have taken effect without our knowing; stays so */
	bool clock_repaired;
	bool credentials_renewed;
};

static int attempt(struct calling *calling, const struct xml_node **ret_root, struct error *err)
{
	struct aws_client *client = calling->client;
	const struct aws_service *service = calling->call->service;
	struct endpoint endpoint;

	calling->attempts++;
	calling->answer = (struct query_answer){ 0 };
	arena_reset(calling->scratch);
	if (identity_get(client->identity, &calling->use, err) != 0 ||
	    endpoint_find(client->settings, service->endpoint == NULL ? service->name : service->endpoint,
			  calling->scratch, &endpoint, err) != 0)
		return -1;
	struct query query = {
		.runtime = client->runtime,
		.call = calling->call,
		.endpoint = &endpoint,
		.credentials = &calling->use.credentials,
		.ca_file = client->settings->ca_file,
		.time = identity_now_s(client->identity, &calling->use),
	};
	return query_send(&query, calling->scratch, calling->arena, &calling->answer, ret_root, err);
}

/* Once each: whether another attempt with another time or other credentials makes sense. */
static bool repair(struct calling *calling, const struct error *failure)
{
	struct identity *identity = calling->client->identity;
	enum retry_class class = retry_classify(failure);
	bool expired = class == RETRY_EXPIRED || strcmp(failure->aws_code, "RequestExpired") == 0;

	if (class == RETRY_CLOCK_SKEW && !calling->clock_repaired &&
	    identity_repair_clock(identity, &calling->use, calling->answer.date)) {
		calling->clock_repaired = true;
		return true;
	}
	if (expired && !calling->credentials_renewed && identity_renew(identity, &calling->use)) {
		calling->credentials_renewed = true;
		return true;
	}
	return false;
}

static int wait_before_retry(struct calling *calling, int64_t delay_ms, const struct error *failure, struct error *err)
{
	struct runtime *runtime = calling->client->runtime;
	const struct clock *clock = runtime->clock;
	int64_t start = clock->monotonic_ms(clock->self);

	log_debug(runtime->log, "%s: attempt %u failed, another one in %lld ms: %s", calling->call->action,
		  calling->attempts, (long long)delay_ms, failure->message);
	int result = deadline_sleep(clock, calling->retry.deadline, delay_ms, runtime->cancel, err);
	calling->waited_ms += clock->monotonic_ms(clock->self) - start;
	return result;
}

/* 1 when the lookup shows that a lost attempt took effect. */
static int settle(struct calling *calling, struct error *err)
{
	const struct aws_call *call = calling->call;

	if (!calling->outcome_open || call->settle == NULL)
		return 0;
	int settled = call->settle(call->settle_self, err);
	if (settled < 0)
		return error_prefix(err, "the answer to %s was lost, and looking up what it did failed", call->action);
	return settled;
}

static bool is_worth_retrying_later(const struct error *failure)
{
	enum retry_class class = retry_classify(failure);

	return class == RETRY_TRANSIENT || class == RETRY_THROTTLE;
}

/* No further attempt: the last chance is that one of them was heard. */
static int give_up(struct calling *calling, struct error *failure)
{
	struct error ignored;

	if (failure->kind != ERROR_CANCELLED && settle(calling, &ignored) == 1)
		return 0;
	failure->retryable = is_worth_retrying_later(failure);
	if (failure->aws_action[0] == '\0')
		snprintf(failure->aws_action, sizeof(failure->aws_action), "%s", calling->call->action);
	if (calling->attempts > 1)
		log_debug(calling->client->runtime->log, "%s: given up after %u attempts", calling->call->action,
			  calling->attempts);
	return -1;
}

/* Attempts until one succeeds, or none is left. *ret_root NULL: settled. */
static int repeat(struct calling *calling, const struct xml_node **ret_root, struct error *failure)
{
	struct error meanwhile = { 0 }; /* what goes wrong between two attempts */
	int64_t delay;

	for (;;) {
		*ret_root = NULL;
		*failure = (struct error){ 0 };
		if (attempt(calling, ret_root, failure) == 0)
			return 0;
		if (retry_outcome_unknown(failure))
			calling->outcome_open = true;
		enum retry_class class = retry_classify(failure);
		if (class == RETRY_THROTTLE)
			calling->client->throttles++;
		if (repair(calling, failure))
			continue;
		if (!retry_next(&calling->retry, class, calling->answer.retry_after, &delay))
			return give_up(calling, failure);
		if (wait_before_retry(calling, delay, failure, &meanwhile) != 0) {
			*failure = meanwhile;
			return error_prefix(failure, "%s", calling->call->action);
		}
		int settled = settle(calling, &meanwhile);
		if (settled > 0)
			return 0;
		if (settled < 0) {
			*failure = meanwhile;
			return -1;
		}
	}
}

/* --- its log line ------------------------------------------------------------------------------------------------- */

/* A value in logfmt: quoted where it holds more than plain characters. */
static void append_value(struct buf *line, const char *name, const char *value, bool quoted)
{
	for (const char *c = value; *c != '\0'; c++)
		quoted = quoted || *c <= ' ' || *c == '"' || *c == '\\' || *c == '=';
	buf_printf(line, " %s=%s", name, quoted ? "\"" : "");
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_char(line, '\\');
		buf_char(line, (unsigned char)*c < ' ' ? ' ' : *c);
	}
	if (quoted)
		buf_char(line, '"');
}

static void append_start(struct buf *line, int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm utc;
	char text[32];

	if (gmtime_r(&seconds, &utc) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
		snprintf(text, sizeof(text), "1970-01-01T00:00:00");
	buf_printf(line, " start=%s.%03dZ", text, (int)(wall_us / 1000 % 1000));
}

/* failure: NULL after a success. */
static void log_call(const struct calling *calling, int64_t start_us, int64_t duration_ms, const struct error *failure)
{
	struct buf line CLEANUP_BUF = BUF_INIT(4096);

	append_value(&line, "action", calling->call->action, false);
	append_start(&line, start_us);
	buf_printf(&line, " duration_ms=%lld attempts=%u wait_ms=%lld status=%d", (long long)duration_ms,
		   calling->attempts, (long long)calling->waited_ms, calling->answer.status);
	append_value(&line, "aws_request_id", calling->answer.request_id, false);
	if (calling->retry.throttles > 0)
		buf_printf(&line, " throttled=%u", calling->retry.throttles);
	if (failure != NULL)
		append_value(&line, "code",
			     failure->aws_code[0] != '\0' ? failure->aws_code : error_kind_name(failure->kind), false);
	append_value(&line, "for", calling->call->purpose == NULL ? "" : calling->call->purpose, true);
	log_info(calling->client->runtime->log, "aws-call%s", buf_text(&line));
}

int aws_call(struct aws_client *client, const struct aws_call *call, struct arena *arena,
	     const struct xml_node **ret_root, struct error *err)
{
	const struct clock *clock = client->runtime->clock;
	struct arena *scratch CLEANUP_ARENA = arena_new(ATTEMPT_ARENA);
	if (scratch == NULL)
		return error_nomem(err);
	struct calling calling = { .client = client, .call = call, .arena = arena, .scratch = scratch };
	int64_t start_us = clock->wall_us(clock->self);
	int64_t start_ms = clock->monotonic_ms(clock->self);
	const struct xml_node *root;
	struct error failure;

	retry_init(&calling.retry, clock, client->settings->max_retries, call->created_by_us);
	int result = repeat(&calling, &root, &failure);
	log_call(&calling, start_us, clock->monotonic_ms(clock->self) - start_ms, result == 0 ? NULL : &failure);
	if (result != 0) {
		if (err != NULL)
			*err = failure;
		return -1;
	}
	*ret_root = root;
	return 0;
}
