/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a credentials service over HTTP. Its answers hold secrets, so nothing of them is quoted but an error's code. */
#include "cpi/aws/credentials/fetch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "cpi/aws/call_line.h"

#define PAUSE_MS 250
#define PAUSE_JITTER_MS 1000

static bool passes(int status)
{
	return status == 408 || status == 429 || status >= 500;
}

/* A name as the services write it: "UnauthorizedException", also with a namespace before it or a URL behind it. */
static bool take_code(const char *text, struct fetch_answer *answer)
{
	if (text == NULL)
		return false;
	const char *hash = strchr(text, '#');
	if (hash != NULL)
		text = hash + 1;
	size_t len = strcspn(text, ":");
	if (len == 0 || len >= sizeof(answer->code))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr("_.-", text[i]) == NULL)
			return false;
	}
	snprintf(answer->code, sizeof(answer->code), "%.*s", (int)len, text);
	return true;
}

static void find_code(const struct http_response *response, struct fetch_answer *answer)
{
	static const char *const fields[] = { "__type", "code", "error" };

	bool found = take_code(http_header_value(response, "x-amzn-errortype"), answer);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && !found; i++)
		found = take_code(json_text(json_get(answer->root, fields[i])), answer);
}

/* One try. Whether another one may help is in err->retryable, respectively the status. */
static int try_once(const struct credentials_context *context, const struct fetch *fetch, int64_t timeout_ms,
		    struct fetch_answer *ret_answer, struct error *err)
{
	const struct runtime *runtime = context->runtime;
	const struct http_request request = {
		.method = fetch->method,
		.url = fetch->url,
		.headers = fetch->headers,
		.n_headers = fetch->n_headers,
		.body = fetch->body,
		.body_len = fetch->body == NULL ? 0 : strlen(fetch->body),
		.max_answer = FETCH_MAX_BYTES,
		.connect_timeout_ms = timeout_ms,
		.timeout_ms = timeout_ms,
		.ca_file = context->settings->ca_file,
		.no_proxy = fetch->no_proxy,
	};
	struct http_response response;
	struct fetch_answer answer = { 0 };
	struct error malformed = { 0 };

	if (runtime->http->perform(runtime->http->self, &request, runtime->cancel, context->arena, &response, err) != 0)
		return error_prefix(err, "%s", fetch->what);
	answer.status = response.status;
	const char *request_id = http_header_value(&response, "x-amzn-requestid");
	snprintf(answer.request_id, sizeof(answer.request_id), "%s", request_id == NULL ? "" : request_id);
	int parsed = json_parse(context->arena, response.body, response.body_len, FETCH_MAX_BYTES, &answer.root,
				&malformed);
	if (parsed != 0 && malformed.kind == ERROR_NOMEM)
		return error_nomem(err);
	if (parsed != 0 || !json_is(answer.root, JSON_OBJECT))
		answer.root = NULL;
	if (answer.status == 200 && answer.root == NULL) {
		error_set(err, ERROR_CONFIG, "%s gave an answer that is not a JSON object%s%s%s: is it a credentials "
			  "service?", fetch->what, parsed == 0 ? "" : " (", malformed.message, parsed == 0 ? "" : ")");
		err->retryable = true; /* as the SDKs see it */
		return -1;
	}
	if (answer.status != 200)
		find_code(&response, &answer);
	*ret_answer = answer;
	return 0;
}

static bool worth_another(const struct fetch *fetch, int result, const struct fetch_answer *answer,
			  const struct error *failure)
{
	if (result != 0)
		return failure->retryable;
	return answer->status != 200 && (fetch->any_refusal_passes || passes(answer->status));
}

/* All tries of one call. */
struct tries {
	struct deadline deadline;
	unsigned count;
	int64_t waited_ms;
};

static int pause_before_next(const struct credentials_context *context, struct tries *tries, struct error *err)
{
	const struct clock *clock = context->runtime->clock;
	int64_t pause_ms = PAUSE_MS + backoff_delay_ms(0, PAUSE_JITTER_MS, PAUSE_JITTER_MS);
	int64_t before = clock->monotonic_ms(clock->self);

	if (deadline_sleep(clock, tries->deadline, pause_ms, context->runtime->cancel, err) != 0)
		return -1;
	tries->waited_ms += clock->monotonic_ms(clock->self) - before;
	return 0;
}

static int try_often(const struct credentials_context *context, const struct fetch *fetch, struct tries *tries,
		     struct fetch_answer *answer, struct error *failure)
{
	const struct clock *clock = context->runtime->clock;

	for (;;) {
		int left = deadline_left_ms(clock, tries->deadline);
		*answer = (struct fetch_answer){ 0 };
		*failure = (struct error){ 0 };
		tries->count++;
		int result = try_once(context, fetch, left < fetch->timeout_ms ? left : fetch->timeout_ms, answer,
				      failure);
		if (tries->count == FETCH_TRIES || !worth_another(fetch, result, answer, failure))
			return result;
		if (result != 0)
			log_debug(context->runtime->log, "try %u: %s", tries->count, failure->message);
		else
			log_debug(context->runtime->log, "try %u: %s answered with HTTP status %d", tries->count,
				  fetch->what, answer->status);
		if (pause_before_next(context, tries, failure) != 0)
			return -1;
		if (deadline_passed(clock, tries->deadline))
			return result;
	}
}

static void log_call(const struct credentials_context *context, const struct fetch *fetch, const struct call_line *times,
		     const struct fetch_answer *answer, const struct error *failure)
{
	struct call_line line = *times;

	line.action = fetch->action;
	line.purpose = fetch->purpose;
	line.status = answer->status;
	line.request_id = answer->request_id;
	if (failure != NULL)
		line.code = error_kind_name(failure->kind);
	else if (answer->status != 200)
		line.code = answer->code[0] != '\0' ? answer->code : error_kind_name(ERROR_AWS);
	call_line_log(context->runtime->log, &line);
}

int fetch_json(const struct credentials_context *context, const struct fetch *fetch, struct fetch_answer *ret_answer,
	       struct error *err)
{
	const struct clock *clock = context->runtime->clock;
	int64_t start_ms = clock->monotonic_ms(clock->self);
	/* not deadline_in: network time is real time, and is not shortened when waits are */
	struct tries tries = { .deadline = { .at_ms = start_ms + FETCH_TRIES * fetch->timeout_ms } };
	struct call_line times = { .start_us = clock->wall_us(clock->self) };
	struct fetch_answer answer;
	struct error failure;

	int result = try_often(context, fetch, &tries, &answer, &failure);
	times.duration_ms = clock->monotonic_ms(clock->self) - start_ms;
	times.attempts = tries.count;
	times.wait_ms = tries.waited_ms;
	if (fetch->action != NULL)
		log_call(context, fetch, &times, &answer, result == 0 ? NULL : &failure);
	if (result == 0)
		*ret_answer = answer;
	else if (err != NULL)
		*err = failure;
	return result;
}

int fetch_refused(const struct fetch *fetch, const struct fetch_answer *answer, const char *advice, struct error *err)
{
	bool retryable = passes(answer->status);

	error_set(err, retryable ? ERROR_NETWORK : ERROR_CONFIG, "%s answered with HTTP status %d%s%s%s: %s",
		  fetch->what, answer->status, answer->code[0] == '\0' ? "" : " (", answer->code,
		  answer->code[0] == '\0' ? "" : ")", advice);
	if (err != NULL) {
		err->retryable = retryable;
		err->http_status = answer->status;
	}
	return -1;
}
