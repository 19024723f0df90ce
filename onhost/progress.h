/* SPDX-License-Identifier: Apache-2.0 */
/* Progress for people: a bar with rate and time left on a terminal, a line every few seconds elsewhere. */
#ifndef ONHOST_PROGRESS_H
#define ONHOST_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/deadline.h"
#include "common/error.h"
#include "common/onhost_msg.h"

#define PROGRESS_LINE_EVERY_MS 5000
#define PROGRESS_TEXT_MAX 512

struct progress {
	int fd;
	bool terminal;
	const struct clock *clock;
	int64_t next_ms; /* when the next line is due; not for a terminal */
	bool bar_open;   /* a bar stands on the terminal's present line */
};

/* fd is borrowed (standard error). */
void progress_init(struct progress *progress, int fd, const struct clock *clock);
/* For struct pipeline_options; self is the progress. Always 0: what cannot be shown is no reason to stop. */
int progress_show(void *self, const struct onhost_progress *done, struct error *err);
/* Ends the bar's line, so that what comes next starts on one of its own. */
void progress_end(struct progress *progress);

/* "[=====>     ]  45 %  1.3 of 3.0 GiB  210 MiB/s  0:08 left", columns wide at most. */
void progress_format_bar(const struct onhost_progress *done, unsigned columns, char ret_text[PROGRESS_TEXT_MAX]);
/* "1.3 of 3.0 GiB (45 %), 210 MiB/s, 0:08 left" */
void progress_format_line(const struct onhost_progress *done, char ret_text[PROGRESS_TEXT_MAX]);

#endif
