/* SPDX-License-Identifier: Apache-2.0 */
/* The waterfalls and the totals as one picture: SVG 1.1 without anything from elsewhere, readable on light and on dark ground. A
 * call's details show when the mouse rests on its bar. */
#include "cpi/timeline/draw.h"

#include <inttypes.h>

#include "cpi/timeline/caption.h"
#include "cpi/timeline/rows.h"
#include "cpi/timeline/show.h"

#define WIDTH 1000
#define MARGIN 16
#define ACTION_X 24
#define PURPOSE_X 232
#define BAR_X 448
#define BAR_WIDTH 456
#define ROW_HEIGHT 18
#define HEAD_HEIGHT 58
#define GAP 22
#define ACTION_CHARS 29
#define PURPOSE_CHARS 28
#define LINE_CHARS 135
#define TITLE_CHARS 110
#define DETAILS_CHARS 1000
#define MAX_TEXT ((size_t)16 * 1024)

static const char head[] =
	"<style>\n"
	".g{fill:#fff}.t{fill:#24292f}.d{fill:#6e7781}.f{fill:#cf222e}.l{stroke:#d0d7de}\n"
	".w{fill:#2f9e6e}.r{fill:#a475d1}.h{fill:#d99a1c}.x{fill:#d9453f}\n"
	"text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px}\n"
	".b{font-weight:bold;font-size:14px}.e{text-anchor:end}.m{text-anchor:middle}\n"
	"@media(prefers-color-scheme:dark){.g{fill:#16191d}.t{fill:#dfe3e8}.d{fill:#8f98a3}.f{fill:#ff7b72}.l{stroke:#3a4048}}\n"
	"</style>\n";

static const char *const part_classes[] = { "", "w", "w", "r", "h", "x" };

/* Foreign text, cut to so many columns, as XML. */
static void put_text(const struct drawing *drawing, const char *text, size_t columns)
{
	CLEANUP_BUF struct buf shown = BUF_INIT(MAX_TEXT);

	show_text(&shown, text, columns, true);
	for (const char *c = buf_text(&shown); *c != '\0'; c++) {
		switch (*c) {
		case '<':
			fputs("&lt;", drawing->out);
			break;
		case '>':
			fputs("&gt;", drawing->out);
			break;
		case '&':
			fputs("&amp;", drawing->out);
			break;
		default:
			putc(*c, drawing->out);
			break;
		}
	}
}

static void put_label(const struct drawing *drawing, int x, int64_t y, const char *class, const char *text,
		      size_t columns)
{
	fprintf(drawing->out, "<text x=\"%d\" y=\"%" PRId64 "\" class=\"%s\">", x, y, class);
	put_text(drawing, text, columns);
	fputs("</text>\n", drawing->out);
}

static void put_duration(const struct drawing *drawing, int x, int64_t y, const char *class, int64_t ms)
{
	char text[SHOW_TIME_SIZE];

	show_duration(ms, text);
	put_label(drawing, x, y, class, text, sizeof(text));
}

/* --- a request --- */

static double bar_x(const struct model_request *request, int64_t at_ms)
{
	double total = request->total_ms > 0 ? (double)request->total_ms : 1;
	double x = (double)(at_ms - request->start_ms) / total;

	return BAR_X + BAR_WIDTH * (x < 0 ? 0 : x > 1 ? 1 : x);
}

static void put_details(const struct drawing *drawing, const struct model_request *request,
			const struct model_call *call)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	char start[SHOW_TIME_SIZE], took[SHOW_TIME_SIZE], wait[SHOW_TIME_SIZE], throttle[SHOW_TIME_SIZE];

	show_duration(call->start_ms - request->start_ms, start);
	show_duration(call->duration_ms, took);
	show_duration(call->wait_ms, wait);
	show_duration(call->throttle_ms, throttle);
	buf_printf(&text, "%s: %s; after %s, took %s", call->action, call->purpose, start, took);
	if (call->attempts > 1 || call->wait_ms > 0)
		buf_printf(&text, "; %u attempts, %s waited", call->attempts, wait);
	if (call->throttled > 0 || call->throttle_ms > 0)
		buf_printf(&text, "; throttled %u times, %s waited for that", call->throttled, throttle);
	buf_printf(&text, "; status %u", call->status);
	if (call->code[0] != '\0')
		buf_printf(&text, "; failed: %s", call->code);
	if (call->aws_request_id[0] != '\0')
		buf_printf(&text, "; AWS request id %s", call->aws_request_id);
	fputs("<title>", drawing->out);
	put_text(drawing, buf_text(&text), DETAILS_CHARS);
	fputs("</title>", drawing->out);
}

static void put_call(const struct drawing *drawing, const struct model_request *request, const struct model_call *call,
		     int64_t y)
{
	struct part parts[ROWS_MAX_PARTS];
	size_t count = rows_parts(call, parts);

	fputs("<g>", drawing->out);
	put_details(drawing, request, call);
	for (size_t i = 0; i < count; i++) {
		double from = bar_x(request, call->start_ms + parts[i].from_ms);
		double width = bar_x(request, call->start_ms + parts[i].to_ms) - from;
		fprintf(drawing->out,
			"<rect x=\"%.1f\" y=\"%" PRId64 "\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>", from, y + 4,
			width < 1.5 ? 1.5 : width, ROW_HEIGHT - 6, part_classes[parts[i].kind]);
	}
	if (call->code[0] != '\0')
		fprintf(drawing->out, "<rect x=\"%.1f\" y=\"%" PRId64 "\" width=\"3\" height=\"%d\" class=\"x\"/>",
			bar_x(request, call->start_ms + call->duration_ms) - 1.5, y + 2, ROW_HEIGHT - 2);
	fputs("</g>\n", drawing->out);
}

static void put_row(const struct drawing *drawing, const struct rows *rows, const struct row *row, int64_t y)
{
	const struct model_call *call = row->first;
	size_t index = row->index;
	char action[96];

	if (row->count == 1)
		snprintf(action, sizeof(action), "%s", call->action);
	else
		snprintf(action, sizeof(action), "%s ×%zu", call->action, row->count);
	put_label(drawing, ACTION_X, y + 14, call->code[0] == '\0' ? "t" : "f", action, ACTION_CHARS);
	put_label(drawing, PURPOSE_X, y + 14, "d", call->purpose, PURPOSE_CHARS);
	do {
		put_call(drawing, rows->request, rows->request->kept[index], y);
	} while (rows_next(rows, &index));
	put_duration(drawing, WIDTH - MARGIN, y + 14, "d e", row->sum_ms);
}

static int64_t request_height(const struct rows *rows)
{
	const struct model_request *request = rows->request;

	return HEAD_HEIGHT + (request->failure != NULL ? ROW_HEIGHT : 0) + (int64_t)rows->count * ROW_HEIGHT +
	       (request->calls > request->n_kept ? ROW_HEIGHT : 0) + GAP;
}

static void put_title(const struct drawing *drawing, const struct model_request *request, int64_t y)
{
	char text[CAPTION_SIZE];

	caption_title(request, text);
	put_label(drawing, MARGIN, y + 16, "t b", text, TITLE_CHARS);
	caption_summary(request, "×", text);
	put_label(drawing, MARGIN, y + 34, "d", text, LINE_CHARS);
}

/* Four lines over all rows, with their times. */
static void put_scale(const struct drawing *drawing, const struct rows *rows, int64_t y)
{
	int64_t bottom = y + 8 + (int64_t)rows->count * ROW_HEIGHT;
	char text[SHOW_TIME_SIZE];

	for (int i = 0; i <= 4; i++) {
		int x = BAR_X + BAR_WIDTH * i / 4;
		show_duration(rows->request->total_ms * i / 4, text);
		fprintf(drawing->out, "<line x1=\"%d\" y1=\"%" PRId64 "\" x2=\"%d\" y2=\"%" PRId64 "\" class=\"l\"/>", x,
			y + 4, x, bottom);
		put_label(drawing, x, y, "d m", i == 0 ? "0" : text, sizeof(text));
	}
}

static void put_request(const struct drawing *drawing, const struct rows *rows, int64_t y)
{
	const struct model_request *request = rows->request;
	char text[CAPTION_SIZE];

	put_title(drawing, request, y);
	y += HEAD_HEIGHT;
	if (request->failure != NULL) {
		snprintf(text, sizeof(text), "failed: %s", request->failure);
		put_label(drawing, MARGIN, y - 6, "f", text, LINE_CHARS);
		y += ROW_HEIGHT;
	}
	if (rows->count > 0)
		put_scale(drawing, rows, y - 4);
	for (size_t i = 0; i < rows->count; i++, y += ROW_HEIGHT)
		put_row(drawing, rows, &rows->rows[i], y);
	if (request->calls > request->n_kept) {
		snprintf(text, sizeof(text), "and %" PRIu64 " more calls", request->calls - request->n_kept);
		put_label(drawing, ACTION_X, y + 14, "d", text, LINE_CHARS);
	}
}

/* --- the whole --- */

static void put_legend(const struct drawing *drawing, int64_t y)
{
	static const char *const texts[] = { "", "", "AWS", "wait before another attempt", "wait: throttled", "failed" };
	static const int x[] = { 0, 0, 24, 90, 330, 490 };

	for (enum part_kind kind = PART_WORK; kind <= PART_FAILED; kind++) {
		fprintf(drawing->out, "<rect x=\"%d\" y=\"%" PRId64 "\" width=\"12\" height=\"12\" class=\"%s\"/>", x[kind],
			y + 3, part_classes[kind]);
		put_label(drawing, x[kind] + 18, y + 14, "d", texts[kind], LINE_CHARS);
	}
}

#define N_COLUMNS 8

static void put_totals_row(const struct drawing *drawing, int64_t y, const char *class, const char *name,
			   const char *const texts[static N_COLUMNS])
{
	put_label(drawing, ACTION_X, y, class, name, ACTION_CHARS + 10);
	for (int i = 0; i < N_COLUMNS; i++) {
		fprintf(drawing->out, "<text x=\"%d\" y=\"%" PRId64 "\" class=\"%s e\">%s</text>", 400 + i * 80, y, class,
			texts[i]);
	}
	putc('\n', drawing->out);
}

static void put_action(const struct drawing *drawing, int64_t y, const char *name, const struct totals_action *action,
		       int64_t all_ms)
{
	char texts[N_COLUMNS][SHOW_TIME_SIZE];
	const char *cells[N_COLUMNS];
	const uint64_t counts[] = { action->calls, action->attempts, action->throttled, action->errors };

	for (size_t i = 0; i < 4; i++)
		snprintf(texts[i], sizeof(texts[i]), "%" PRIu64, counts[i]);
	show_duration(action->total_ms, texts[4]);
	texts[5][0] = '\0';
	if (action->histogram != NULL)
		show_duration(totals_median(action), texts[5]);
	show_duration(action->max_ms, texts[6]);
	snprintf(texts[7], sizeof(texts[7]), "%.0f%%",
		 all_ms == 0 ? 0 : (double)action->total_ms * 100 / (double)all_ms);
	for (size_t i = 0; i < N_COLUMNS; i++)
		cells[i] = texts[i];
	put_totals_row(drawing, y, "t", name, cells);
}

static void put_totals(const struct drawing *drawing, int64_t y)
{
	static const char *const names[N_COLUMNS] = { "calls", "attempts", "throttled", "failed",
						      "total", "median",   "max",       "share" };
	const struct totals *totals = drawing->result->totals;

	put_totals_row(drawing, y + 14, "d", "action", names);
	for (size_t i = 0; i < totals->count; i++) {
		y += ROW_HEIGHT;
		put_action(drawing, y + 14, totals->actions[i]->name, totals->actions[i], totals->all.total_ms);
	}
	put_action(drawing, y + ROW_HEIGHT + 14, "all", &totals->all, totals->all.total_ms);
}

static void put_counts(const struct drawing *drawing, int64_t y)
{
	const struct model_result *result = drawing->result;
	char text[CAPTION_SIZE];

	if (result->left_out > 0) {
		snprintf(text, sizeof(text), "Drawn: the %zu slowest of %" PRIu64 " requests.", result->count,
			 result->count + result->left_out);
		put_label(drawing, MARGIN, y - 4, "d", text, LINE_CHARS);
	}
	caption_counts(drawing, text);
	put_label(drawing, MARGIN, y + 14, "d", text, LINE_CHARS);
}

static int64_t totals_height(const struct drawing *drawing)
{
	return ((int64_t)drawing->result->totals->count + 2) * ROW_HEIGHT + GAP;
}

/* The picture's height stands in front of it, so the rows are made twice. */
static int all_requests(const struct drawing *drawing, bool draw, int64_t *y)
{
	for (size_t i = 0; i < drawing->result->count; i++) {
		CLEANUP_ROWS struct rows rows = { 0 };
		if (rows_make(drawing->result->requests[i], &rows) != 0)
			return -1;
		if (draw)
			put_request(drawing, &rows, *y);
		*y += request_height(&rows);
	}
	return 0;
}

int draw_svg(const struct drawing *drawing)
{
	int64_t top = MARGIN + ROW_HEIGHT + GAP;
	int64_t y = top;

	if (all_requests(drawing, false, &y) != 0)
		return -1;
	int64_t height = y + totals_height(drawing) + ROW_HEIGHT + MARGIN;
	fprintf(drawing->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		"height=\"%" PRId64 "\" viewBox=\"0 0 %d %" PRId64 "\">\n<title>cpi timeline</title>\n%s"
		"<rect width=\"%d\" height=\"%" PRId64 "\" class=\"g\"/>\n",
		WIDTH, height, WIDTH, height, head, WIDTH, height);
	put_legend(drawing, MARGIN);
	y = top;
	if (all_requests(drawing, true, &y) != 0)
		return -1;
	put_totals(drawing, y);
	put_counts(drawing, y + totals_height(drawing));
	fputs("</svg>\n", drawing->out);
	return 0;
}
