/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/rows.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NO_CALL SIZE_MAX

void rows_free(struct rows *rows)
{
	free(rows->rows);
	free(rows->next);
	*rows = (struct rows){ 0 };
}

bool rows_next(const struct rows *rows, size_t *index)
{
	if (rows->next[*index] == NO_CALL)
		return false;
	*index = rows->next[*index];
	return true;
}

static bool is_plain(const struct model_call *call)
{
	return call->attempts <= 1 && call->throttled == 0 && call->throttle_ms == 0;
}

static bool is_same(const struct model_call *one, const struct model_call *other)
{
	return strcmp(one->action, other->action) == 0 && strcmp(one->purpose, other->purpose) == 0 &&
	       strcmp(one->code, other->code) == 0;
}

/* The last call of the chain of equal ones that begins with this call, and its length. */
static size_t chain(struct rows *rows, size_t index, bool *taken)
{
	struct model_call **calls = rows->request->kept;
	size_t count = 1;

	if (!is_plain(calls[index]))
		return 1;
	for (size_t last = index, i = index + 1; i < rows->request->n_kept; i++) {
		if (taken[i] || !is_plain(calls[i]) || !is_same(calls[index], calls[i]))
			continue;
		rows->next[last] = i;
		last = i;
		count++;
	}
	if (count >= ROWS_FOLD)
		return count;
	for (size_t i = index; i != NO_CALL;) {
		size_t next = rows->next[i];
		rows->next[i] = NO_CALL;
		i = next;
	}
	return 1;
}

static void add_row(struct rows *rows, size_t index, size_t count, bool *taken)
{
	struct row *row = &rows->rows[rows->count++];

	*row = (struct row){ .first = rows->request->kept[index], .index = index, .count = count };
	do {
		taken[index] = true;
		row->sum_ms += rows->request->kept[index]->duration_ms;
	} while (rows_next(rows, &index));
}

int rows_make(const struct model_request *request, struct rows *ret_rows)
{
	size_t n = request->n_kept;
	struct rows rows = { .request = request };
	bool *taken = calloc(n + 1, sizeof(*taken));

	rows.rows = calloc(n + 1, sizeof(*rows.rows));
	rows.next = malloc((n + 1) * sizeof(*rows.next));
	if (taken == NULL || rows.rows == NULL || rows.next == NULL) {
		free(taken);
		rows_free(&rows);
		return -1;
	}
	for (size_t i = 0; i <= n; i++)
		rows.next[i] = NO_CALL;
	for (size_t i = 0; i < n; i++) {
		if (!taken[i])
			add_row(&rows, i, chain(&rows, i, taken), taken);
	}
	free(taken);
	*ret_rows = rows;
	return 0;
}

size_t rows_parts(const struct model_call *call, struct part ret_parts[static ROWS_MAX_PARTS])
{
	int64_t throttle = call->throttle_ms;
	int64_t wait = call->wait_ms > throttle ? call->wait_ms - throttle : 0;
	size_t count = 0;
	int64_t at = 0;

	if (wait > call->duration_ms - throttle)
		wait = call->duration_ms - throttle;
	int64_t work = call->duration_ms - throttle - wait;
	int64_t first = call->attempts > 1 ? work / call->attempts : 0;
	const struct part parts[ROWS_MAX_PARTS] = {
		{ PART_WORK, 0, first },
		{ PART_THROTTLE, 0, throttle },
		{ PART_WAIT, 0, wait },
		{ PART_WORK, 0, work - first },
	};
	for (size_t i = 0; i < ROWS_MAX_PARTS; i++) {
		if (parts[i].to_ms == 0)
			continue;
		ret_parts[count++] = (struct part){ parts[i].kind, at, at + parts[i].to_ms };
		at += parts[i].to_ms;
	}
	if (count == 0)
		ret_parts[count++] = (struct part){ PART_WORK, 0, 0 };
	return count;
}
