/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gather.h"

#include <time.h>

#define PATIENCE_S 20

bool gather_meet(struct gather *gather, unsigned n)
{
	struct timespec until;
	int failed = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&gather->lock);
	gather->came++;
	pthread_cond_broadcast(&gather->more);
	while (gather->came < n && failed == 0)
		failed = pthread_cond_timedwait(&gather->more, &gather->lock, &until);
	bool met = gather->came >= n;
	pthread_mutex_unlock(&gather->lock);
	return met;
}

unsigned gather_count(struct gather *gather)
{
	pthread_mutex_lock(&gather->lock);
	unsigned came = gather->came;
	pthread_mutex_unlock(&gather->lock);
	return came;
}
