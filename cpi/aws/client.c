/* SPDX-License-Identifier: Apache-2.0 */
/* The call loop: attempts, waits before and between them, looking up what a lost answer left open, and the one log line.
 * What an attempt is made of is query.c's or rest.c's, what it is signed with identity.c's; what is repeated is retry.c's, and
 * whose turn it is throttle.c's. */
#include "cpi/aws/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "cpi/aws/aws_actions.h"
#include "cpi/aws/call_line.h"
#include "cpi/aws/denial.h"
#include "cpi/aws/endpoint.h"
#include "cpi/aws/failure.h"
#include "cpi/aws/identity.h"
#include "cpi/aws/query.h"
#include "cpi/aws/rest.h"
#include "cpi/aws/retry.h"
#include "cpi/aws/throttle.h"

#define ATTEMPT_ARENA (XML_MAX_BYTES + (size_t)16 * 1024 * 1024)

struct aws_client {
	struct runtime *runtime;
	const struct aws_settings *settings;
	struct identity *identity;
	struct throttle *throttle; /* NULL in a client for credentials */
	atomic_uint throttles;
	atomic_bool cannot_decode; /* denials: known after the first vain try */
};

static struct aws_client *new_client(struct runtime *runtime, const struct aws_settings *settings)
{
	struct aws_client *client = calloc(1, sizeof(*client));

	if (client != NULL) {
		client->runtime = runtime;
		client->settings = settings;
	}
	return client;
}

int aws_client_new(struct runtime *runtime, const struct aws_settings *settings, struct aws_client **ret_client,
		   struct error *err)
{
	struct aws_client *client = new_client(runtime, settings);

	if (client == NULL)
		return error_nomem(err);
	if (identity_new(runtime, settings, &client->identity, err) != 0 ||
	    throttle_new(runtime, &client->throttle, err) != 0) {
		aws_client_free(client);
		return -1;
	}
	*ret_client = client;
	return 0;
}

int aws_client_new_as(struct runtime *runtime, const struct aws_settings *settings,
		      const struct credentials *credentials, struct aws_client **ret_client, struct error *err)
{
	struct aws_client *client = new_client(runtime, settings);

	if (client == NULL)
		return error_nomem(err);
	if (identity_new_fixed(runtime, settings, credentials, &client->identity, err) != 0) {
		aws_client_free(client);
		return -1;
	}
	*ret_client = client;
	return 0;
}

void aws_client_free(struct aws_client *client)
{
	if (client == NULL)
		return;
	if (client->throttle != NULL)
		throttle_free(client->throttle);
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
	const struct aws_rest_call *rest; /* what else there is to it; NULL: a Query call */
	struct arena *arena;   /* the caller's, for a Query call's tree */
	const struct xml_node *root; /* in there; NULL: settled, or REST */
	struct arena *scratch; /* emptied before each attempt */
	struct retry retry;
	struct identity_use use;    /* of the last attempt */
	struct attempt_answer answer; /* the last one */
	struct throttle_scope scope; /* of the last attempt; in scratch */
	struct throttle_ticket ticket;
	unsigned attempts;
	unsigned throttled; /* attempts that were refused for that */
	int64_t waited_ms;
	int64_t throttle_ms; /* of these, for throttling */
	bool was_sent; /* the last attempt; else its failure is that of what comes before */
	bool outcome_open; /* an attempt may have taken effect without our knowing; stays so */
	bool clock_repaired;
	bool credentials_renewed;
};

/* Asks again after ms (scaled), or when the deadline or a signal comes. */
static int wait_for(struct calling *calling, int64_t ms, bool for_throttling, struct error *err)
{
	struct runtime *runtime = calling->client->runtime;
	const struct clock *clock = runtime->clock;
	int64_t start = clock->monotonic_ms(clock->self);

	int result = deadline_sleep(clock, calling->retry.deadline, ms, runtime->cancel, err);
	int64_t waited = clock->monotonic_ms(clock->self) - start;
	calling->waited_ms += waited;
	if (for_throttling)
		calling->throttle_ms += waited;
	return result;
}

/* Until the account's bucket has a token for this attempt; at the deadline it is sent without. */
static int take_turn(struct calling *calling, const struct endpoint *endpoint, struct error *err)
{
	struct aws_client *client = calling->client;
	const struct credentials *credentials = &calling->use.credentials;
	int64_t ms;

	if (client->throttle == NULL)
		return 0;
	calling->scope = (struct throttle_scope){
		.account = credentials->account != NULL ? credentials->account : credentials->access_key_id,
		.region = endpoint->region,
		.endpoint_host = endpoint->host,
		.action = calling->call->action,
		.filtered = calling->call->params != NULL &&
			    throttle_is_filtered(buf_text(&calling->call->params->body)),
	};
	calling->ticket = (struct throttle_ticket){ 0 };
	while ((ms = throttle_turn(client->throttle, &calling->scope, &calling->ticket)) > 0 &&
	       !deadline_passed(client->runtime->clock, calling->retry.deadline)) {
		if (wait_for(calling, ms, true, err) != 0)
			return error_prefix(err, "%s waits for its turn", calling->call->action);
	}
	return 0;
}

static int find_endpoint(struct calling *calling, struct endpoint *ret_endpoint, struct error *err)
{
	const struct aws_service *service = calling->call->service;

	return endpoint_find(calling->client->settings, service->endpoint == NULL ? service->name : service->endpoint,
			     calling->scratch, ret_endpoint, err);
}

static int send_once(struct calling *calling, const struct attempt *attempt, struct error *err)
{
	if (calling->rest != NULL)
		return rest_send(attempt, calling->rest, calling->scratch, &calling->answer, err);
	return query_send(attempt, calling->scratch, calling->arena, &calling->answer, &calling->root, err);
}

static int try_once(struct calling *calling, struct error *err)
{
	struct aws_client *client = calling->client;
	struct endpoint endpoint;
	int64_t before = calling->waited_ms;

	calling->attempts++;
	calling->was_sent = false;
	calling->answer = (struct attempt_answer){ 0 };
	arena_reset(calling->scratch);
	if (identity_get(client->identity, &calling->use, err) != 0 || find_endpoint(calling, &endpoint, err) != 0 ||
	    take_turn(calling, &endpoint, err) != 0)
		return -1;
	/* they may have run out meanwhile */
	if (calling->waited_ms != before && identity_get(client->identity, &calling->use, err) != 0)
		return -1;
	const struct attempt attempt = {
		.runtime = client->runtime,
		.call = calling->call,
		.endpoint = &endpoint,
		.credentials = &calling->use.credentials,
		.ca_file = client->settings->ca_file,
		.time = identity_now_s(client->identity, &calling->use),
	};
	calling->was_sent = true;
	return send_once(calling, &attempt, err);
}

/* Tells the others. false: a backoff of our own is needed. */
static bool note_outcome(struct calling *calling, enum retry_class class)
{
	struct throttle *throttle = calling->client->throttle;

	if (class == RETRY_THROTTLE) {
		calling->client->throttles++;
		calling->throttled++;
		return throttle != NULL && throttle_refused(throttle, &calling->scope, &calling->ticket);
	}
	if (throttle != NULL && calling->answer.status != 0)
		throttle_taken(throttle, &calling->scope, &calling->ticket);
	return false;
}

/* Once each: whether another attempt with another time or other credentials makes sense. */
static bool repair(struct calling *calling, enum retry_class class, const struct error *failure)
{
	struct identity *identity = calling->client->identity;
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

/* Lets the time pass until another attempt; 1 when there is none to make, because the last one took effect. */
static int wait_and_look(struct calling *calling, int64_t delay_ms, bool for_throttling, const struct error *failure,
			 struct error *err)
{
	log_debug(calling->client->runtime->log, "%s: attempt %u failed, another one in %lld ms: %s",
		  calling->call->action, calling->attempts, (long long)delay_ms, failure->message);
	if (wait_for(calling, delay_ms, for_throttling, err) != 0)
		return error_prefix(err, "%s", calling->call->action);
	return settle(calling, err);
}

/* Attempts until one succeeds, or none is left. */
static int repeat(struct calling *calling, struct error *failure)
{
	struct error meanwhile = { 0 }; /* what goes wrong between two attempts */
	int64_t delay;

	for (;;) {
		calling->root = NULL;
		*failure = (struct error){ 0 };
		if (try_once(calling, failure) == 0) {
			note_outcome(calling, RETRY_NEVER);
			return 0;
		}
		if (!calling->was_sent) /* where credentials come from, that has been tried again already */
			return give_up(calling, failure);
		enum retry_class class = retry_classify(failure);
		bool turn_is_known = note_outcome(calling, class);
		if (failure->kind != ERROR_AWS || retry_outcome_unknown(failure))
			calling->outcome_open = true;
		if (repair(calling, class, failure))
			continue;
		if (calling->call->once || !retry_next(&calling->retry, class, calling->answer.retry_after, &delay))
			return give_up(calling, failure);
		if (turn_is_known)
			delay = calling->answer.retry_after;
		int settled = wait_and_look(calling, delay, class == RETRY_THROTTLE, failure, &meanwhile);
		if (settled > 0)
			return 0;
		if (settled < 0) {
			*failure = meanwhile;
			return -1;
		}
	}
}

/* A denial whose reason AWS gives only encoded; the message stays as it is where we may not have it decoded. */
static void explain_denial(struct calling *calling, struct error *failure)
{
	struct aws_client *client = calling->client;
	const char *encoded = calling->answer.encoded_denial;
	struct log *log = client->runtime->log;
	struct error why;

	if (encoded == NULL || !retry_is_denied(failure->aws_code))
		return;
	if (client->throttle != NULL && !calling->call->once && !client->cannot_decode) {
		struct arena *scratch CLEANUP_ARENA = arena_new(ATTEMPT_ARENA);
		if (scratch != NULL && denial_explain(client, encoded, scratch, failure, &why) == 0)
			return;
		client->cannot_decode = true;
	}
	log_debug(log, "%s was denied: %s", calling->call->action, encoded);
	if (strstr(failure->message, encoded) == NULL)
		failure_replace_encoded(failure, "The reason stands, encoded, in the debug log, for aws sts "
					"decode-authorization-message");
}

/* Which part of the policy it would have been. */
static void name_feature(const struct aws_call *call, struct error *failure)
{
	char text[256];

	if (failure->kind != ERROR_AWS || !retry_is_denied(failure->aws_code))
		return;
	const struct aws_action *action = aws_action_refused(call->service->name, call->action, failure->message);
	if (action == NULL || action->feature == AWS_FEATURE_NONE)
		return;
	snprintf(text, sizeof(text), "; %s:%s is part of the feature %s: `cpi policy` prints the IAM policy that allows it",
		 action->service, action->name, aws_features[action->feature].name);
	failure_add(failure, text);
}

/* failure: NULL after a success. */
static void log_call(const struct calling *calling, int64_t start_us, int64_t duration_ms, const struct error *failure)
{
	struct call_line line = {
		.action = calling->call->action,
		.start_us = start_us,
		.duration_ms = duration_ms,
		.attempts = calling->attempts,
		.wait_ms = calling->waited_ms,
		.status = calling->answer.status,
		.request_id = calling->answer.request_id,
		.throttled = calling->throttled,
		.throttle_ms = calling->throttle_ms,
		.purpose = calling->call->purpose,
		.quiet = calling->call->quiet && failure == NULL && calling->attempts == 1,
	};

	if (failure != NULL)
		line.code = failure->aws_code[0] != '\0' ? failure->aws_code : error_kind_name(failure->kind);
	call_line_log(calling->client->runtime->log, &line);
}

static int run(struct calling *calling, struct error *err)
{
	struct aws_client *client = calling->client;
	const struct aws_call *call = calling->call;
	const struct clock *clock = client->runtime->clock;
	struct arena *scratch CLEANUP_ARENA = arena_new(ATTEMPT_ARENA);
	if (scratch == NULL)
		return error_nomem(err);
	int64_t start_us = clock->wall_us(clock->self);
	int64_t start_ms = clock->monotonic_ms(clock->self);
	struct error failure;

	if (aws_action_find(call->service->name, call->action) == NULL)
		return error_set(err, ERROR_INTERNAL, "%s:%s is not declared in cpi/aws/aws_actions.c, so that no policy would "
				 "allow it", call->service->name, call->action);
	calling->scratch = scratch;
	retry_init(&calling->retry, clock, client->settings->max_retries, call->created_by_us);
	if (call->unknown_ms > 0)
		calling->retry.not_found_ms = call->unknown_ms;
	int result = repeat(calling, &failure);
	log_call(calling, start_us, clock->monotonic_ms(clock->self) - start_ms, result == 0 ? NULL : &failure);
	if (call->ret_throttled != NULL)
		*call->ret_throttled = calling->throttled;
	if (result != 0) {
		failure.not_done = !calling->outcome_open;
		explain_denial(calling, &failure);
		name_feature(call, &failure);
		if (err != NULL)
			*err = failure;
	}
	return result;
}

int aws_call(struct aws_client *client, const struct aws_call *call, struct arena *arena,
	     const struct xml_node **ret_root, struct error *err)
{
	struct calling calling = { .client = client, .call = call, .arena = arena };

	if (run(&calling, err) != 0)
		return -1;
	*ret_root = calling.root;
	return 0;
}

int aws_call_rest(struct aws_client *client, const struct aws_rest_call *call, struct error *err)
{
	struct calling calling = { .client = client, .call = &call->call, .rest = call };

	return run(&calling, err);
}
