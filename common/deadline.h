/* SPDX-License-Identifier: Apache-2.0 */
/* Time: a clock that tests can hold, deadlines instead of sleeps, and the delays of a backoff. */
#ifndef COMMON_DEADLINE_H
#define COMMON_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cancel.h"
#include "common/error.h"

/* A clock. clock_system() is the real one; unit tests make their own. */
struct clock {
	int64_t (*monotonic_ms)(void *self);
	int64_t (*wall_us)(void *self); /* microseconds since 1970, UTC */
	/* Sleeps that long or until cancel is raised (0, or -1 and ERROR_CANCELLED). */
	int (*sleep_ms)(void *self, int64_t ms, const struct cancel *cancel, struct error *err);
	void *self;
	/* debug.cpi.time_scale: every deadline and every sleep below is multiplied by it; 1.0 unless a test says so. */
	double scale;
};

void clock_system(struct clock *ret_clock);

struct deadline {
	int64_t at_ms; /* on the clock's monotonic scale */
};

/* ms from now (scaled). */
struct deadline deadline_in(const struct clock *clock, int64_t ms);
/* Milliseconds left, 0 when it has passed; at most INT_MAX, so that poll() takes it. */
int deadline_left_ms(const struct clock *clock, struct deadline deadline);
bool deadline_passed(const struct clock *clock, struct deadline deadline);
/* Sleeps ms (scaled), but not beyond the deadline. */
int deadline_sleep(const struct clock *clock, struct deadline deadline, int64_t ms, const struct cancel *cancel,
		   struct error *err);

/* Full jitter: a random delay in [0, min(cap, base * 2^attempt)], attempt counted from 0. */
int64_t backoff_delay_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms);

#endif
