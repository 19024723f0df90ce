/* SPDX-License-Identifier: Apache-2.0 */
/* A request's calls as rows of a waterfall, and a call's bar as its parts: the same for every kind of drawing. */
#ifndef CPI_TIMELINE_ROWS_H
#define CPI_TIMELINE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "cpi/timeline/model.h"

/* So many looks for the same are one row. */
#define ROWS_FOLD 4

/* One call; or several of the same action, purpose and outcome, none of which was repeated: the looks of a wait. */
struct row {
	const struct model_call *first;
	size_t index; /* of the first, in the request's kept calls; the others by rows_next */
	size_t count;
	int64_t sum_ms;
};

struct rows {
	const struct model_request *request;
	struct row *rows; /* in order of start */
	size_t count;
	size_t *next; /* by call: the next one of its row */
};

/* -1: no memory. Freed by rows_free. */
int rows_make(const struct model_request *request, struct rows *ret_rows);
void rows_free(struct rows *rows);
/* The call behind that one in its row: false when there is none. */
bool rows_next(const struct rows *rows, size_t *index);

#define CLEANUP_ROWS __attribute__((cleanup(rows_free)))

enum part_kind {
	PART_NONE,
	PART_LOOK,     /* one of many short calls: in drawings that cannot show how short they are */
	PART_WORK,     /* AWS was at work, or on the way */
	PART_WAIT,     /* before another attempt */
	PART_THROTTLE, /* the same, because AWS had throttled */
	PART_FAILED,   /* how it ended */
};

struct part {
	enum part_kind kind;
	int64_t from_ms; /* since the call's start */
	int64_t to_ms;
};

#define ROWS_MAX_PARTS 4

/* How long each part is was logged; where in the call it lies was not, so the first attempt stands in front and the waits behind it.
 * Returns how many parts there are, none of them empty unless the call is. */
size_t rows_parts(const struct model_call *call, struct part ret_parts[static ROWS_MAX_PARTS]);

#endif
