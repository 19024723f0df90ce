/* SPDX-License-Identifier: Apache-2.0 */
/* Finds cpi's log lines in any text. They may stand anywhere in a line, several in one, also within a string that JSON
 * has escaped; what stands around them, and lines of others, is passed over. */
#ifndef CPI_TIMELINE_READ_H
#define CPI_TIMELINE_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "cpi/timeline/event.h"

/* At least so much is read of a line that is too long to be read at once. */
#define READ_MIN_PIECE ((size_t)128 * 1024)

struct reader {
	void (*take)(void *self, const struct event *event);
	void *self;
	/* kept by the reader */
	uint64_t found; /* records and lines that were given to take */
	uint64_t cut;   /* records without all their numbers, and those whose purpose is cut */
	uint32_t task;  /* the last that the Director named */
};

/* Reads one line, without its end, or, with last false, a piece of one of at least READ_MIN_PIECE. Returns how much was
 * read: all of it, or of a piece what need not be seen again (never 0); the next piece begins there. */
size_t read_events(struct reader *reader, const char *text, size_t len, bool last);

#endif
