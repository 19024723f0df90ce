/* SPDX-License-Identifier: Apache-2.0 */
/* The call loop: attempts, waits between them, the repair of clock and credentials, looking up what a lost answer left
 * open, and the one log line. What an attempt is made of is query.c's; what is repeated is retry.c's. */
#include "cpi/aws/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/endpoint.h"
#include "cpi/aws/query.h"
#include "cpi/aws/retry.h"

#define CLIENT_ARENA ((size_t)4 * 1024 * 1024)
#define ATTEMPT_ARENA (XML_MAX_BYTES + (size_t)16 * 1024 * 1024)
#define CLOCK_SKEW_S 240 /* AWS refuses from five minutes on */

struct aws_client {
	struct runtime *runtime;
	const struct aws_settings *settings;
	struct arena *arena; /* credentials, for as long as the client lives: the log refers to them */
	struct credentials credentials;
	bool has_credentials;
	const char *secrets[LOG_MAX_SECRETS]; /* that the log got from us */
	size_t n_secrets;
	int64_t clock_offset_s; /* AWS's clock, as seen from ours */
};

int aws_client_new(struct runtime *runtime, const struct aws_settings *settings, struct aws_client **ret_client,
		   struct error *err)
{
	struct aws_client *client = calloc(1, sizeof(*client));
	struct arena *arena = arena_new(CLIENT_ARENA);

	if (client == NULL || arena == NULL) {
		arena_free(arena);
		free(client);
		return error_nomem(err);
	}
	client->runtime = runtime;
	client->settings = settings;
	client->arena = arena;
	*ret_client = client;
	return 0;
}

static bool is_ours(const struct aws_client *client, const char *secret)
{
	for (size_t i = 0; i < client->n_secrets; i++) {
		if (client->secrets[i] == secret)
			return true;
	}
	return false;
}

/* The log borrows its secrets: those that are about to go away must be gone from it first. */
static void withdraw_secrets(struct aws_client *client)
{
	struct log *log = client->runtime->log;
	size_t kept = 0;

	for (size_t i = 0; i < log->n_secrets; i++) {
		if (!is_ours(client, log->secrets[i]))
			log->secrets[kept++] = log->secrets[i];
	}
	log->n_secrets = kept;
}

static void remember_secrets(struct aws_client *client, size_t known_before)
{
	const struct log *log = client->runtime->log;

	for (size_t i = known_before; i < log->n_secrets && client->n_secrets < LOG_MAX_SECRETS; i++)
		client->secrets[client->n_secrets++] = log->secrets[i];
}

void aws_client_free(struct aws_client *client)
{
	if (client == NULL)
		return;
	withdraw_secrets(client);
	arena_free(client->arena);
	free(client);
}

struct runtime *aws_client_runtime(struct aws_client *client)
{
	return client->runtime;
}

static int64_t now_s(const struct aws_client *client)
{
	const struct clock *clock = client->runtime->clock;

	return clock->wall_us(clock->self) / 1000000 + client->clock_offset_s;
}

static int need_credentials(struct aws_client *client, struct error *err)
{
	struct credentials_context context = {
		.runtime = client->runtime,
		.settings = client->settings,
		.arena = client->arena,
	};
	struct credentials fresh;

	if (client->has_credentials && !credentials_expiring(&client->credentials, now_s(client)))
		return 0;
	struct error failure = { 0 };
	size_t known_before = client->runtime->log->n_secrets;
	int result = credentials_load(&context, &fresh, &failure);
	remember_secrets(client, known_before);
	if (result != 0) {
		bool usable = client->has_credentials && client->credentials.expires_at > now_s(client);
		if (usable)
			return 0; /* tried again at the next call */
		if (err != NULL)
			*err = failure;
		return -1;
	}
	client->credentials = fresh;
	client->has_credentials = true;
	return 0;
}

int aws_client_identity(struct aws_client *client, const char **ret_access_key_id, const char **ret_source,
			struct error *err)
{
	if (need_credentials(client, err) != 0)
		return -1;
	*ret_access_key_id = client->credentials.access_key_id;
	*ret_source = client->credentials.source;
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
	struct endpoint endpoint;

	calling->attempts++;
	calling->answer = (struct query_answer){ 0 };
	arena_reset(calling->scratch);
	if (need_credentials(client, err) != 0 ||
	    endpoint_find(client->settings, calling->call->service->name, calling->scratch, &endpoint, err) != 0)
		return -1;
	struct query query = {
		.runtime = client->runtime,
		.call = calling->call,
		.endpoint = &endpoint,
		.credentials = &client->credentials,
		.ca_file = client->settings->ca_file,
		.time = now_s(client),
	};
	return query_send(&query, calling->scratch, calling->arena, &calling->answer, ret_root, err);
}

/* Takes AWS's clock where ours is wrong. true when signing again makes sense. */
static bool repair_clock(struct calling *calling)
{
	struct aws_client *client = calling->client;
	int64_t off = calling->answer.date - now_s(client);

	if (calling->clock_repaired || calling->answer.date == 0 || (off <= CLOCK_SKEW_S && off >= -CLOCK_SKEW_S))
		return false;
	calling->clock_repaired = true;
	client->clock_offset_s += off;
	log_debug(client->runtime->log, "this machine's clock is %lld s off AWS's: signing with AWS's time",
		  (long long)-off);
	return true;
}

/* A session that has expired before its time was up. Keys without an end come out of their source the same. */
static bool renew_credentials(struct calling *calling, const struct error *failure)
{
	struct aws_client *client = calling->client;
	bool expired = retry_classify(failure) == RETRY_EXPIRED || strcmp(failure->aws_code, "RequestExpired") == 0;

	if (!expired || calling->credentials_renewed || client->credentials.expires_at == 0)
		return false;
	calling->credentials_renewed = true;
	client->credentials.expires_at = 1; /* so that need_credentials loads them again */
	return true;
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
		if (class == RETRY_CLOCK_SKEW && repair_clock(calling))
			continue;
		if (renew_credentials(calling, failure))
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
