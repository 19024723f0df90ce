/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON object for other programs; docs/timeline.md describes it. */
#include "cpi/timeline/draw.h"

#include <stdio.h>
#include <string.h>

#include "common/json_write.h"
#include "common/parse.h"
#include "common/utf8.h"
#include "cpi/timeline/show.h"

#define MAX_PIECE ((size_t)1024 * 1024)
#define FORMAT_VERSION 1

struct output {
	const struct drawing *drawing;
	struct buf piece;
	struct json_writer json;
	bool failed;
};

static void put_escape(FILE *out, uint32_t code)
{
	if (code > 0xFFFF)
		fprintf(out, "\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF));
	else
		fprintf(out, "\\u%04x", code);
}

/* What is there goes out: the whole may be larger than anybody wants in memory. Characters that JSON allows and a terminal
 * obeys are escaped; they can only stand in strings. */
static void flush(struct output *output)
{
	FILE *out = output->drawing->out;
	const char *text = buf_text(&output->piece);
	const char *end = text + output->piece.len;
	const char *at = text;

	output->failed = output->failed || output->piece.failed;
	while (at < end) {
		size_t len = (unsigned char)*at < 0x7F ? 1 : utf8_length(at, (size_t)(end - at));
		uint32_t code = (unsigned char)*at < 0x7F ? 0 : show_hidden(at, len);
		if (code != 0) {
			fwrite(text, 1, (size_t)(at - text), out);
			put_escape(out, code);
			text = at + len;
		}
		at += len;
	}
	fwrite(text, 1, (size_t)(end - text), out);
	buf_reset(&output->piece);
}

static void put_known(struct json_writer *json, const char *key, const char *text)
{
	json_member_string(json, key, text == NULL || text[0] == '\0' ? NULL : text);
}

static void put_known_number(struct json_writer *json, const char *key, uint64_t number)
{
	json_key(json, key);
	if (number == 0)
		json_null(json);
	else
		json_unsigned(json, number);
}

/* As in the log: "2026-11-21T21:11:50.134Z". */
static void put_time(struct json_writer *json, const char *key, int64_t ms)
{
	char text[FORMAT_ISO8601_SIZE];
	char whole[FORMAT_ISO8601_SIZE + 16];

	json_key(json, key);
	if (ms == 0 || !format_iso8601(ms / 1000, text)) {
		json_null(json);
		return;
	}
	snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int)(ms % 1000));
	json_string(json, whole);
}

static void put_call(struct output *output, const struct model_call *call)
{
	struct json_writer *json = &output->json;

	json_begin_object(json);
	json_member_string(json, "action", call->action);
	json_member_string(json, "for", call->purpose);
	put_time(json, "start", call->start_ms);
	json_member_integer(json, "duration_ms", call->duration_ms);
	json_member_unsigned(json, "attempts", call->attempts);
	json_member_integer(json, "wait_ms", call->wait_ms);
	json_member_unsigned(json, "throttled", call->throttled);
	json_member_integer(json, "throttle_ms", call->throttle_ms);
	put_known_number(json, "status", call->status);
	put_known(json, "code", call->code);
	put_known(json, "aws_request_id", call->aws_request_id);
	json_end_object(json);
	flush(output);
}

static void put_request(struct output *output, const struct model_request *request)
{
	struct json_writer *json = &output->json;

	json_begin_object(json);
	put_known(json, "method", request->method);
	put_known(json, "request_id", request->id);
	put_known_number(json, "pid", request->pid);
	put_known_number(json, "task", request->task);
	json_member_string(json, "state",
			   request->failure != NULL ? "failed" : request->finished ? "finished" : "unfinished");
	json_member_string(json, "failure", request->failure);
	put_time(json, "start", request->start_ms);
	json_member_integer(json, "duration_ms", request->total_ms);
	json_member_integer(json, "aws_ms", request->aws_ms);
	json_member_integer(json, "own_ms", request->total_ms - request->aws_ms);
	json_member_unsigned(json, "attempts", request->attempts);
	json_member_unsigned(json, "throttled", request->throttled);
	json_member_unsigned(json, "failed_calls", request->errors);
	json_member_unsigned(json, "calls_left_out", request->calls - request->n_kept);
	json_key(json, "calls");
	json_begin_array(json);
	for (size_t i = 0; i < request->n_kept; i++)
		put_call(output, request->kept[i]);
	json_end_array(json);
	json_end_object(json);
	flush(output);
}

static void put_action(struct output *output, const struct totals_action *action, int64_t all_ms)
{
	struct json_writer *json = &output->json;

	json_begin_object(json);
	json_member_string(json, "action", action->name);
	json_member_unsigned(json, "calls", action->calls);
	json_member_unsigned(json, "attempts", action->attempts);
	json_member_unsigned(json, "throttled", action->throttled);
	json_member_unsigned(json, "failed", action->errors);
	json_member_integer(json, "total_ms", action->total_ms);
	json_member_integer(json, "median_ms", totals_median(action));
	json_member_integer(json, "max_ms", action->max_ms);
	json_member_integer(json, "wait_ms", action->wait_ms);
	json_member_integer(json, "throttle_ms", action->throttle_ms);
	json_key(json, "share");
	json_number(json, all_ms == 0 ? 0 : (double)action->total_ms / (double)all_ms);
	json_end_object(json);
	flush(output);
}

static void put_counts(struct output *output)
{
	const struct drawing *drawing = output->drawing;
	struct json_writer *json = &output->json;

	json_key(json, "read");
	json_begin_object(json);
	json_member_unsigned(json, "lines", drawing->counts->lines);
	json_member_unsigned(json, "calls", drawing->result->totals->all.calls);
	json_member_unsigned(json, "requests", drawing->result->count + drawing->result->left_out);
	json_member_unsigned(json, "foreign", drawing->counts->foreign);
	json_member_unsigned(json, "cut", drawing->cut);
	json_member_unsigned(json, "repeated", drawing->result->repeated);
	json_end_object(json);
	json_member_unsigned(json, "requests_left_out", drawing->result->left_out);
}

int draw_json(const struct drawing *drawing)
{
	struct output output = { .drawing = drawing, .piece = BUF_INIT(MAX_PIECE) };
	const struct model_result *result = drawing->result;
	struct json_writer *json = &output.json;

	json_writer_init(json, &output.piece);
	json_begin_object(json);
	json_member_integer(json, "version", FORMAT_VERSION);
	put_counts(&output);
	json_key(json, "requests");
	json_begin_array(json);
	for (size_t i = 0; i < result->count; i++)
		put_request(&output, result->requests[i]);
	json_end_array(json);
	json_key(json, "actions");
	json_begin_array(json);
	for (size_t i = 0; i < result->totals->count; i++)
		put_action(&output, result->totals->actions[i], result->totals->all.total_ms);
	json_end_array(json);
	json_end_object(json);
	buf_char(&output.piece, '\n');
	flush(&output);
	buf_free(&output.piece);
	return output.failed ? -1 : 0;
}
