/* SPDX-License-Identifier: Apache-2.0 */
/* Which events make one request, a request's times, what is kept of long logs, and the totals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpi/timeline/model.h"
#include "cpi/timeline/rows.h"
#include "cpi/timeline/seen.h"
#include "tests/unit/fail_alloc.h"

/* 2026-11-21T21:00:00Z */
#define T0_MS INT64_C(1795294800000)
#define HOUR_MS ((int64_t)3600 * 1000)

static struct event event_of(enum event_kind kind, const char *id, uint32_t pid, int64_t at_ms)
{
	struct event event = { .kind = kind, .pid = pid, .log_us = at_ms * 1000 };

	snprintf(event.request_id, sizeof(event.request_id), "%s", id);
	if (kind != EVENT_CALL)
		snprintf(event.method, sizeof(event.method), "has_vm");
	return event;
}

static void take_line(struct model *model, enum event_kind kind, const char *id, uint32_t pid, int64_t at_ms)
{
	struct event event = event_of(kind, id, pid, at_ms);

	if (kind == EVENT_FAILURE)
		snprintf(event.failure, sizeof(event.failure), "it went wrong");
	model_take(model, &event);
}

/* A call from at_ms on, logged as it ends, in a time zone that is so far ahead. */
static struct event call_of(const char *id, uint32_t pid, int64_t at_ms, int64_t duration_ms, int64_t ahead_ms)
{
	struct event event = event_of(EVENT_CALL, id, pid, at_ms + duration_ms + ahead_ms);

	event.call.start_ms = at_ms;
	event.call.duration_ms = duration_ms;
	event.call.attempts = 1;
	event.call.status = 200;
	snprintf(event.call.action, sizeof(event.call.action), "DescribeVolumes");
	snprintf(event.call.purpose, sizeof(event.call.purpose), "volume vol-1");
	snprintf(event.call.aws_request_id, sizeof(event.call.aws_request_id), "%lld-%lld", (long long)at_ms,
		 (long long)duration_ms);
	return event;
}

static void take_call(struct model *model, const char *id, uint32_t pid, int64_t at_ms, int64_t duration_ms)
{
	struct event event = call_of(id, pid, at_ms, duration_ms, 0);

	model_take(model, &event);
}

static struct model *new_model(const char *only_id, size_t slowest)
{
	struct model_options options = { .only_id = only_id, .slowest = slowest };
	struct model *model = model_new(&options);

	assert_non_null(model);
	return model;
}

static struct model_result finish(struct model *model)
{
	struct model_result result;
	struct error err;

	assert_int_equal(model_finish(model, &result, &err), 0);
	return result;
}

static void test_one_request(void **state)
{
	struct model *model = new_model(NULL, 0);

	(void)state;
	take_line(model, EVENT_START, "cpi-1", 7, T0_MS);
	/* two side by side, one after a gap, one within another */
	take_call(model, "cpi-1", 7, T0_MS + 100, 200);
	take_call(model, "cpi-1", 7, T0_MS + 200, 200);
	take_call(model, "cpi-1", 7, T0_MS + 600, 300);
	take_call(model, "cpi-1", 7, T0_MS + 700, 50);
	take_line(model, EVENT_FINISH, "cpi-1", 7, T0_MS + 1000);
	take_line(model, EVENT_FAILURE, "cpi-1", 7, T0_MS + 1000);
	struct model_result result = finish(model);
	assert_int_equal(result.count, 1);
	const struct model_request *request = result.requests[0];
	assert_string_equal(request->method, "has_vm");
	assert_string_equal(request->failure, "it went wrong");
	assert_true(request->started && request->finished);
	assert_int_equal(request->start_ms, T0_MS);
	assert_int_equal(request->total_ms, 1000);
	assert_int_equal(request->aws_ms, 300 + 300);
	assert_int_equal(request->calls, 4);
	assert_int_equal(request->n_kept, 4);
	assert_int_equal(result.totals->all.total_ms, 750);
	assert_int_equal(result.totals->all.max_ms, 300);
	model_free(model);
}

/* The lines' time is local; a call's start is not. */
static void test_time_zones(void **state)
{
	static const int64_t ahead[] = { 0, 2 * HOUR_MS, -8 * HOUR_MS, 5 * HOUR_MS + HOUR_MS / 2, 13 * HOUR_MS };

	(void)state;
	for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		struct model *model = new_model(NULL, 0);
		struct event call = call_of("cpi-1", 7, T0_MS + 100, 200, ahead[i] + 3);
		take_line(model, EVENT_START, "cpi-1", 7, T0_MS + ahead[i]);
		model_take(model, &call);
		take_line(model, EVENT_FINISH, "cpi-1", 7, T0_MS + 1000 + ahead[i]);
		/* one without calls: as the others */
		take_line(model, EVENT_START, "cpi-2", 8, T0_MS + 500 + ahead[i]);
		struct model_result result = finish(model);
		assert_int_equal(result.count, 2);
		assert_int_equal(result.requests[0]->start_ms, T0_MS);
		assert_int_equal(result.requests[0]->total_ms, 1000);
		assert_int_equal(result.requests[1]->start_ms, T0_MS + 500);
		model_free(model);
	}
}

static void test_requests_apart(void **state)
{
	struct model *model = new_model(NULL, 0);

	(void)state;
	take_line(model, EVENT_START, "cpi-1", 7, T0_MS);
	take_line(model, EVENT_START, "cpi-2", 8, T0_MS + 1);
	take_call(model, "cpi-2", 8, T0_MS + 10, 5);
	take_call(model, "cpi-1", 7, T0_MS + 10, 5);
	/* the same id from another process */
	take_call(model, "cpi-1", 9, T0_MS + 20, 5);
	/* and from the same number, which came again */
	take_line(model, EVENT_FINISH, "cpi-1", 7, T0_MS + 30);
	take_line(model, EVENT_START, "cpi-1", 7, T0_MS + 10000);
	take_call(model, "cpi-1", 7, T0_MS + 10010, 5);
	/* long after the end: nobody's undo takes so long */
	take_line(model, EVENT_FINISH, "cpi-2", 8, T0_MS + 40);
	take_call(model, "cpi-2", 8, T0_MS + 50, 5);
	take_call(model, "cpi-2", 8, T0_MS + 200000, 5);
	struct model_result result = finish(model);
	assert_int_equal(result.count, 5);
	static const struct {
		const char *id;
		uint32_t pid;
		uint64_t calls;
	} expected[] = { { "cpi-1", 7, 1 }, { "cpi-2", 8, 2 }, { "cpi-1", 9, 1 }, { "cpi-1", 7, 1 }, { "cpi-2", 8, 1 } };
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(result.requests[i]->id, expected[i].id);
		assert_int_equal(result.requests[i]->pid, expected[i].pid);
		assert_int_equal(result.requests[i]->calls, expected[i].calls);
	}
	model_free(model);
}

/* What a cut has taken from a line does not make another request. */
static void test_unknown_heads(void **state)
{
	struct model *model = new_model(NULL, 0);

	(void)state;
	take_call(model, "cpi-1", 0, T0_MS, 5);
	take_call(model, "cpi-1", 7, T0_MS + 10, 5);
	take_call(model, "cpi-1", 0, T0_MS + 20, 5);
	/* a process that had no id before */
	take_line(model, EVENT_START, "", 8, T0_MS + 30);
	take_call(model, "3d1f", 8, T0_MS + 40, 5);
	take_line(model, EVENT_FINISH, "3d1f", 8, T0_MS + 50);
	struct model_result result = finish(model);
	assert_int_equal(result.count, 2);
	assert_int_equal(result.requests[0]->calls, 3);
	assert_int_equal(result.requests[0]->pid, 7);
	assert_string_equal(result.requests[1]->id, "3d1f");
	assert_true(result.requests[1]->started && result.requests[1]->finished);
	model_free(model);
}

/* Processes without ids are no reason to look long. */
static void test_many_without_ids(void **state)
{
	struct model *model = new_model(NULL, 0);
	const uint32_t count = 300000;

	(void)state;
	for (uint32_t pid = 1; pid <= count; pid++)
		take_line(model, EVENT_START, "", pid, T0_MS + pid);
	/* the last ones are still open */
	for (uint32_t pid = count; pid > count - MODEL_MAX_OPEN; pid--)
		take_line(model, EVENT_FINISH, "", pid, T0_MS + count + pid);
	struct model_result result = finish(model);
	assert_int_equal(result.count + result.left_out, count);
	for (size_t i = 0; i < result.count; i++)
		assert_true(result.requests[i]->started && result.requests[i]->finished);
	model_free(model);
}

static void test_repeated(void **state)
{
	struct model *model = new_model(NULL, 0);

	(void)state;
	for (int round = 0; round < 3; round++) {
		take_line(model, EVENT_START, "cpi-1", 7, T0_MS);
		take_call(model, "cpi-1", 7, T0_MS + 10, 5);
		take_call(model, "cpi-1", 7, T0_MS + 10, 6);
		/* no answer, so no id of AWS's: the purpose tells two calls apart */
		struct event call = call_of("cpi-1", 7, T0_MS + 20, 5, 0);
		call.call.aws_request_id[0] = '\0';
		model_take(model, &call);
		snprintf(call.call.purpose, sizeof(call.call.purpose), "volume vol-2");
		model_take(model, &call);
		take_line(model, EVENT_FINISH, "cpi-1", 7, T0_MS + 30);
	}
	struct model_result result = finish(model);
	assert_int_equal(result.count, 1);
	assert_int_equal(result.totals->all.calls, 4);
	assert_int_equal(result.repeated, 12);
	model_free(model);
}

/* The same moment in two processes is no repetition. */
static void test_alike_in_two_processes(void **state)
{
	struct model *model = new_model(NULL, 0);

	(void)state;
	for (uint32_t pid = 7; pid < 9; pid++) {
		take_line(model, EVENT_START, "cpi-1", pid, T0_MS);
		take_call(model, "cpi-1", pid, T0_MS + 10, 5);
	}
	struct model_result result = finish(model);
	assert_int_equal(result.count, 2);
	assert_int_equal(result.repeated, 0);
	assert_int_equal(result.totals->all.calls, 2);
	model_free(model);
}

/* Of calls side by side the first to begin may be the last to end. */
static void test_without_first_and_last_line(void **state)
{
	struct model *model = new_model(NULL, 0);

	(void)state;
	take_call(model, "cpi-1", 7, T0_MS + 100, 50);
	take_call(model, "cpi-1", 7, T0_MS + 20, 200);
	struct model_result result = finish(model);
	assert_int_equal(result.requests[0]->start_ms, T0_MS + 20);
	assert_int_equal(result.requests[0]->total_ms, 200);
	assert_int_equal(result.requests[0]->aws_ms, 200);
	assert_int_equal(result.requests[0]->kept[0]->start_ms, T0_MS + 20);
	assert_false(result.requests[0]->started || result.requests[0]->finished);
	model_free(model);
}

static void test_seen_window(void **state)
{
	struct seen seen = { 0 };
	const int64_t count = 3 * (int64_t)SEEN_WINDOW / 2;

	(void)state;
	for (int64_t i = 0; i < count; i++) {
		struct event event = event_of(EVENT_START, "cpi-1", 7, i);
		assert_true(seen_add(&seen, &event));
	}
	for (int64_t i = count - SEEN_WINDOW; i < count; i++) {
		struct event event = event_of(EVENT_START, "cpi-1", 7, i);
		assert_false(seen_add(&seen, &event));
	}
	seen_free(&seen);
}

static void test_only_one(void **state)
{
	static const char *const ids[] = { "cpi-17", "17" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct model *model = new_model(ids[i], 0);
		take_call(model, "cpi-17", 7, T0_MS, 5);
		take_call(model, "cpi-170", 8, T0_MS, 5);
		struct model_result result = finish(model);
		assert_int_equal(result.count, 1);
		assert_int_equal(result.left_out, 0);
		assert_int_equal(result.totals->all.calls, 1);
		model_free(model);
	}
}

static void take_many(struct model *model, size_t count)
{
	char id[32];

	for (size_t i = 0; i < count; i++) {
		/* their durations in no order, each once */
		int64_t ms = (int64_t)(i * 7919 % count) + 1;
		snprintf(id, sizeof(id), "cpi-%zu", i);
		take_call(model, id, 7, T0_MS + (int64_t)i, ms);
	}
}

static void test_the_slowest_are_kept(void **state)
{
	static const struct {
		size_t requests, slowest, kept;
	} table[] = { { 200, 0, 200 }, { 201, 0, 20 }, { 10000, 0, 20 }, { 10000, 33, 33 }, { 50, 33, 33 }, { 5, 33, 5 } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct model *model = new_model(NULL, table[i].slowest);
		take_many(model, table[i].requests);
		struct model_result result = finish(model);
		assert_int_equal(result.count, table[i].kept);
		assert_int_equal(result.left_out, table[i].requests - table[i].kept);
		assert_int_equal(result.totals->all.calls, table[i].requests);
		for (size_t r = 0; r < result.count; r++) {
			assert_true(result.requests[r]->total_ms > (int64_t)(table[i].requests - table[i].kept));
			assert_true(r == 0 || result.requests[r]->start_ms > result.requests[r - 1]->start_ms);
		}
		model_free(model);
	}
}

/* More calls than are kept are counted, and so is their time. */
static void test_long_request(void **state)
{
	struct model *model = new_model(NULL, 0);

	(void)state;
	for (int64_t i = 0; i < MODEL_MAX_CALLS + 500; i++)
		take_call(model, "cpi-1", 7, T0_MS + i * 10, 4);
	struct model_result result = finish(model);
	assert_int_equal(result.requests[0]->calls, MODEL_MAX_CALLS + 500);
	assert_int_equal(result.requests[0]->n_kept, MODEL_MAX_CALLS);
	assert_int_equal(result.requests[0]->aws_ms, (MODEL_MAX_CALLS + 500) * 4);
	model_free(model);
}

static void test_totals(void **state)
{
	struct totals totals = { 0 };
	struct event_call call = { .action = "DescribeVolumes", .attempts = 2 };

	(void)state;
	/* few: exact; the upper of the two in the middle */
	for (int64_t i = 0; i < 4; i++) {
		call.duration_ms = 10000 + 1111 * (i * 3 % 4);
		totals_add(&totals, &call);
	}
	assert_int_equal(totals_median(totals.actions[0]), 12222);
	/* many: close */
	for (int64_t i = 0; i < 100000; i++) {
		call.duration_ms = i * 77 % 100000;
		snprintf(call.code, sizeof(call.code), "%s", i % 10 == 0 ? "Throttling" : "");
		totals_add(&totals, &call);
	}
	int64_t median = totals_median(totals.actions[0]);
	assert_in_range(median, 49800, 50200);
	assert_int_equal(totals.actions[0]->errors, 10000);
	assert_int_equal(totals.actions[0]->attempts, 200008);
	snprintf(call.action, sizeof(call.action), "CreateVolume");
	call.duration_ms = 7;
	for (int i = 0; i < 99; i++)
		totals_add(&totals, &call);
	totals_sort(&totals);
	assert_string_equal(totals.actions[1]->name, "CreateVolume");
	assert_int_equal(totals_median(totals.actions[1]), 7);
	/* of any size */
	call.duration_ms = INT64_C(9999999999);
	for (int i = 0; i < 200; i++)
		totals_add(&totals, &call);
	assert_in_range(totals_median(totals.actions[1]), INT64_C(9960000000), INT64_C(9999999999));
	totals_free(&totals);
}

static void test_many_actions(void **state)
{
	struct totals totals = { 0 };
	struct event_call call = { .attempts = 1, .duration_ms = 1 };

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(call.action, sizeof(call.action), "Action%d", i % 1000);
		totals_add(&totals, &call);
	}
	assert_int_equal(totals.count, TOTALS_MAX_ACTIONS + 1);
	assert_int_equal(totals.all.calls, 2000);
	totals_sort(&totals);
	assert_string_equal(totals.actions[0]->name, TOTALS_OTHERS);
	assert_int_equal(totals.actions[0]->calls, 2000 - 2 * TOTALS_MAX_ACTIONS);
	assert_int_equal(totals.actions[1]->calls, 2);
	totals_free(&totals);
}

static void test_rows(void **state)
{
	struct model *model = new_model(NULL, 0);
	struct rows rows;

	(void)state;
	/* looks for two things in turn, one of which had to be repeated, one failed; three of something else */
	for (int64_t i = 0; i < 8; i++) {
		struct event call = call_of("cpi-1", 7, T0_MS + i * 100, 10 + i, 0);
		call.call.attempts = i == 2 ? 3 : 1;
		snprintf(call.call.purpose, sizeof(call.call.purpose), "%s", i % 2 == 0 ? "one" : "other");
		snprintf(call.call.code, sizeof(call.call.code), "%s", i == 7 ? "NotFound" : "");
		model_take(model, &call);
	}
	struct model_result result = finish(model);
	assert_int_equal(rows_make(result.requests[0], &rows), 0);
	assert_int_equal(rows.count, 8);
	rows_free(&rows);
	model_free(model);

	model = new_model(NULL, 0);
	for (int64_t i = 0; i < 10; i++) {
		struct event call = call_of("cpi-1", 7, T0_MS + i * 100, 10 + i, 0);
		call.call.attempts = i == 4 ? 3 : 1;
		snprintf(call.call.purpose, sizeof(call.call.purpose), "%s", i % 2 == 0 ? "one" : "other");
		model_take(model, &call);
	}
	result = finish(model);
	assert_int_equal(rows_make(result.requests[0], &rows), 0);
	assert_int_equal(rows.count, 3);
	assert_int_equal(rows.rows[0].count, 4);
	assert_int_equal(rows.rows[0].sum_ms, 10 + 12 + 16 + 18);
	assert_int_equal(rows.rows[1].count, 5);
	assert_int_equal(rows.rows[2].count, 1);
	size_t index = rows.rows[1].index;
	for (size_t i = 1; i < 5; i++)
		assert_true(rows_next(&rows, &index));
	assert_false(rows_next(&rows, &index));
	rows_free(&rows);
	model_free(model);
}

static void test_parts(void **state)
{
	static const struct {
		struct model_call call;
		size_t count;
		enum part_kind kinds[ROWS_MAX_PARTS];
		int64_t ends[ROWS_MAX_PARTS];
	} table[] = {
		{ { .duration_ms = 100, .attempts = 1 }, 1, { PART_WORK }, { 100 } },
		{ { .duration_ms = 0, .attempts = 1 }, 1, { PART_WORK }, { 0 } },
		{ { .duration_ms = 100, .attempts = 2, .wait_ms = 60 }, 3, { PART_WORK, PART_WAIT, PART_WORK }, { 20, 80, 100 } },
		{ { .duration_ms = 100, .attempts = 1, .wait_ms = 60, .throttle_ms = 60 }, 2, { PART_THROTTLE, PART_WORK }, { 60, 100 } },
		{ { .duration_ms = 100, .attempts = 4, .wait_ms = 60, .throttle_ms = 20 }, 4,
		  { PART_WORK, PART_THROTTLE, PART_WAIT, PART_WORK }, { 10, 30, 70, 100 } },
		{ { .duration_ms = 100, .attempts = 2, .wait_ms = 100, .throttle_ms = 100 }, 1, { PART_THROTTLE }, { 100 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct part parts[ROWS_MAX_PARTS];
		assert_int_equal(rows_parts(&table[i].call, parts), table[i].count);
		for (size_t p = 0; p < table[i].count; p++) {
			assert_int_equal(parts[p].kind, table[i].kinds[p]);
			assert_int_equal(parts[p].to_ms, table[i].ends[p]);
			assert_int_equal(parts[p].from_ms, p == 0 ? 0 : table[i].ends[p - 1]);
		}
	}
}

static void test_no_memory(void **state)
{
	bool failed = true;

	(void)state;
	for (long n = 0; failed; n++) {
		struct model_options options = { 0 };
		struct model_result result;
		struct error err = { 0 };
		fail_alloc_after(n);
		struct model *model = model_new(&options);
		int status = -1;
		if (model != NULL) {
			take_many(model, 300);
			take_line(model, EVENT_FAILURE, "cpi-1", 7, T0_MS);
			status = model_finish(model, &result, &err);
		}
		failed = fail_alloc_off();
		/* the text of a failure may be lost, a number may not */
		if (status == 0)
			assert_int_equal(result.totals->all.calls, 300);
		else if (model != NULL)
			assert_int_equal(err.kind, ERROR_NOMEM);
		assert_true(failed || status == 0);
		model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_request),
		cmocka_unit_test(test_time_zones),
		cmocka_unit_test(test_requests_apart),
		cmocka_unit_test(test_unknown_heads),
		cmocka_unit_test(test_many_without_ids),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_alike_in_two_processes),
		cmocka_unit_test(test_without_first_and_last_line),
		cmocka_unit_test(test_seen_window),
		cmocka_unit_test(test_only_one),
		cmocka_unit_test(test_the_slowest_are_kept),
		cmocka_unit_test(test_long_request),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_many_actions),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
