/* SPDX-License-Identifier: Apache-2.0 */
/* Progress for people: a bar with rate and time left on a terminal, a line every few seconds elsewhere; for programs, the
 * session's own messages. What the rate and the time left mean is pace.h's. */
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/deadline.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "common/pace.h"

#define PROGRESS_LINE_EVERY_MS 5000
/* What is over sooner shows no bar. */
#define PROGRESS_BAR_AFTER_S 1.0
#define PROGRESS_TEXT_MAX 512

enum progress_form { PROGRESS_LINES, PROGRESS_BAR, PROGRESS_JSON };

struct progress {
	int fd;
	enum progress_form form;
	const struct clock *clock;
	int64_t next_ms; /* when the next line is due; of PROGRESS_LINES */
	bool bar_open;   /* a bar stands on the terminal's present line */
	struct pace pace;
};

/* fd is borrowed (standard error). A bar takes a terminal that can do more than plain lines. */
void progress_init(struct progress *progress, int fd, bool json, const struct clock *clock);
/* A function for who does the work (struct pipeline_options of onhost); self is the progress. Always 0: what cannot be shown is no reason to stop. */
int progress_show(void *self, const struct onhost_progress *done, struct error *err);
/* Ends the bar's line, so that what comes next starts on one of its own. */
void progress_end(struct progress *progress);

/* "[=====>     ]  45 %  1.3 of 3.0 GiB   210 MiB/s     0:08 left", columns wide at most: where that is not enough, the
 * line below, and then ever less. At the end, how long it took stands in place of the time left. */
void progress_format_bar(const struct onhost_progress *done, const struct pace *pace, unsigned columns,
			 char ret_text[PROGRESS_TEXT_MAX]);
/* "1.3 of 3.0 GiB (45 %), 210 MiB/s, 0:08 left" */
void progress_format_line(const struct onhost_progress *done, const struct pace *pace, char ret_text[PROGRESS_TEXT_MAX]);

#endif
