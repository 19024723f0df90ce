/* SPDX-License-Identifier: Apache-2.0 */
/* How many are let in: growth by one a round, half after a refusal, once a round; and threads that wait. */
#include "cpi/upload/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"

static struct gate *new_gate(unsigned start, unsigned most)
{
	struct gate *gate = NULL;
	struct error err;

	assert_int_equal(gate_new(start, most, &gate, &err), 0);
	return gate;
}

static void enter(struct gate *gate, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_true(gate_enter(gate));
}

static void leave(struct gate *gate, unsigned count, bool throttled)
{
	for (unsigned i = 0; i < count; i++)
		gate_leave(gate, throttled);
}

static void one_more_after_each_round(void **state)
{
	struct gate *gate = new_gate(4, 6);

	(void)state;
	enter(gate, 4);
	leave(gate, 3, false);
	assert_int_equal(gate_limit(gate), 4);
	leave(gate, 1, false);
	assert_int_equal(gate_limit(gate), 5);
	enter(gate, 5);
	leave(gate, 4, false);
	assert_int_equal(gate_limit(gate), 5);
	leave(gate, 1, false);
	assert_int_equal(gate_limit(gate), 6);
	for (int i = 0; i < 100; i++) {
		enter(gate, 1);
		leave(gate, 1, false);
	}
	assert_int_equal(gate_limit(gate), 6);
	gate_free(gate);
}

static void half_once_for_all_who_were_in(void **state)
{
	struct gate *gate = new_gate(32, 64);

	(void)state;
	enter(gate, 32);
	leave(gate, 1, true);
	assert_int_equal(gate_limit(gate), 16);
	leave(gate, 31, true);
	assert_int_equal(gate_limit(gate), 16);
	/* the next round is one of its own */
	enter(gate, 16);
	leave(gate, 1, true);
	assert_int_equal(gate_limit(gate), 8);
	gate_free(gate);
}

static void the_refused_round_is_no_success(void **state)
{
	struct gate *gate = new_gate(8, 64);

	(void)state;
	enter(gate, 8);
	leave(gate, 1, true);
	leave(gate, 7, false);
	assert_int_equal(gate_limit(gate), 4);
	/* from here on successes count, from nought */
	enter(gate, 4);
	leave(gate, 3, false);
	assert_int_equal(gate_limit(gate), 4);
	leave(gate, 1, false);
	assert_int_equal(gate_limit(gate), 5);
	gate_free(gate);
}

static void never_under_one(void **state)
{
	struct gate *gate = new_gate(3, 3);

	(void)state;
	for (int i = 0; i < 5; i++) {
		enter(gate, 1);
		leave(gate, 1, true);
	}
	assert_int_equal(gate_limit(gate), 1);
	enter(gate, 1);
	leave(gate, 1, false);
	assert_int_equal(gate_limit(gate), 2);
	gate_free(gate);
}

static void limits_that_cannot_be(void **state)
{
	struct gate *gate = new_gate(9, 4);

	(void)state;
	assert_int_equal(gate_limit(gate), 4);
	gate_free(gate);
	gate = new_gate(0, 0);
	assert_int_equal(gate_limit(gate), 1);
	gate_free(gate);
	gate_free(NULL);
}

/* --- threads --- */

struct crowd {
	struct gate *gate;
	atomic_uint inside;
	atomic_uint most_inside;
	atomic_uint entered;
	atomic_uint turned_away;
};

static void *go_through(void *self)
{
	struct crowd *crowd = self;

	for (int i = 0; i < 200; i++) {
		if (!gate_enter(crowd->gate)) {
			crowd->turned_away++;
			return NULL;
		}
		unsigned now = ++crowd->inside;
		unsigned most = crowd->most_inside;
		while (now > most && !atomic_compare_exchange_weak(&crowd->most_inside, &most, now))
			;
		crowd->entered++;
		crowd->inside--;
		gate_leave(crowd->gate, i % 50 == 49);
	}
	return NULL;
}

static void never_more_than_the_limit(void **state)
{
	struct crowd crowd = { .gate = new_gate(2, 4) };
	pthread_t threads[12];

	(void)state;
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, go_through, &crowd), 0);
	for (size_t i = 0; i < 12; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.entered, 12 * 200);
	assert_in_range(crowd.most_inside, 1, 4);
	gate_free(crowd.gate);
}

static void shut_wakes_all_who_wait(void **state)
{
	struct crowd crowd = { .gate = new_gate(1, 1) };
	pthread_t threads[5];

	(void)state;
	enter(crowd.gate, 1);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, go_through, &crowd), 0);
	usleep(10000); /* some wait by now, as a rule: either way all are turned away */
	gate_shut(crowd.gate);
	for (size_t i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.turned_away, 5);
	leave(crowd.gate, 1, false);
	assert_false(gate_enter(crowd.gate));
	gate_free(crowd.gate);
}

static void out_of_memory(void **state)
{
	struct gate *gate = NULL;
	struct error err;

	(void)state;
	fail_alloc_after(0);
	int result = gate_new(1, 1, &gate, &err);
	assert_true(fail_alloc_off());
	assert_int_equal(result, -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
	assert_null(gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_more_after_each_round),
		cmocka_unit_test(half_once_for_all_who_were_in),
		cmocka_unit_test(the_refused_round_is_no_success),
		cmocka_unit_test(never_under_one),
		cmocka_unit_test(limits_that_cannot_be),
		cmocka_unit_test(never_more_than_the_limit),
		cmocka_unit_test(shut_wakes_all_who_wait),
		cmocka_unit_test(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
