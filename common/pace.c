/* SPDX-License-Identifier: Apache-2.0 */
/* A hole of a gigabyte is passed over in no time: a rate of the image's bytes would jump then, and an overall mean would
 * never forget it. Bytes written are what the time goes into. */
#include "common/pace.h"

void pace_add(struct pace *pace, const struct onhost_progress *done)
{
	double seconds = done->seconds - pace->seconds;
	uint64_t bytes = done->written - pace->written;
	uint64_t skipped = done->skipped - pace->skipped;

	if (seconds <= 0)
		return;
	if (bytes > 0 || skipped == 0) {
		size_t at = pace->count++ % PACE_REPORTS;
		pace->reports[at].seconds = seconds;
		pace->reports[at].bytes = bytes;
	}
	pace->seconds = done->seconds;
	pace->written = done->written;
	pace->skipped = done->skipped;
}

double pace_rate(const struct pace *pace)
{
	size_t count = pace->count < PACE_REPORTS ? pace->count : PACE_REPORTS;
	double seconds = 0, bytes = 0;

	for (size_t i = 0; i < count; i++) {
		seconds += pace->reports[i].seconds;
		bytes += (double)pace->reports[i].bytes;
	}
	return seconds > 0 ? bytes / seconds : 0;
}

double pace_seconds_left(const struct pace *pace, const struct onhost_progress *done)
{
	double rate = pace_rate(pace);

	if (done->total == 0 || rate <= 0)
		return -1;
	return (double)(done->total - pace_bytes_done(done)) / rate;
}

uint64_t pace_bytes_done(const struct onhost_progress *done)
{
	uint64_t sum = done->written + done->skipped;

	if (done->total == 0)
		return done->read;
	return sum < done->total ? sum : done->total;
}
