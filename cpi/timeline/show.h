/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text, durations and times as people are shown them. A log may hold anything: what could move a terminal's
 * cursor, change its colours or turn the direction of writing never gets through. */
#ifndef CPI_TIMELINE_SHOW_H
#define CPI_TIMELINE_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define SHOW_TIME_SIZE 40

/* Columns that the text takes when it is shown in full. */
size_t show_width(const char *text, bool unicode);
/* Appends at most so many columns of it, a longer text without its middle; returns how many columns it took. What is no
 * character, or none to be shown, becomes a question mark; without unicode so does all that is not ASCII. */
size_t show_text(struct buf *out, const char *text, size_t max_width, bool unicode);
/* The code of the well-formed character of len bytes at text where it is none to be shown; else 0. */
uint32_t show_hidden(const char *text, size_t len);
/* "7ms", "5.17s", "2m05s", "1h02m" */
void show_duration(int64_t ms, char ret_text[static SHOW_TIME_SIZE]);
/* "2026-11-21 21:11:50.134" */
void show_time(int64_t ms, char ret_text[static SHOW_TIME_SIZE]);

#endif
