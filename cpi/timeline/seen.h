/* SPDX-License-Identifier: Apache-2.0 */
/* Which events have been taken already: a task's two logs, read one behind the other, hold each of them twice. Remembers
 * the last SEEN_WINDOW events at least, in 16 MiB at most. */
#ifndef CPI_TIMELINE_SEEN_H
#define CPI_TIMELINE_SEEN_H

#include <stdbool.h>
#include <stddef.h>

#include "cpi/timeline/event.h"

#define SEEN_WINDOW 750000

struct seen_table {
	uint64_t *slots; /* 0: free */
	size_t size;     /* a power of two */
	size_t used;
};

/* Starts zeroed. */
struct seen {
	struct seen_table recent;
	struct seen_table older;
	bool failed; /* no memory: everything is new from then on */
};

/* True the first time. What cannot be told from others, because it has no time, is always new. */
bool seen_add(struct seen *seen, const struct event *event);
void seen_free(struct seen *seen);

#endif
