/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of logs and all that draws: whatever the log, numbers add up, and nothing gets out that moves a terminal's
 * cursor or is no XML. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/utf8.h"
#include "cpi/aws/xml.h"
#include "cpi/timeline/draw.h"
#include "cpi/timeline/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_drawing(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if ((c < ' ' && c != '\n') || c == 0x7F)
			abort();
	}
	for (size_t at = 0; at < len; at += utf8_length(text + at, len - at)) {
		if (utf8_length(text + at, len - at) == 0)
			abort();
	}
}

static void check_xml(const char *text, size_t len)
{
	CLEANUP_ARENA struct arena *arena = arena_new((size_t)256 * 1024 * 1024);
	const struct xml_node *root;
	struct error err;

	if (arena != NULL && xml_parse(arena, text, len, &root, &err) != 0 && err.kind == ERROR_INVALID)
		abort();
}

static void draw(int (*with)(const struct drawing *), const struct model_result *result, bool unicode, uint64_t cut)
{
	static const struct stream_counts counts = { .lines = 1 };
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return;
	struct drawing drawing = { .out = out, .result = result, .counts = &counts, .cut = cut,
				   .columns = unicode ? 80 : 200, .unicode = unicode };
	int status = with(&drawing);
	if (fclose(out) == 0 && status == 0)
		check_drawing(text, len);
	if (with == draw_svg)
		check_xml(text, len);
}

static struct reader read_all(const char *text, size_t len, void (*take)(void *, const struct event *), void *self)
{
	struct reader reader = { .take = take, .self = self };
	const char *end = text + len;

	while (text < end) {
		const char *at = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((at == NULL ? end : at) - text);
		if (read_events(&reader, text, line, true) != line)
			abort();
		text += line + 1;
	}
	return reader;
}

static void check_request(const struct model_request *request, uint64_t *calls)
{
	if (request->total_ms < 0 || request->aws_ms < 0 || request->aws_ms > request->total_ms)
		abort();
	if (request->n_kept > request->calls)
		abort();
	for (size_t i = 0; i < request->n_kept; i++) {
		const struct model_call *call = request->kept[i];
		if (call->start_ms < request->start_ms || call->duration_ms < 0 ||
		    call->start_ms + call->duration_ms > request->start_ms + request->total_ms)
			abort();
		if (call->throttle_ms > call->duration_ms || call->wait_ms > call->duration_ms)
			abort();
	}
	*calls += request->calls;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_options options = { 0 };
	struct model *model = model_new(&options);
	struct model_result result;
	struct error err;
	uint64_t calls = 0;

	if (model == NULL)
		return 0;
	struct reader reader = read_all((const char *)data, size, model_take, model);
	if (model_finish(model, &result, &err) == 0) {
		for (size_t i = 0; i < result.count; i++)
			check_request(result.requests[i], &calls);
		if (result.left_out == 0 && calls != result.totals->all.calls)
			abort();
		if (result.totals->all.calls + result.repeated > reader.found)
			abort();
		draw(draw_text, &result, true, reader.cut);
		draw(draw_text, &result, false, reader.cut);
		draw(draw_svg, &result, true, reader.cut);
		draw(draw_json, &result, true, reader.cut);
	}
	model_free(model);
	return 0;
}
