/* SPDX-License-Identifier: Apache-2.0 */
/* How far an image has come, for the log: a line every three seconds. */
#ifndef CPI_METHODS_IMAGE_PROGRESS_H
#define CPI_METHODS_IMAGE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/onhost_msg.h"
#include "common/runtime.h"

struct image_progress {
	struct runtime *runtime;
	const char *what;  /* "writing stemcell" */
	bool any;          /* a line has been written, then */
	int64_t logged_ms;
};

/* For each report that comes, however many there are. */
void image_progress_log(struct image_progress *progress, const struct onhost_progress *done);
/* MiB a second; 0 where no time has passed. */
double image_progress_rate(uint64_t bytes, double seconds);

#endif
