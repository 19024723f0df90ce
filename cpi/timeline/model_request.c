/* SPDX-License-Identifier: Apache-2.0 */
/* A call's start is logged in UTC, and lines are stamped in local time: what lies between the two is learnt from the calls,
 * each of which is logged as it ends. */
#include "cpi/timeline/model_request.h"

#include <stdlib.h>
#include <string.h>

#define QUARTER_US ((int64_t)15 * 60 * 1000 * 1000)
/* A line that is written so much later than its call ended tells nothing about the time zone. */
#define MAX_LAG_US ((int64_t)5 * 60 * 1000 * 1000)

struct model_request *model_request_new(const struct event *event)
{
	struct model_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	memcpy(request->id, event->request_id, sizeof(request->id));
	request->pid = event->pid;
	request->task = event->task;
	request->started_us = EVENT_TIME_UNKNOWN;
	request->finished_us = EVENT_TIME_UNKNOWN;
	return request;
}

size_t model_request_free(struct model_request *request)
{
	size_t bytes = 0;

	for (size_t i = 0; i < request->n_kept; i++) {
		bytes += request->kept[i]->size;
		free(request->kept[i]);
	}
	free(request->kept);
	free(request->failure);
	free(request);
	return bytes;
}

void model_request_line(struct model_request *request, const struct event *event)
{
	if (request->task == 0)
		request->task = event->task;
	if (event->method[0] != '\0')
		memcpy(request->method, event->method, sizeof(request->method));
	switch (event->kind) {
	case EVENT_START:
		request->started = true;
		request->started_us = event->log_us;
		break;
	case EVENT_FINISH:
		request->finished = true;
		request->finished_us = event->log_us;
		request->took_ms = event->took_ms;
		break;
	default:
		free(request->failure);
		request->failure = strdup(event->failure);
		request->finished = true;
		if (request->finished_us == EVENT_TIME_UNKNOWN)
			request->finished_us = event->log_us;
		break;
	}
}

/* --- calls --- */

static void learn_zone(struct model_request *request, const struct event *event)
{
	if (event->log_us == EVENT_TIME_UNKNOWN)
		return;
	int64_t apart = event->log_us - (event->call.start_ms + event->call.duration_ms) * 1000;
	int64_t quarters = (apart >= 0 ? apart + QUARTER_US / 2 : apart - QUARTER_US / 2) / QUARTER_US;
	int64_t lag = apart - quarters * QUARTER_US;
	if (lag > MAX_LAG_US || lag < -MAX_LAG_US)
		return;
	request->ahead_us = quarters * QUARTER_US;
	request->ahead_known = true;
}

static const char *copy(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copied = memcpy(*at, text, size);

	*at += size;
	return copied;
}

static struct model_call *new_call(const struct event_call *call)
{
	size_t size = sizeof(struct model_call) + strlen(call->action) + strlen(call->purpose) + strlen(call->code) +
		      strlen(call->aws_request_id) + 4;
	struct model_call *new = malloc(size);

	if (new == NULL)
		return NULL;
	char *texts = (char *)(new + 1);
	*new = (struct model_call){
		.start_ms = call->start_ms,
		.duration_ms = call->duration_ms,
		.wait_ms = call->wait_ms,
		.throttle_ms = call->throttle_ms,
		.attempts = call->attempts,
		.throttled = call->throttled,
		.status = call->status,
		.size = size,
	};
	new->action = copy(&texts, call->action);
	new->purpose = copy(&texts, call->purpose);
	new->code = copy(&texts, call->code);
	new->aws_request_id = copy(&texts, call->aws_request_id);
	return new;
}

static ssize_t keep_call(struct model_request *request, const struct event_call *call)
{
	if (request->n_kept == request->size_kept) {
		size_t size = request->size_kept == 0 ? 8 : request->size_kept * 2;
		struct model_call **larger = realloc(request->kept, size * sizeof(struct model_call *));
		if (larger == NULL)
			return -1;
		request->kept = larger;
		request->size_kept = size;
	}
	struct model_call *new = new_call(call);
	if (new == NULL)
		return -1;
	request->kept[request->n_kept++] = new;
	return (ssize_t)new->size;
}

ssize_t model_request_call(struct model_request *request, const struct event *event, bool room)
{
	const struct event_call *call = &event->call;
	int64_t end_ms = call->start_ms + call->duration_ms;

	if (request->task == 0)
		request->task = event->task;
	learn_zone(request, event);
	if (request->calls == 0 || call->start_ms < request->first_ms)
		request->first_ms = call->start_ms;
	if (request->calls == 0 || end_ms > request->last_ms)
		request->last_ms = end_ms;
	request->calls++;
	request->attempts += call->attempts;
	request->throttled += call->throttled;
	request->errors += call->code[0] != '\0';
	if (!room || request->n_kept >= MODEL_MAX_CALLS) {
		request->dropped_ms += call->duration_ms;
		return 0;
	}
	return keep_call(request, call);
}

/* --- its times --- */

static int by_start(const void *a, const void *b)
{
	const struct model_call *left = *(struct model_call *const *)a;
	const struct model_call *right = *(struct model_call *const *)b;

	if (left->start_ms != right->start_ms)
		return left->start_ms < right->start_ms ? -1 : 1;
	if (left->duration_ms != right->duration_ms)
		return left->duration_ms > right->duration_ms ? -1 : 1;
	return strcmp(left->aws_request_id, right->aws_request_id);
}

/* The time in which at least one call was under way; the calls are in order. */
static int64_t busy_ms(const struct model_request *request)
{
	int64_t busy = request->dropped_ms;
	int64_t until = INT64_MIN;

	for (size_t i = 0; i < request->n_kept; i++) {
		int64_t from = request->kept[i]->start_ms;
		int64_t to = from + request->kept[i]->duration_ms;
		if (to <= until)
			continue;
		busy += to - (from > until ? from : until);
		until = to;
	}
	return busy;
}

void model_request_close(struct model_request *request, int64_t ahead_us)
{
	bool begin_known = request->started_us != EVENT_TIME_UNKNOWN;
	bool end_known = request->finished_us != EVENT_TIME_UNKNOWN;
	int64_t begin = request->calls > 0 ? request->first_ms : INT64_MAX;
	int64_t end = request->calls > 0 ? request->last_ms : INT64_MIN;

	if (request->ahead_known)
		ahead_us = request->ahead_us;
	if (end_known && (request->finished_us - ahead_us) / 1000 > end)
		end = (request->finished_us - ahead_us) / 1000;
	int64_t first = begin_known ? (request->started_us - ahead_us) / 1000 :
			end_known ? (request->finished_us - ahead_us) / 1000 - request->took_ms : begin;
	if (first < begin)
		begin = first;
	if (end < begin)
		end = begin;
	request->start_ms = begin == INT64_MAX ? 0 : begin;
	request->total_ms = begin == INT64_MAX ? request->took_ms : end - begin;
	if (request->n_kept > 1)
		qsort(request->kept, request->n_kept, sizeof(struct model_call *), by_start);
	request->aws_ms = busy_ms(request);
	if (request->aws_ms > request->total_ms)
		request->aws_ms = request->total_ms;
}
