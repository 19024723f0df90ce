/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/caption.h"

#include <inttypes.h>
#include <stdarg.h>

#include "cpi/timeline/show.h"

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t *len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int added = vsnprintf(text + *len, CAPTION_SIZE - *len, format, args);
	va_end(args);
	if (added > 0)
		*len += (size_t)added < CAPTION_SIZE - *len ? (size_t)added : CAPTION_SIZE - *len - 1;
}

void caption_title(const struct model_request *request, char ret_text[static CAPTION_SIZE])
{
	size_t len = 0;

	add(ret_text, &len, "%s", request->method[0] == '\0' ? "(method unknown)" : request->method);
	if (request->id[0] != '\0')
		add(ret_text, &len, ", %s", request->id);
	if (request->pid != 0)
		add(ret_text, &len, ", pid %" PRIu32, request->pid);
	if (request->task != 0)
		add(ret_text, &len, ", task %" PRIu32, request->task);
}

void caption_summary(const struct model_request *request, const char *times, char ret_text[static CAPTION_SIZE])
{
	char start[SHOW_TIME_SIZE], total[SHOW_TIME_SIZE], aws[SHOW_TIME_SIZE], own[SHOW_TIME_SIZE];
	size_t len = 0;

	show_time(request->start_ms, start);
	show_duration(request->total_ms, total);
	show_duration(request->aws_ms, aws);
	show_duration(request->total_ms - request->aws_ms, own);
	add(ret_text, &len, "%s  %s%s: ", request->start_ms == 0 ? "(time unknown)" : start, total,
	    request->finished ? "" : " (no end in this log)");
	if (request->calls == 0) {
		add(ret_text, &len, "no calls");
		return;
	}
	add(ret_text, &len, "%" PRIu64 " call%s, AWS %s, own time and pauses %s", request->calls, request->calls == 1 ? "" : "s", aws,
	    own);
	if (request->throttled > 0)
		add(ret_text, &len, ", throttled %" PRIu64 "%s", request->throttled, times);
	if (request->errors > 0)
		add(ret_text, &len, ", %" PRIu64 " failed", request->errors);
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

void caption_counts(const struct drawing *drawing, char ret_text[static CAPTION_SIZE])
{
	const struct model_result *result = drawing->result;
	uint64_t calls = result->totals->all.calls;
	uint64_t requests = result->count + result->left_out;
	size_t len = 0;

	add(ret_text, &len, "Read: %" PRIu64 " line%s, %" PRIu64 " call%s of %" PRIu64 " request%s; %" PRIu64 " foreign",
	    drawing->counts->lines, plural(drawing->counts->lines), calls, plural(calls), requests, plural(requests),
	    drawing->counts->foreign);
	if (drawing->cut > 0)
		add(ret_text, &len, ", %" PRIu64 " cut", drawing->cut);
	if (result->repeated > 0)
		add(ret_text, &len, ", %" PRIu64 " there twice", result->repeated);
	add(ret_text, &len, ".");
}
