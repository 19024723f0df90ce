/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking pieces of work side by side: look-ups that do not depend on each other. */
#ifndef COMMON_PARALLEL_H
#define COMMON_PARALLEL_H

#include <stddef.h>

#include "common/error.h"

#define PARALLEL_MAX 16 /* more tasks than that wait for a free thread */

struct parallel_task {
	int (*run)(void *self, struct error *err); /* 0 or -1, as everywhere */
	void *self;
};

/* Runs all, each on a thread of its own (one of them the caller's), and returns when all have ended: nothing of self is
 * touched afterwards. All run to their end also when one fails. -1 with the error of the first in the list that failed,
 * so that the same failures give the same message whichever came first. Where no thread can be had, one after the other.
 * A single task starts no thread. The new threads take no signals. */
int parallel_run(const struct parallel_task *tasks, size_t n_tasks, struct error *err);

#endif
