/* SPDX-License-Identifier: Apache-2.0 */
/* A log from a descriptor to events, line by line, in memory that does not depend on the lines' lengths. */
#ifndef CPI_TIMELINE_STREAM_H
#define CPI_TIMELINE_STREAM_H

#include <stdint.h>

#include "common/error.h"
#include "cpi/timeline/read.h"

/* Lines may be longer: they are read in pieces. */
#define STREAM_BUFFER ((size_t)1024 * 1024)

struct stream_counts {
	uint64_t bytes;
	uint64_t lines;   /* the last one may lack its end */
	uint64_t foreign; /* with nothing of cpi's in them */
};

/* To the end of the stream; what names it in errors. */
int stream_read(int fd, const char *what, struct reader *reader, struct stream_counts *ret_counts, struct error *err);

#endif
