/* SPDX-License-Identifier: Apache-2.0 */
/* The ways in which what was read is shown. Each writes to the stream; whether that went well is asked of it afterwards. */
#ifndef CPI_TIMELINE_DRAW_H
#define CPI_TIMELINE_DRAW_H

#include <stdbool.h>
#include <stdio.h>

#include "cpi/timeline/model.h"
#include "cpi/timeline/stream.h"

struct drawing {
	FILE *out;
	const struct model_result *result;
	const struct stream_counts *counts;
	uint64_t cut;    /* records that were cut */
	size_t columns;  /* of the text */
	bool unicode;
	bool colour;
};

/* -1: no memory. */
int draw_text(const struct drawing *drawing);
int draw_svg(const struct drawing *drawing);
int draw_json(const struct drawing *drawing);

#endif
