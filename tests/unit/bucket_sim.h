/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that call one action of an API whose token bucket is known, in a time of its own: what matters is how long they
 * take all together, and how often they are refused. */
#ifndef TESTS_UNIT_BUCKET_SIM_H
#define TESTS_UNIT_BUCKET_SIM_H

#include <stdint.h>

#define BUCKET_SIM_START INT64_C(1767225600000000) /* 2026-01-01, in microseconds */

/* What is tried out. process counts from 0; now is in microseconds. */
struct bucket_client {
	int64_t (*turn)(void *self, unsigned process, int64_t now); /* milliseconds until it asks again; 0: it sends */
	void (*refused)(void *self, unsigned process, int64_t now);
	void (*taken)(void *self, unsigned process, int64_t now);
	void *self;
};

struct bucket_sim {
	unsigned processes;
	unsigned calls;   /* of each, one after the other */
	double depth;     /* the real bucket's */
	double refill;    /* a second */
	double start_s;   /* the processes start within that time */
	double taken_s;   /* how long an answer takes, within half as much up and down */
	double refused_s;
	double busy_until_s; /* so long somebody else takes all that flows in */
	unsigned seed;
};

struct bucket_outcome {
	double seconds;
	double best_s; /* what the bucket allows: all calls less its depth, at its rate */
	unsigned refused;
	unsigned most_refused; /* of one process */
};

struct bucket_outcome bucket_sim_run(const struct bucket_sim *sim, const struct bucket_client *client);

#endif
