/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of one aws-call record: key=value, where a value in quotes has \" and \\. The record may stand in a text that was
 * escaped once more, or several times, as JSON does it. */
#ifndef CPI_TIMELINE_RECORD_H
#define CPI_TIMELINE_RECORD_H

#include <stddef.h>

#include "cpi/timeline/event.h"

/* How often a text may have been escaped. */
#define RECORD_MAX_LEVEL 3

enum record_result {
	RECORD_WHOLE,
	RECORD_SHORT, /* cut within the purpose, which is the last field: all numbers are right */
	RECORD_CUT,   /* numbers are missing: ret_call is of no use */
};

/* text begins behind "aws-call" and ends where the next record begins, or with the line. */
enum record_result record_parse(const char *text, const char *end, struct event_call *ret_call);
/* Copies text that was escaped so often into ret_text (NUL-terminated, cut to size, at the end of a line or of the string). */
void record_unescape(const char *text, const char *end, unsigned level, char *ret_text, size_t size);
/* "2026-11-21T21:11:50.134" in microseconds since 1970; the fraction may be missing. False when it is none. */
bool record_time(const char *text, size_t len, int64_t *ret_us);

#endif
