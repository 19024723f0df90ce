/* SPDX-License-Identifier: Apache-2.0 */
/* The sentences that stand over and under a drawing, the same in text and in pictures. Foreign parts are as they were
 * logged: who shows a caption cleans it. */
#ifndef CPI_TIMELINE_CAPTION_H
#define CPI_TIMELINE_CAPTION_H

#include <stddef.h>

#include "cpi/timeline/draw.h"

#define CAPTION_SIZE 768

/* "create_vm, cpi-123456, pid 4711, task 12" */
void caption_title(const struct model_request *request, char ret_text[static CAPTION_SIZE]);
/* "2026-11-21 21:11:50.134  5.17s: 14 calls, AWS 4.61s, own time and pauses 0.56s …"; times: the sign in "throttled 2x". */
void caption_summary(const struct model_request *request, const char *times, char ret_text[static CAPTION_SIZE]);
/* "Read: 120 lines, …" */
void caption_counts(const struct drawing *drawing, char ret_text[static CAPTION_SIZE]);

#endif
