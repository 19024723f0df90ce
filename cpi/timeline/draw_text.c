/* SPDX-License-Identifier: Apache-2.0 */
/* The waterfalls and the totals for a terminal, or for a file that somebody reads. What colours say, characters say too. */
#include "cpi/timeline/draw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cpi/timeline/caption.h"
#include "cpi/timeline/line.h"
#include "cpi/timeline/rows.h"
#include "cpi/timeline/show.h"
#include "cpi/timeline/table.h"

#define INDENT 3
#define MAX_BAR 160
#define DURATION_WIDTH 8

struct columns {
	size_t action;
	size_t purpose;
	size_t bar;
};

static void put_rule(struct line *line, size_t count)
{
	while (count-- > 0)
		buf_str(&line->text, line_symbol(line, "━", "="));
}

/* --- bars --- */

static void paint(unsigned char *cells, size_t width, const struct model_request *request, int64_t from_ms,
		  int64_t to_ms, enum part_kind kind)
{
	int64_t total = request->total_ms > 0 ? request->total_ms : 1;
	int64_t last = (int64_t)width - 1;
	int64_t from = (from_ms - request->start_ms) * (int64_t)width / total;
	int64_t to = ((to_ms - request->start_ms) * (int64_t)width + total - 1) / total - 1;

	from = from > last ? last : from < 0 ? 0 : from;
	to = to > last ? last : to < from ? from : to;
	/* waits are what somebody looks for: they win over work in the same cell */
	for (int64_t i = from; i <= to; i++) {
		if (cells[i] < (unsigned char)kind)
			cells[i] = (unsigned char)kind;
	}
}

/* Looks that take less than half a column each would else look like one long call. */
static bool is_short(const struct model_call *call, size_t width, const struct model_request *request)
{
	return call->duration_ms < request->total_ms / (int64_t)width / 2;
}

static void paint_call(unsigned char *cells, size_t width, const struct model_request *request,
		       const struct model_call *call, bool is_look)
{
	struct part parts[ROWS_MAX_PARTS];
	size_t count = rows_parts(call, parts);
	bool thin = is_look && is_short(call, width, request);

	for (size_t i = 0; i < count; i++)
		paint(cells, width, request, call->start_ms + parts[i].from_ms, call->start_ms + parts[i].to_ms,
		      thin ? PART_LOOK : parts[i].kind);
	int64_t end = call->start_ms + call->duration_ms;
	if (call->code[0] != '\0')
		paint(cells, width, request, end - 1, end - 1, PART_FAILED);
}

static const char *cell_text(const struct line *line, enum part_kind kind)
{
	static const char *const unicode[] = { " ", "▏", "█", "┄", "▒", "✗" };
	static const char *const ascii[] = { " ", ":", "#", "-", "~", "!" };

	return line_symbol(line, unicode[kind], ascii[kind]);
}

static void put_cells(struct line *line, const unsigned char *cells, size_t width)
{
	static const enum colour colours[] = { COLOUR_NONE,    COLOUR_GREEN,  COLOUR_GREEN,
					       COLOUR_MAGENTA, COLOUR_YELLOW, COLOUR_RED };
	unsigned char before = PART_NONE;

	for (size_t i = 0; i < width; i++) {
		if (cells[i] != before)
			line_colour(line, colours[cells[i]]);
		before = cells[i];
		buf_str(&line->text, cell_text(line, cells[i]));
	}
	if (before != PART_NONE)
		line_colour(line, COLOUR_NONE);
}

/* --- a request --- */

static void action_text(const struct line *line, const struct row *row, char *text, size_t size)
{
	if (row->count == 1)
		snprintf(text, size, "%s", row->first->action);
	else
		snprintf(text, size, "%s %s%zu", row->first->action, line_symbol(line, "×", "x"), row->count);
}

/* The texts get what they need, up to their share of the width; the bars the rest. */
static struct columns plan(const struct line *line, const struct rows *rows)
{
	size_t width = line->drawing->columns - INDENT - DURATION_WIDTH - 2;
	struct columns columns = { 6, 3, 0 };
	char text[96];

	for (size_t i = 0; i < rows->count; i++) {
		action_text(line, &rows->rows[i], text, sizeof(text));
		size_t action = show_width(text, line->drawing->unicode);
		size_t purpose = show_width(rows->rows[i].first->purpose, line->drawing->unicode);
		columns.action = action > columns.action ? action : columns.action;
		columns.purpose = purpose > columns.purpose ? purpose : columns.purpose;
	}
	if (columns.action > width * 2 / 5)
		columns.action = width * 2 / 5;
	if (columns.purpose > width * 7 / 10 - columns.action)
		columns.purpose = width * 7 / 10 - columns.action;
	columns.bar = width - columns.action - columns.purpose;
	if (columns.bar > MAX_BAR)
		columns.bar = MAX_BAR;
	return columns;
}

static void put_duration(struct line *line, int64_t ms)
{
	char text[SHOW_TIME_SIZE];

	show_duration(ms, text);
	buf_printf(&line->text, "%*s", DURATION_WIDTH, text);
}

static void part_of_note(struct buf *note, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void part_of_note(struct buf *note, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_printf(note, "%s%s", note->len == 0 ? "" : ", ", text);
}

/* What did not go smoothly, beneath the row. */
static void put_note(struct line *line, const struct model_call *call)
{
	CLEANUP_BUF struct buf note = BUF_INIT(LINE_MAX_BYTES);
	char text[SHOW_TIME_SIZE];
	bool failed = call->code[0] != '\0';

	if (call->attempts > 1)
		part_of_note(&note, "%u attempts", call->attempts);
	if (call->throttled > 0)
		part_of_note(&note, "throttled %u%s", call->throttled, line_symbol(line, "×", "x"));
	if (call->throttle_ms > 0) {
		show_duration(call->throttle_ms, text);
		part_of_note(&note, "%s waited for throttling", text);
	}
	if (call->wait_ms > call->throttle_ms) {
		show_duration(call->wait_ms - call->throttle_ms, text);
		part_of_note(&note, "%s waited before repeating", text);
	}
	if (failed) {
		part_of_note(&note, "failed: %s", call->code);
		if (call->status > 0)
			part_of_note(&note, "status %u", call->status);
		if (call->aws_request_id[0] != '\0')
			part_of_note(&note, "AWS request id %s", call->aws_request_id);
	}
	if (note.len > 0)
		line_text(line, INDENT + 2, failed ? COLOUR_RED : COLOUR_YELLOW, buf_text(&note));
}

static void put_row(struct line *line, const struct columns *columns, const struct rows *rows, const struct row *row)
{
	unsigned char cells[MAX_BAR] = { 0 };
	char text[96];
	size_t index = row->index;

	action_text(line, row, text, sizeof(text));
	line_blanks(line, INDENT);
	line_cell(line, text, columns->action);
	line_blanks(line, 1);
	line_colour(line, COLOUR_DIM);
	line_cell(line, row->first->purpose, columns->purpose);
	line_colour(line, COLOUR_NONE);
	line_blanks(line, 1);
	do {
		paint_call(cells, columns->bar, rows->request, rows->request->kept[index], row->count > 1);
	} while (rows_next(rows, &index));
	put_cells(line, cells, columns->bar);
	put_duration(line, row->sum_ms);
	line_finish(line);
	put_note(line, row->first);
}

/* The columns' names, and over the bars where they begin and end. */
static void put_scale(struct line *line, const struct columns *columns, const struct model_request *request)
{
	char text[SHOW_TIME_SIZE];

	show_duration(request->total_ms, text);
	line_colour(line, COLOUR_DIM);
	line_blanks(line, INDENT);
	line_cell(line, "action", columns->action + 1);
	line_cell(line, "for", columns->purpose + 1);
	size_t width = columns->bar > strlen(text) + 1 ? columns->bar - strlen(text) - 1 : 0;
	buf_char(&line->text, '0');
	for (size_t i = 0; i < width; i++)
		buf_str(&line->text, line_symbol(line, "─", "."));
	buf_str(&line->text, text);
	buf_printf(&line->text, "%*s", DURATION_WIDTH, "time");
	line_colour(line, COLOUR_NONE);
	line_finish(line);
}

static void put_title(struct line *line, const struct model_request *request)
{
	char title[CAPTION_SIZE];

	caption_title(request, title);
	line_colour(line, COLOUR_BOLD);
	put_rule(line, 2);
	line_blanks(line, 1);
	size_t width = show_text(&line->text, title, line->drawing->columns - 5, line->drawing->unicode);
	line_blanks(line, 1);
	put_rule(line, line->drawing->columns - width - 4);
	line_colour(line, COLOUR_NONE);
	line_finish(line);
}

static void put_summary(struct line *line, const struct model_request *request)
{
	char text[CAPTION_SIZE];

	caption_summary(request, line_symbol(line, "×", "x"), text);
	line_text(line, INDENT, COLOUR_NONE, text);
	if (request->failure != NULL) {
		snprintf(text, sizeof(text), "failed: %s", request->failure);
		line_text(line, INDENT, COLOUR_RED, text);
	}
}

static int put_request(struct line *line, const struct model_request *request)
{
	CLEANUP_ROWS struct rows rows = { 0 };
	char text[128];

	if (rows_make(request, &rows) != 0)
		return -1;
	put_title(line, request);
	put_summary(line, request);
	if (rows.count > 0) {
		struct columns columns = plan(line, &rows);
		put_scale(line, &columns, request);
		for (size_t i = 0; i < rows.count; i++)
			put_row(line, &columns, &rows, &rows.rows[i]);
	}
	if (request->calls > request->n_kept) {
		snprintf(text, sizeof(text), "and %" PRIu64 " more calls", request->calls - request->n_kept);
		line_text(line, INDENT, COLOUR_DIM, text);
	}
	line_finish(line);
	return 0;
}

/* --- below the requests --- */

static void put_legend(struct line *line)
{
	static const struct {
		enum part_kind kind;
		const char *meaning;
	} legend[] = { { PART_WORK, "AWS" },
		       { PART_LOOK, "a short look" },
		       { PART_THROTTLE, "wait: throttled" },
		       { PART_WAIT, "other wait" },
		       { PART_FAILED, "failed" } };

	for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++) {
		unsigned char cell = (unsigned char)legend[i].kind;
		line_blanks(line, INDENT);
		put_cells(line, &cell, 1);
		buf_printf(&line->text, " %s", legend[i].meaning);
	}
	line_finish(line);
}

static void put_counts(struct line *line)
{
	const struct model_result *result = line->drawing->result;
	char text[CAPTION_SIZE];

	if (result->left_out > 0) {
		snprintf(text, sizeof(text),
			 "Drawn: the %zu slowest of %" PRIu64 " requests; --slowest N draws more, --request ID that one.",
			 result->count, result->count + result->left_out);
		line_text(line, 0, COLOUR_NONE, text);
	}
	caption_counts(line->drawing, text);
	line_text(line, 0, COLOUR_DIM, text);
}

int draw_text(const struct drawing *drawing)
{
	struct line line = { .drawing = drawing, .text = BUF_INIT(LINE_MAX_BYTES) };
	const struct model_result *result = drawing->result;
	int status = 0;

	for (size_t i = 0; i < result->count && status == 0; i++)
		status = put_request(&line, result->requests[i]);
	if (status == 0 && result->totals->count > 0) {
		put_legend(&line);
		line_finish(&line);
		table_put(&line, result->totals);
	}
	if (status == 0)
		put_counts(&line);
	buf_free(&line.text);
	return status;
}
