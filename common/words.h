/* SPDX-License-Identifier: Apache-2.0 */
/* What a child says on its standard error: each line goes to the log at debug, and the last ones are kept, because they say why
 * it ended. */
#ifndef COMMON_WORDS_H
#define COMMON_WORDS_H

#include <stddef.h>

#include "common/log.h"

#define WORDS_LINE 512  /* longer lines are cut */
#define WORDS_KEPT 4096 /* the screen that ssh fills when a host key has changed, twice */

/* Starts as all zeros. */
struct words {
	char line[WORDS_LINE]; /* the one that is coming in */
	size_t line_len;
	char kept[WORDS_KEPT]; /* whole lines, each with its line break, and a NUL */
	size_t kept_len;
	char last[WORDS_LINE]; /* the last whole one without its line break; "" when there was none */
};

void words_take(struct words *words, struct log *log, const char *text, size_t len);
/* The stream has ended: what stands there without a line break is the last line. */
void words_end(struct words *words, struct log *log);

#endif
