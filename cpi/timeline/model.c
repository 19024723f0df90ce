/* SPDX-License-Identifier: Apache-2.0 */
/* Which request an event belongs to, and what is kept of it. What a request's times are once it has ended is in model_request.c. */
#include "cpi/timeline/model.h"

#include <stdlib.h>
#include <string.h>

#include "cpi/timeline/model_request.h"
#include "cpi/timeline/seen.h"

#define N_BUCKETS 4096
/* Later than that after its last line a process has not come back to a request: the number was given to another one. */
#define LATE_MS ((int64_t)60 * 1000)
#define SILENT_MS ((int64_t)12 * 3600 * 1000)
/* For lines whose process is unknown, which are few. */
#define MAX_LOOKED_AT 256

struct model {
	struct model_options options;
	struct model_request *buckets[N_BUCKETS];
	struct model_request *oldest, *newest; /* of the open ones, by their last event */
	size_t n_open;
	struct model_request **kept; /* closed; a heap: the first to go is on top */
	size_t n_kept, size_kept;
	uint64_t left_out;
	uint64_t repeated;
	size_t call_bytes;
	int64_t ahead_us; /* as last seen */
	struct totals totals;
	struct seen seen;
	bool failed;
};

struct model *model_new(const struct model_options *options)
{
	struct model *model = calloc(1, sizeof(*model));

	if (model != NULL)
		model->options = *options;
	return model;
}

static void free_request(struct model *model, struct model_request *request)
{
	model->call_bytes -= model_request_free(request);
}

void model_free(struct model *model)
{
	if (model == NULL)
		return;
	while (model->oldest != NULL) {
		struct model_request *request = model->oldest;
		model->oldest = request->newer;
		free_request(model, request);
	}
	for (size_t i = 0; i < model->n_kept; i++)
		free_request(model, model->kept[i]);
	free(model->kept);
	totals_free(&model->totals);
	seen_free(&model->seen);
	free(model);
}

/* --- the open ones ------------------------------------------------------------------------------------------------ */

static struct model_request **bucket_of(struct model *model, const char *id, uint32_t pid)
{
	size_t hash = 5381;

	for (; *id != '\0'; id++)
		hash = hash * 33 + (unsigned char)*id;
	return &model->buckets[(hash * 33 + pid) % N_BUCKETS];
}

static void link_newest(struct model *model, struct model_request *request)
{
	request->newer = NULL;
	request->older = model->newest;
	*(model->newest == NULL ? &model->oldest : &model->newest->newer) = request;
	model->newest = request;
}

static void unlink_open(struct model *model, struct model_request *request)
{
	*(request->older == NULL ? &model->oldest : &request->older->newer) = request->newer;
	*(request->newer == NULL ? &model->newest : &request->newer->older) = request->older;
}

static void enter_bucket(struct model *model, struct model_request *request)
{
	struct model_request **bucket = bucket_of(model, request->id, request->pid);

	request->next = *bucket;
	*bucket = request;
}

static void leave_bucket(struct model *model, struct model_request *request)
{
	struct model_request **at = bucket_of(model, request->id, request->pid);

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
}

/* --- the closed ones ---------------------------------------------------------------------------------------------- */

static size_t capacity(const struct model *model, size_t n_closed)
{
	if (model->options.slowest > 0)
		return model->options.slowest;
	return n_closed <= MODEL_KEEP_ALL && model->left_out == 0 ? MODEL_KEEP_ALL : MODEL_KEEP_SLOWEST;
}

/* Of two that took as long, the one that began first stays. */
static bool goes_first(const struct model_request *one, const struct model_request *other)
{
	if (one->total_ms != other->total_ms)
		return one->total_ms < other->total_ms;
	return one->start_ms > other->start_ms;
}

static void swap(struct model_request **kept, size_t one, size_t other)
{
	struct model_request *request = kept[one];

	kept[one] = kept[other];
	kept[other] = request;
}

static void drop_fastest(struct model *model)
{
	struct model_request **kept = model->kept;

	free_request(model, kept[0]);
	model->left_out++;
	kept[0] = kept[--model->n_kept];
	for (size_t at = 0, child = 1; child < model->n_kept; child = 2 * at + 1) {
		if (child + 1 < model->n_kept && goes_first(kept[child + 1], kept[child]))
			child++;
		if (!goes_first(kept[child], kept[at]))
			break;
		swap(kept, at, child);
		at = child;
	}
}

static int push(struct model *model, struct model_request *request)
{
	if (model->n_kept == model->size_kept) {
		size_t size = model->size_kept == 0 ? 64 : model->size_kept * 2;
		struct model_request **larger = realloc(model->kept, size * sizeof(struct model_request *));
		if (larger == NULL)
			return -1;
		model->kept = larger;
		model->size_kept = size;
	}
	model->kept[model->n_kept] = request;
	for (size_t at = model->n_kept++; at > 0; at = (at - 1) / 2) {
		if (!goes_first(model->kept[at], model->kept[(at - 1) / 2]))
			break;
		swap(model->kept, at, (at - 1) / 2);
	}
	return 0;
}

static void keep(struct model *model, struct model_request *request)
{
	size_t most = capacity(model, model->n_kept + 1);

	if (push(model, request) != 0) {
		free_request(model, request);
		model->failed = true;
	}
	while (model->n_kept > most)
		drop_fastest(model);
}

static void close_request(struct model *model, struct model_request *request)
{
	leave_bucket(model, request);
	unlink_open(model, request);
	model->n_open--;
	model_request_close(request, model->ahead_us);
	keep(model, request);
}

/* --- one event ---------------------------------------------------------------------------------------------------- */

static struct model_request *open_request(struct model *model, const struct event *event)
{
	if (model->n_open >= MODEL_MAX_OPEN)
		close_request(model, model->oldest);
	struct model_request *request = model_request_new(event);
	if (request == NULL) {
		model->failed = true;
		return NULL;
	}
	enter_bucket(model, request);
	link_newest(model, request);
	model->n_open++;
	return request;
}

static struct model_request *find_exactly(struct model *model, const char *id, uint32_t pid)
{
	struct model_request *at = *bucket_of(model, id, pid);

	while (at != NULL && (at->pid != pid || strcmp(at->id, id) != 0))
		at = at->next;
	return at;
}

/* Now it is known whose it is. */
static struct model_request *rename_request(struct model *model, struct model_request *request,
					    const struct event *event)
{
	leave_bucket(model, request);
	memcpy(request->id, event->request_id, sizeof(request->id));
	request->pid = event->pid;
	enter_bucket(model, request);
	return request;
}

/* The last one with that id, of a line whose process is cut off. */
static struct model_request *find_by_id(const struct model *model, const char *id)
{
	struct model_request *at = model->newest;

	for (int i = 0; at != NULL && i < MAX_LOOKED_AT; i++, at = at->older) {
		if (strcmp(at->id, id) == 0)
			return at;
	}
	return NULL;
}

/* The open request of that id and process, as far as they are known. */
static struct model_request *find_open(struct model *model, const struct event *event)
{
	struct model_request *found = find_exactly(model, event->request_id, event->pid);

	if (found != NULL || event->request_id[0] == '\0')
		return found;
	if (event->pid == 0)
		return find_by_id(model, event->request_id);
	found = find_exactly(model, event->request_id, 0);
	if (found != NULL)
		return rename_request(model, found, event);
	/* a process that gives itself an id once it has begun */
	found = event->kind == EVENT_START ? NULL : find_exactly(model, "", event->pid);
	return found == NULL || found->finished ? NULL : rename_request(model, found, event);
}

/* Whether an event of the same id and process number is another request's all the same. */
static bool is_another(const struct model_request *request, const struct event *event)
{
	int64_t now_ms = event->call.start_ms;

	if (event->kind == EVENT_START)
		return request->started || request->finished;
	if (event->kind != EVENT_CALL || request->calls == 0)
		return false;
	if (request->finished && now_ms > request->last_ms + LATE_MS && request->ahead_known)
		return now_ms * 1000 > request->finished_us - request->ahead_us + LATE_MS * 1000;
	return now_ms > request->last_ms + SILENT_MS;
}

static struct model_request *request_of(struct model *model, const struct event *event)
{
	struct model_request *request = find_open(model, event);

	if (request != NULL && is_another(request, event)) {
		close_request(model, request);
		request = NULL;
	}
	if (request == NULL)
		return open_request(model, event);
	unlink_open(model, request);
	link_newest(model, request);
	return request;
}

static bool is_wanted(const struct model *model, const char *id)
{
	static const char director[] = "cpi-";
	const char *only = model->options.only_id;

	if (only == NULL || strcmp(only, id) == 0)
		return true;
	return strncmp(id, director, strlen(director)) == 0 && strcmp(only, id + strlen(director)) == 0;
}

void model_take(void *self, const struct event *event)
{
	struct model *model = self;

	if (!is_wanted(model, event->request_id))
		return;
	if (!seen_add(&model->seen, event)) {
		model->repeated++;
		return;
	}
	struct model_request *request = request_of(model, event);
	if (request == NULL)
		return;
	if (event->kind != EVENT_CALL) {
		model_request_line(request, event);
		return;
	}
	totals_add(&model->totals, &event->call);
	ssize_t size = model_request_call(request, event, model->call_bytes < MODEL_MAX_BYTES);
	if (size < 0)
		model->failed = true;
	else
		model->call_bytes += (size_t)size;
	if (request->ahead_known)
		model->ahead_us = request->ahead_us;
}

static int by_start(const void *a, const void *b)
{
	const struct model_request *left = *(struct model_request *const *)a;
	const struct model_request *right = *(struct model_request *const *)b;

	if (left->start_ms != right->start_ms)
		return left->start_ms < right->start_ms ? -1 : 1;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return strcmp(left->id, right->id);
}

int model_finish(struct model *model, struct model_result *ret_result, struct error *err)
{
	while (model->oldest != NULL)
		close_request(model, model->oldest);
	if (model->failed || model->totals.failed || model->seen.failed)
		return error_nomem(err);
	if (model->n_kept > 1)
		qsort(model->kept, model->n_kept, sizeof(struct model_request *), by_start);
	totals_sort(&model->totals);
	*ret_result = (struct model_result){
		.requests = model->kept,
		.count = model->n_kept,
		.left_out = model->left_out,
		.repeated = model->repeated,
		.totals = &model->totals,
	};
	return 0;
}
