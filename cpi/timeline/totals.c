/* SPDX-License-Identifier: Apache-2.0 */
/* For the median each action has a histogram: one bucket a millisecond at first, then 128 for each doubling. */
#include "cpi/timeline/totals.h"

#include <stdlib.h>
#include <string.h>

#define EXACT 256
#define PER_DOUBLING 128
#define DOUBLINGS 32
#define BUCKETS (EXACT + DOUBLINGS * PER_DOUBLING)
#define N_HASHED (sizeof(((struct totals *)0)->by_hash) / sizeof(((struct totals *)0)->by_hash[0]))

static size_t bucket_of(int64_t ms)
{
	unsigned doubling = 0;

	if (ms < EXACT)
		return ms < 0 ? 0 : (size_t)ms;
	while (ms >> doubling >= EXACT)
		doubling++;
	if (doubling > DOUBLINGS)
		return BUCKETS - 1;
	return EXACT + (doubling - 1) * (size_t)PER_DOUBLING + (size_t)(ms >> doubling) - PER_DOUBLING;
}

/* The middle of a bucket. */
static int64_t bucket_ms(size_t bucket)
{
	if (bucket < EXACT)
		return (int64_t)bucket;
	size_t doubling = (bucket - EXACT) / PER_DOUBLING + 1;
	int64_t from = (int64_t)((bucket - EXACT) % PER_DOUBLING + PER_DOUBLING) << doubling;
	return from + (((int64_t)1 << doubling) - 1) / 2;
}

static struct totals_action *new_action(struct totals *totals, const char *name)
{
	struct totals_action *action = calloc(1, sizeof(*action));

	if (action == NULL)
		return NULL;
	action->histogram = calloc(BUCKETS, sizeof(*action->histogram));
	if (action->histogram == NULL) {
		free(action);
		return NULL;
	}
	memcpy(action->name, name, strlen(name) + 1);
	totals->actions[totals->count++] = action;
	return action;
}

static struct totals_action *find_action(struct totals *totals, const char *name)
{
	size_t at = 5381;

	for (const char *c = name; *c != '\0'; c++)
		at = at * 33 + (unsigned char)*c;
	for (at %= N_HASHED; totals->by_hash[at] != NULL; at = (at + 1) % N_HASHED) {
		if (strcmp(totals->by_hash[at]->name, name) == 0)
			return totals->by_hash[at];
	}
	if (totals->count >= TOTALS_MAX_ACTIONS && strcmp(name, TOTALS_OTHERS) != 0)
		return find_action(totals, TOTALS_OTHERS);
	totals->by_hash[at] = new_action(totals, name);
	return totals->by_hash[at];
}

static void add(struct totals_action *action, const struct event_call *call)
{
	if (action->calls < TOTALS_EXACT)
		action->few[action->calls] = call->duration_ms;
	action->calls++;
	action->attempts += call->attempts;
	action->throttled += call->throttled;
	action->errors += call->code[0] != '\0';
	action->total_ms += call->duration_ms;
	action->wait_ms += call->wait_ms;
	action->throttle_ms += call->throttle_ms;
	if (call->duration_ms > action->max_ms)
		action->max_ms = call->duration_ms;
	if (action->histogram != NULL)
		action->histogram[bucket_of(call->duration_ms)]++;
}

void totals_add(struct totals *totals, const struct event_call *call)
{
	struct totals_action *action = find_action(totals, call->action);

	add(&totals->all, call);
	if (action == NULL)
		totals->failed = true;
	else
		add(action, call);
}

static int more_time(const void *a, const void *b)
{
	const struct totals_action *left = *(struct totals_action *const *)a;
	const struct totals_action *right = *(struct totals_action *const *)b;

	if (left->total_ms != right->total_ms)
		return left->total_ms > right->total_ms ? -1 : 1;
	return strcmp(left->name, right->name);
}

void totals_sort(struct totals *totals)
{
	qsort(totals->actions, totals->count, sizeof(struct totals_action *), more_time);
}

static int shorter(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static int64_t exact_median(const struct totals_action *action)
{
	int64_t sorted[TOTALS_EXACT];

	if (action->calls == 0)
		return 0;
	memcpy(sorted, action->few, sizeof(sorted));
	qsort(sorted, action->calls, sizeof(sorted[0]), shorter);
	return sorted[action->calls / 2];
}

int64_t totals_median(const struct totals_action *action)
{
	uint64_t before = 0;

	if (action->calls <= TOTALS_EXACT)
		return exact_median(action);
	for (size_t i = 0; i < BUCKETS; i++) {
		before += action->histogram[i];
		if (before > action->calls / 2) {
			int64_t ms = bucket_ms(i);
			return ms > action->max_ms ? action->max_ms : ms;
		}
	}
	return action->max_ms;
}

void totals_free(struct totals *totals)
{
	for (size_t i = 0; i < totals->count; i++) {
		free(totals->actions[i]->histogram);
		free(totals->actions[i]);
	}
	*totals = (struct totals){ 0 };
}
