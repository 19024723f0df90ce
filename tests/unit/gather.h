/* SPDX-License-Identifier: Apache-2.0 */
/* A place where threads wait for each other: that they met is the proof that they ran at the same time. */
#ifndef TESTS_UNIT_GATHER_H
#define TESTS_UNIT_GATHER_H

#include <pthread.h>
#include <stdbool.h>

struct gather {
	pthread_mutex_t lock;
	pthread_cond_t more;
	unsigned came;
};
#define GATHER_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

/* Counts the caller in, and waits until at least n have come. false when they do not: after twenty seconds. */
bool gather_meet(struct gather *gather, unsigned n);
/* How many have come so far. */
unsigned gather_count(struct gather *gather);

#endif
