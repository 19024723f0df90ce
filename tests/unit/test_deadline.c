/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines on a clock that the test holds, the system's clock as far as it can be tested without timing, backoff. */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "common/deadline.h"

struct held {
	int64_t now_ms;
	int64_t slept_ms;
};

static int64_t held_monotonic(void *self)
{
	return ((struct held *)self)->now_ms;
}

static int64_t held_wall(void *self)
{
	return ((struct held *)self)->now_ms * 1000;
}

static int held_sleep(void *self, int64_t ms, const struct cancel *cancel, struct error *err)
{
	struct held *held = self;

	held->slept_ms += ms;
	held->now_ms += ms;
	return cancel_check(cancel, err);
}

static struct clock hold(struct held *held, double scale)
{
	return (struct clock){ held_monotonic, held_wall, held_sleep, held, scale };
}

static void counts_down(void **state)
{
	struct held held = { .now_ms = 1000 };
	struct clock clock = hold(&held, 1.0);

	(void)state;
	struct deadline deadline = deadline_in(&clock, 500);
	assert_int_equal(deadline_left_ms(&clock, deadline), 500);
	held.now_ms = 1499;
	assert_false(deadline_passed(&clock, deadline));
	held.now_ms = 1500;
	assert_true(deadline_passed(&clock, deadline));
	held.now_ms = 99999;
	assert_int_equal(deadline_left_ms(&clock, deadline), 0);
}

static void scale_is_applied_once(void **state)
{
	struct held held = { .now_ms = 0 };
	struct clock clock = hold(&held, 0.01);

	(void)state;
	struct deadline deadline = deadline_in(&clock, 60000);
	assert_int_equal(deadline_left_ms(&clock, deadline), 600);
	assert_int_equal(deadline_sleep(&clock, deadline, 5000, NULL, NULL), 0);
	assert_int_equal(held.slept_ms, 50);
}

static void extremes(void **state)
{
	struct held held = { .now_ms = INT64_MAX / 4 };
	struct clock clock = hold(&held, 1.0);

	(void)state;
	assert_int_equal(deadline_left_ms(&clock, deadline_in(&clock, INT64_MAX)), INT_MAX);
	assert_true(deadline_passed(&clock, deadline_in(&clock, 0)));
	assert_true(deadline_passed(&clock, deadline_in(&clock, -5)));
	assert_true(deadline_passed(&clock, deadline_in(&clock, INT64_MIN)));
	clock.scale = 0;
	assert_true(deadline_passed(&clock, deadline_in(&clock, 1000)));
	clock.scale = 1e300;
	assert_int_equal(deadline_left_ms(&clock, deadline_in(&clock, 1000)), INT_MAX);
}

static void sleeps_no_longer_than_the_deadline(void **state)
{
	struct held held = { .now_ms = 0 };
	struct clock clock = hold(&held, 1.0);
	struct deadline deadline = deadline_in(&clock, 300);

	(void)state;
	assert_int_equal(deadline_sleep(&clock, deadline, 200, NULL, NULL), 0);
	assert_int_equal(deadline_sleep(&clock, deadline, 200, NULL, NULL), 0);
	assert_int_equal(held.slept_ms, 300);
	assert_int_equal(deadline_sleep(&clock, deadline, 200, NULL, NULL), 0);
	assert_int_equal(held.slept_ms, 300);
}

static void system_clock_goes_on(void **state)
{
	struct clock clock;

	(void)state;
	clock_system(&clock);
	int64_t before = clock.monotonic_ms(clock.self);
	assert_int_equal(clock.sleep_ms(clock.self, 20, NULL, NULL), 0);
	assert_true(clock.monotonic_ms(clock.self) >= before + 20);
	assert_true(clock.wall_us(clock.self) > INT64_C(1700000000) * 1000000);
	assert_int_equal(clock.sleep_ms(clock.self, 0, NULL, NULL), 0);
	assert_int_equal(clock.sleep_ms(clock.self, -1, NULL, NULL), 0);
}

/* An hour's sleep ends at once, or the test does not. */
static void system_sleep_is_cancelled(void **state)
{
	struct clock clock;
	struct cancel cancel;
	struct error err;

	(void)state;
	clock_system(&clock);
	assert_int_equal(cancel_open(&cancel, NULL), 0);
	cancel_raise(&cancel, SIGTERM);
	assert_int_equal(clock.sleep_ms(clock.self, 3600000, &cancel, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	struct deadline deadline = deadline_in(&clock, 3600000);
	assert_int_equal(deadline_sleep(&clock, deadline, 3600000, &cancel, NULL), -1);
	cancel_clear(&cancel);
	assert_int_equal(clock.sleep_ms(clock.self, 1, &cancel, &err), 0);
	cancel_close(&cancel);
}

static struct cancel by_alarm;

static void on_alarm(int signal)
{
	cancel_raise(&by_alarm, signal);
}

static void system_sleep_is_interrupted(void **state)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct sigaction before;
	struct clock clock;
	struct error err;

	(void)state;
	clock_system(&clock);
	assert_int_equal(cancel_open(&by_alarm, NULL), 0);
	sigaction(SIGALRM, &action, &before);
	ualarm(20000, 0);
	assert_int_equal(clock.sleep_ms(clock.self, 3600000, &by_alarm, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	sigaction(SIGALRM, &before, NULL);
	cancel_close(&by_alarm);
}

/* A byte in the pipe without a signal (a race with cancel_clear) neither ends the sleep nor makes it a busy loop. */
static void a_stray_byte_is_no_cancellation(void **state)
{
	struct clock clock;
	struct cancel cancel;

	(void)state;
	clock_system(&clock);
	assert_int_equal(cancel_open(&cancel, NULL), 0);
	assert_int_equal(write(cancel.write_fd, "", 1), 1);
	int64_t before = clock.monotonic_ms(clock.self);
	assert_int_equal(clock.sleep_ms(clock.self, 20, &cancel, NULL), 0);
	assert_true(clock.monotonic_ms(clock.self) >= before + 20);
	cancel_close(&cancel);
}

static void backoff_stays_within(void **state)
{
	static const struct {
		unsigned attempt;
		int64_t base;
		int64_t cap;
		int64_t most;
	} rows[] = {
		{ 0, 100, 20000, 100 },	      { 3, 100, 20000, 800 },	      { 20, 100, 20000, 20000 },
		{ 4000000000U, 100, 20000, 20000 }, { 0, 500, 200, 200 },     { 3, 0, 20000, 0 },
		{ 3, 100, 0, 0 },	      { 3, -1, 100, 0 },	      { 63, INT64_MAX / 2, INT64_MAX, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int n = 0; n < 200; n++) {
			int64_t delay = backoff_delay_ms(rows[i].attempt, rows[i].base, rows[i].cap);
			assert_true(delay >= 0 && delay <= rows[i].most);
		}
	}
}

static void backoff_is_spread(void **state)
{
	int low = 0;

	(void)state;
	/* 400 fair draws: fewer than 100 on one side happen once in 10^25 runs */
	for (int n = 0; n < 400; n++)
		low += backoff_delay_ms(0, 999999, 999999) < 500000;
	assert_in_range(low, 100, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_down),
		cmocka_unit_test(scale_is_applied_once),
		cmocka_unit_test(extremes),
		cmocka_unit_test(sleeps_no_longer_than_the_deadline),
		cmocka_unit_test(system_clock_goes_on),
		cmocka_unit_test(system_sleep_is_cancelled),
		cmocka_unit_test(system_sleep_is_interrupted),
		cmocka_unit_test(a_stray_byte_is_no_cancellation),
		cmocka_unit_test(backoff_stays_within),
		cmocka_unit_test(backoff_is_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
