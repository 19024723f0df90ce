/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/action_table.h"

#include <string.h>

#include "cpi/timeline/show.h"

#define MAX_COLUMNS 8
#define NAME_SIZE 32
#define GAP 2
#define SUCCESS "success" /* a member of every result */
#define MIN_WIDTH 8  /* of a column, as long as that is enough for all to fit */
#define LEAST_WIDTH 4

/* What gives way first where the window is too narrow. */
enum rank { RANK_NAME, RANK_OTHER, RANK_ID };

struct column {
	char key[NAME_SIZE];
	const char *heading;
	enum rank rank;
	bool numbers;   /* to the right */
	size_t content; /* the widest value */
	size_t width;
};

struct columns {
	struct column items[MAX_COLUMNS];
	size_t count;
};

/* --- values ------------------------------------------------------------------------------------------------------- */

static const char *text_of(const struct json *value)
{
	if (value == NULL || value->type == JSON_NULL)
		return "-";
	if (value->type == JSON_BOOL)
		return value->boolean ? "true" : "false";
	return value->type == JSON_STRING || value->type == JSON_NUMBER ? value->text : "…";
}

static const char *colour_of(const char *state)
{
	static const char *const colours[][2] = {
		{ "running", "\033[32m" }, { "available", "\033[32m" }, { "in-use", "\033[32m" },
		{ "pending", "\033[33m" }, { "creating", "\033[33m" }, { "stopping", "\033[33m" },
		{ "shutting-down", "\033[33m" }, { "deleting", "\033[33m" }, { "stopped", "\033[31m" },
		{ "error", "\033[31m" }, { "terminated", "\033[2m" }, { "deleted", "\033[2m" },
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
		if (strcmp(colours[i][0], state) == 0)
			return colours[i][1];
	}
	return "";
}

static void put_blanks(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_char(out, ' ');
}

/* colour: "" for none. At a line's end nothing is filled up. */
static void put_cell(const struct action_table *table, const struct column *column, const char *text, const char *colour,
		     bool last, struct buf *out)
{
	size_t wide = show_width(text, table->unicode);
	size_t blanks = wide < column->width ? column->width - wide : 0;

	if (column->numbers)
		put_blanks(out, blanks);
	buf_str(out, colour);
	size_t taken = show_text(out, text, column->width, table->unicode);
	buf_str(out, *colour == '\0' ? "" : "\033[0m");
	if (!column->numbers && !last)
		/* a wide character that did not fit leaves a column over */
		put_blanks(out, column->width - taken);
	if (!last)
		put_blanks(out, GAP);
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static void name_column(struct column *column)
{
	static const char *const headings[][2] = {
		{ "instance_type", "type" }, { "public_ip", "public IP" }, { "private_ip", "private IP" },
		{ "size_mb", "MiB" }, { "availability_zone", "zone" }, { "attached_to", "attached to" },
	};
	const char *key = column->key;

	column->heading = key;
	for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
		if (strcmp(headings[i][0], key) == 0)
			column->heading = headings[i][1];
	}
	column->rank = RANK_OTHER;
	if (strcmp(key, "name") == 0)
		column->rank = RANK_NAME;
	else if (strcmp(key, "id") == 0 || strcmp(key, "attached_to") == 0)
		column->rank = RANK_ID;
}

static void measure(const struct action_table *table, const struct json *list, struct column *column)
{
	column->numbers = list->count > 0;
	for (const struct json *item = list->child; item != NULL; item = item->next) {
		const struct json *value = json_get(item, column->key);
		size_t width = show_width(text_of(value), table->unicode);
		column->content = width > column->content ? width : column->content;
		column->numbers &= json_is(value, JSON_NUMBER);
	}
	size_t heading = strlen(column->heading);
	column->width = heading > column->content ? heading : column->content;
}

static size_t total_width(const struct columns *columns)
{
	size_t total = (columns->count - 1) * GAP;

	for (size_t i = 0; i < columns->count; i++)
		total += columns->items[i].width;
	return total;
}

/* How narrow a column may become at this stage; its width where it may not become narrower. */
static size_t least_width(const struct column *column, unsigned stage)
{
	size_t least = column->width;

	if (stage == 0 && column->rank == RANK_NAME)
		least = MIN_WIDTH;
	else if (stage == 1)
		least = column->content > LEAST_WIDTH ? column->content : LEAST_WIDTH;
	else if (stage == 2 && column->rank == RANK_OTHER)
		least = MIN_WIDTH;
	else if ((stage == 3 && column->rank != RANK_ID) || stage == 4)
		least = LEAST_WIDTH;
	return least < column->width ? least : column->width;
}

/* The widest gives way first. */
static void shrink(struct columns *columns, size_t window)
{
	for (unsigned stage = 0; stage <= 4; stage++) {
		while (total_width(columns) > window) {
			struct column *widest = NULL;
			for (size_t i = 0; i < columns->count; i++) {
				struct column *column = &columns->items[i];
				if (column->width > least_width(column, stage) &&
				    (widest == NULL || column->width > widest->width))
					widest = column;
			}
			if (widest == NULL)
				break;
			widest->width--;
		}
	}
}

static void plan(const struct action_table *table, const struct json *list, struct columns *columns)
{
	const char *at = table->action->shown;

	while (*at != '\0' && columns->count < MAX_COLUMNS) {
		struct column *column = &columns->items[columns->count++];
		size_t len = strcspn(at, " ");
		snprintf(column->key, sizeof(column->key), "%.*s", (int)len, at);
		at += len + strspn(at + len, " ");
		name_column(column);
		measure(table, list, column);
	}
	if (table->columns > 0)
		shrink(columns, table->columns);
}

/* --- forms -------------------------------------------------------------------------------------------------------- */

static void put_headings(const struct action_table *table, const struct columns *columns, struct buf *out)
{
	buf_str(out, table->colour ? "\033[1m" : "");
	for (size_t i = 0; i < columns->count; i++)
		put_cell(table, &columns->items[i], columns->items[i].heading, "", i + 1 == columns->count, out);
	buf_str(out, table->colour ? "\033[0m\n" : "\n");
}

static void put_list(const struct action_table *table, const struct json *list, struct buf *out)
{
	struct columns columns = { 0 };

	if (list->count == 0) {
		buf_printf(out, "no %s%s%s\n", table->action->list, table->region == NULL ? "" : " in ",
			   table->region == NULL ? "" : table->region);
		return;
	}
	plan(table, list, &columns);
	put_headings(table, &columns, out);
	for (const struct json *item = list->child; item != NULL; item = item->next) {
		for (size_t i = 0; i < columns.count; i++) {
			const struct column *column = &columns.items[i];
			const char *text = text_of(json_get(item, column->key));
			bool is_state = table->colour && strcmp(column->key, "state") == 0;
			put_cell(table, column, text, is_state ? colour_of(text) : "", i + 1 == columns.count, out);
		}
		buf_char(out, '\n');
	}
}

/* The widest name of a member; those of objects are as if they were the result's own. */
static size_t widest_name(const struct json *object)
{
	size_t widest = 0;

	for (const struct json *member = object->child; member != NULL; member = member->next) {
		size_t width = member->type == JSON_OBJECT ? widest_name(member) : member->key_len;
		if (strcmp(member->key, SUCCESS) == 0)
			continue;
		widest = width > widest ? width : widest;
	}
	return widest;
}

/* As many lines as they need, those behind the first indented. */
static void put_items(const struct action_table *table, const struct json *array, size_t indent, struct buf *out)
{
	size_t at = indent;

	for (const struct json *item = array->child; item != NULL; item = item->next) {
		size_t width = show_width(text_of(item), table->unicode);
		if (item != array->child && table->columns > 0 && at + 1 + width > table->columns) {
			buf_char(out, '\n');
			put_blanks(out, indent);
			at = indent;
		} else if (item != array->child) {
			buf_char(out, ' ');
			at++;
		}
		at += show_text(out, text_of(item), SIZE_MAX, table->unicode);
	}
}

static void put_members(const struct action_table *table, const struct json *object, size_t width, struct buf *out)
{
	for (const struct json *member = object->child; member != NULL; member = member->next) {
		bool colour = table->colour && strcmp(member->key, "state") == 0;
		if (strcmp(member->key, SUCCESS) == 0)
			continue;
		if (member->type == JSON_OBJECT) {
			put_members(table, member, width, out);
			continue;
		}
		show_text(out, member->key, SIZE_MAX, table->unicode);
		put_blanks(out, width - member->key_len + GAP);
		if (member->type == JSON_ARRAY) {
			put_items(table, member, width + GAP, out);
		} else {
			buf_str(out, colour ? colour_of(text_of(member)) : "");
			show_text(out, text_of(member), SIZE_MAX, table->unicode);
			buf_str(out, colour ? "\033[0m" : "");
		}
		buf_char(out, '\n');
	}
}

void action_table_write(const struct action_table *table, const struct json *result, struct buf *out)
{
	const struct json *list = table->action->list == NULL ? NULL : json_get(result, table->action->list);
	size_t start = out->len;

	if (list != NULL && list->type == JSON_ARRAY) {
		put_list(table, list, out);
		return;
	}
	put_members(table, result, widest_name(result), out);
	if (out->len == start && !out->failed)
		buf_str(out, SUCCESS "\n");
}
