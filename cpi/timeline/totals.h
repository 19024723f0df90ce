/* SPDX-License-Identifier: Apache-2.0 */
/* Totals by action, in memory that does not grow with the number of calls. */
#ifndef CPI_TIMELINE_TOTALS_H
#define CPI_TIMELINE_TOTALS_H

#include <stdbool.h>
#include <stddef.h>

#include "cpi/timeline/event.h"

/* Calls of further actions are counted together, as TOTALS_OTHERS. */
#define TOTALS_MAX_ACTIONS 256
#define TOTALS_OTHERS "(others)"
/* The median of so many calls is exact. */
#define TOTALS_EXACT 32

struct totals_action {
	char name[64];
	uint64_t calls;
	uint64_t attempts;
	uint64_t throttled; /* attempts */
	uint64_t errors;    /* calls that failed in the end */
	int64_t total_ms;
	int64_t max_ms;
	int64_t wait_ms;
	int64_t throttle_ms;
	int64_t few[TOTALS_EXACT]; /* the first durations */
	uint32_t *histogram;
};

/* Starts zeroed. */
struct totals {
	struct totals_action *actions[TOTALS_MAX_ACTIONS + 1];
	size_t count;
	struct totals_action *by_hash[1024];
	struct totals_action all; /* without histogram; its max_ms and so on are over everything */
	bool failed;              /* no memory: what is here is not all */
};

void totals_add(struct totals *totals, const struct event_call *call);
/* The most time first. */
void totals_sort(struct totals *totals);
/* Of more calls than TOTALS_EXACT exact up to 255 ms, and within 0.4 % above. The upper one of two in the middle. */
int64_t totals_median(const struct totals_action *action);
void totals_free(struct totals *totals);

#endif
