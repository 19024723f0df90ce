/* SPDX-License-Identifier: Apache-2.0 */
/* How fast it goes just now, from the progress that is reported about once a second. */
#ifndef COMMON_PACE_H
#define COMMON_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "common/onhost_msg.h"

/* Reports that count: about ten seconds. */
#define PACE_REPORTS 10

struct pace {
	struct {
		double seconds;
		uint64_t bytes;
	} reports[PACE_REPORTS];
	size_t count; /* of all reports that ever counted */
	double seconds;
	uint64_t written;
	uint64_t skipped;
};

/* Start with zeros. */
void pace_add(struct pace *pace, const struct onhost_progress *done);
/* Bytes written a second, of late; 0 while nothing was written. What is left out does not count, and neither does the time
 * between two reports in which blocks were only left out; time in which nothing happened does. */
double pace_rate(const struct pace *pace);
/* Until all is done, if all of the rest had to be written: of what will be left out nobody knows yet. -1 while it cannot
 * be told. */
double pace_seconds_left(const struct pace *pace, const struct onhost_progress *done);
/* Bytes of the image that are behind us, written or left out; what was read while its size is not known. Never more than
 * the total. */
uint64_t pace_bytes_done(const struct onhost_progress *done);

#endif
