/* SPDX-License-Identifier: Apache-2.0 */
/* The totals by action as a table of text. */
#ifndef CPI_TIMELINE_TABLE_H
#define CPI_TIMELINE_TABLE_H

#include "cpi/timeline/line.h"

/* Whole lines, with an empty one at the end. Only the names are cut where the width is too small. */
void table_put(struct line *line, const struct totals *totals);

#endif
