/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a drawing in text, while it is made: columns, colours where they are wanted, characters that are there. */
#ifndef CPI_TIMELINE_LINE_H
#define CPI_TIMELINE_LINE_H

#include "common/buf.h"
#include "cpi/timeline/draw.h"

#define LINE_MAX_BYTES ((size_t)16 * 1024)

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_MAGENTA };

struct line {
	const struct drawing *drawing;
	struct buf text; /* BUF_INIT(LINE_MAX_BYTES) */
};

/* Writes it, and begins the next one. */
void line_finish(struct line *line);
void line_colour(struct line *line, enum colour colour);
void line_blanks(struct line *line, size_t count);
/* Foreign text, to the left in its column. */
void line_cell(struct line *line, const char *text, size_t width);
/* That of the two which can be shown. */
const char *line_symbol(const struct line *line, const char *unicode, const char *ascii);
/* Whole lines: a text of ours with foreign parts in it, in as many as it needs. */
void line_text(struct line *line, size_t indent, enum colour colour, const char *text);

#endif
