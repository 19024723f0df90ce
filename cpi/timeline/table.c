/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/table.h"

#include <inttypes.h>
#include <string.h>

#include "cpi/timeline/show.h"

/* The widths of the columns of counts. */
struct table {
	size_t name;
	int counts[4];
};

#define DURATIONS_WIDTH 7

static int digits(uint64_t number)
{
	int count = 1;

	for (; number >= 10; number /= 10)
		count++;
	return count;
}

static void put_time(struct line *line, int64_t ms)
{
	char text[SHOW_TIME_SIZE];

	show_duration(ms, text);
	buf_printf(&line->text, " %*s", DURATIONS_WIDTH - 1, text);
}

static void put_action(struct line *line, const struct table *table, const char *name,
		       const struct totals_action *action, int64_t all_ms)
{
	const uint64_t counts[] = { action->calls, action->attempts, action->throttled, action->errors };
	static const enum colour colours[] = { COLOUR_NONE, COLOUR_NONE, COLOUR_YELLOW, COLOUR_RED };

	line_cell(line, name, table->name);
	for (size_t i = 0; i < 4; i++) {
		bool marked = colours[i] != COLOUR_NONE && counts[i] > 0;
		if (marked)
			line_colour(line, colours[i]);
		buf_printf(&line->text, " %*" PRIu64, table->counts[i], counts[i]);
		if (marked)
			line_colour(line, COLOUR_NONE);
	}
	put_time(line, action->total_ms);
	if (action->histogram != NULL)
		put_time(line, totals_median(action));
	else
		line_blanks(line, DURATIONS_WIDTH);
	put_time(line, action->max_ms);
	buf_printf(&line->text, " %4.0f%%", all_ms == 0 ? 0 : (double)action->total_ms * 100 / (double)all_ms);
	line_finish(line);
}

static struct table plan_table(const struct line *line, const struct totals *totals)
{
	const struct totals_action *all = &totals->all;
	const uint64_t counts[] = { all->calls, all->attempts, all->throttled, all->errors };
	struct table table = { 6, { 5, 5, 9, 6 } };
	size_t taken = 3 * DURATIONS_WIDTH + 6;

	for (size_t i = 0; i < 4; i++) {
		if (digits(counts[i]) > table.counts[i])
			table.counts[i] = digits(counts[i]);
		taken += (size_t)table.counts[i] + 1;
	}
	for (size_t i = 0; i < totals->count; i++) {
		size_t len = strlen(totals->actions[i]->name);
		table.name = len > table.name ? len : table.name;
	}
	if (taken + table.name > line->drawing->columns)
		table.name = line->drawing->columns > taken + 6 ? line->drawing->columns - taken : 6;
	return table;
}

void table_put(struct line *line, const struct totals *totals)
{
	static const char *const names[] = { "calls", "tries", "throttled", "failed" };
	struct table table = plan_table(line, totals);

	line_colour(line, COLOUR_BOLD);
	line_cell(line, "action", table.name);
	for (size_t i = 0; i < 4; i++)
		buf_printf(&line->text, " %*s", table.counts[i], names[i]);
	buf_printf(&line->text, "%*s%*s%*s share", DURATIONS_WIDTH, "total", DURATIONS_WIDTH, "median", DURATIONS_WIDTH,
		   "max");
	line_colour(line, COLOUR_NONE);
	line_finish(line);
	for (size_t i = 0; i < totals->count; i++)
		put_action(line, &table, totals->actions[i]->name, totals->actions[i], totals->all.total_ms);
	put_action(line, &table, "all", &totals->all, totals->all.total_ms);
	line_finish(line);
}
