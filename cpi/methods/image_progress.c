/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/image_progress.h"

#include <inttypes.h>

#define LOG_EVERY_MS 3000
#define MIB ((uint64_t)1024 * 1024)

double image_progress_rate(uint64_t bytes, double seconds)
{
	return seconds > 0 ? (double)bytes / (double)MIB / seconds : 0;
}

void image_progress_log(struct image_progress *progress, const struct onhost_progress *done)
{
	const struct clock *clock = progress->runtime->clock;
	int64_t now = clock->monotonic_ms(clock->self);
	uint64_t bytes = done->written + done->skipped;
	double rate = image_progress_rate(bytes, done->seconds);

	if (progress->any && now - progress->logged_ms < LOG_EVERY_MS)
		return;
	progress->any = true;
	progress->logged_ms = now;
	if (done->total > 0)
		log_info(progress->runtime->log, "%s: %" PRIu64 " of %" PRIu64 " MiB, %.0f MiB/s", progress->what, bytes / MIB,
			 done->total / MIB, rate);
	else
		log_info(progress->runtime->log, "%s: %" PRIu64 " MiB, %.0f MiB/s", progress->what, bytes / MIB, rate);
}
