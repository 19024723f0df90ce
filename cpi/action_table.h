/* SPDX-License-Identifier: Apache-2.0 */
/* An action's result as a person reads it: a list as a table, anything else as lines of names and values. */
#ifndef CPI_ACTION_TABLE_H
#define CPI_ACTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/json_read.h"
#include "cpi/actions/worker_action.h"

struct action_table {
	const struct worker_action *action;
	const char *region; /* for "no workers in …"; may be NULL */
	size_t columns;     /* of the window; 0: not known, and nothing is cut */
	bool unicode;
	bool colour;
};

/* Whole lines. Each of a table is at most as wide as the window, as long as that has a few columns for each of the table's:
 * where it is too narrow, names are cut first, then headings, then the rest, ids last. Foreign text cannot move a cursor. */
void action_table_write(const struct action_table *table, const struct json *result, struct buf *out);

#endif
