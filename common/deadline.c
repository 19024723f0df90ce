/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clock, deadlines on any clock, and jittered delays. What is retried, and how often, is the callers'. */
#include "common/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Nothing here lasts a century; the limit keeps sums far from overflow. */
#define MAX_MS ((int64_t)100 * 366 * 24 * 3600 * 1000)

static int64_t system_monotonic_ms(void *self)
{
	struct timespec now;

	(void)self;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_us(void *self)
{
	struct timespec now;

	(void)self;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int system_sleep_ms(void *self, int64_t ms, const struct cancel *cancel, struct error *err)
{
	/* poll() passes over a descriptor of -1 */
	struct pollfd raised = { .fd = cancel == NULL ? -1 : cancel->read_fd, .events = POLLIN };
	int64_t until = system_monotonic_ms(self) + (ms > MAX_MS ? MAX_MS : ms);

	for (;;) {
		if (cancel_check(cancel, err) != 0)
			return -1;
		int64_t left = until - system_monotonic_ms(self);
		if (left <= 0)
			return 0;
		int ready = poll(&raised, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (ready < 0 && errno != EINTR)
			return error_errno(err, ERROR_INTERNAL, errno, "cannot wait");
		if (ready > 0 && !cancel_raised(cancel))
			raised.fd = -1; /* closed, or a byte left over: the time is what counts */
	}
}

void clock_system(struct clock *ret_clock)
{
	*ret_clock = (struct clock){
		.monotonic_ms = system_monotonic_ms,
		.wall_us = system_wall_us,
		.sleep_ms = system_sleep_ms,
		.scale = 1.0,
	};
}

static int64_t scaled(const struct clock *clock, int64_t ms)
{
	if (ms <= 0)
		return 0;
	double product = (double)ms * clock->scale;
	if (product >= (double)MAX_MS)
		return MAX_MS;
	return product > 0 ? (int64_t)product : 0;
}

struct deadline deadline_in(const struct clock *clock, int64_t ms)
{
	return (struct deadline){ .at_ms = clock->monotonic_ms(clock->self) + scaled(clock, ms) };
}

int deadline_left_ms(const struct clock *clock, struct deadline deadline)
{
	int64_t now = clock->monotonic_ms(clock->self);

	if (deadline.at_ms <= now)
		return 0;
	return deadline.at_ms - now > INT_MAX ? INT_MAX : (int)(deadline.at_ms - now);
}

bool deadline_passed(const struct clock *clock, struct deadline deadline)
{
	return deadline_left_ms(clock, deadline) == 0;
}

int deadline_sleep(const struct clock *clock, struct deadline deadline, int64_t ms, const struct cancel *cancel,
		   struct error *err)
{
	int64_t left = deadline_left_ms(clock, deadline);
	int64_t wanted = scaled(clock, ms);

	return clock->sleep_ms(clock->self, wanted < left ? wanted : left, cancel, err);
}

static uint64_t random_number(void)
{
	uint64_t number;

	if (getentropy(&number, sizeof(number)) == 0)
		return number;
	/* no generator (an old kernel, a strict filter): processes must still differ from each other */
	number = (uint64_t)system_wall_us(NULL) ^ ((uint64_t)getpid() << 32);
	return number * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

int64_t backoff_delay_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms)
{
	if (base_ms <= 0 || cap_ms <= 0)
		return 0;
	int64_t limit = base_ms;
	for (unsigned i = 0; i < attempt && limit < cap_ms; i++)
		limit = limit > INT64_MAX / 2 ? INT64_MAX : limit * 2;
	if (limit > cap_ms)
		limit = cap_ms;
	return (int64_t)(random_number() % ((uint64_t)limit + 1));
}
