/* SPDX-License-Identifier: Apache-2.0 */
/* The wait loop on a clock that only sleeping moves: its pace, its ends, failures in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/wait.h"
#include "tests/unit/fake_aws.h"

#define LOOKS 2000

struct looking {
	struct fake_aws *fake;
	unsigned done_at;      /* the look that finds it done, from 1; 0: never */
	unsigned fails_from;   /* looks that fail, from 1; 0: none */
	unsigned fails_until;
	unsigned fails_every;  /* every so many looks; 0: not so */
	bool retryable;
	unsigned looks;
	int64_t times[LOOKS];
};

static int look(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
		struct error *err)
{
	struct looking *looking = self;

	assert_true(looking->looks < LOOKS);
	looking->times[looking->looks++] = looking->fake->now_ms;
	/* would run out of memory if it were not emptied */
	assert_non_null(arena_alloc(scratch, 6 * 1024 * 1024));
	snprintf(seen, seen_size, "look %u", looking->looks);
	bool within = looking->looks >= looking->fails_from && looking->looks <= looking->fails_until;
	if (within || (looking->fails_every > 0 && looking->looks % looking->fails_every == 0)) {
		error_set(err, ERROR_NETWORK, "no way");
		err->retryable = looking->retryable;
		return -1;
	}
	*ret_look = looking->looks == looking->done_at ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

static int wait_with(struct looking *looking, int64_t limit_ms, struct error *err)
{
	return wait_until(&looking->fake->ec2, "thing to be done", limit_ms, look, looking, err);
}

static void test_done_at_once_does_not_sleep(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct looking looking = { .fake = &fake, .done_at = 1 };

	fake_aws_open(&fake);
	assert_int_equal(wait_with(&looking, 60000, NULL), 0);
	assert_int_equal(fake.now_ms, 0);
	fake_aws_close(&fake);
}

static void test_pace(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct looking looking = { .fake = &fake, .done_at = 400 };
	unsigned late = 0;

	fake_aws_open(&fake);
	assert_int_equal(wait_with(&looking, 24 * 3600 * 1000, NULL), 0);
	assert_in_range(looking.times[1], 160, 200);
	assert_in_range(looking.times[2] - looking.times[1], 400, 500);
	assert_in_range(looking.times[3] - looking.times[2], 800, 1000);
	for (unsigned i = 1; i < looking.looks; i++) {
		int64_t gap = looking.times[i] - looking.times[i - 1];
		assert_in_range(gap, 160, 15000);
		late += gap != 15000;
	}
	/* jittered: not all at the same pace */
	assert_true(late > 100);
	fake_aws_close(&fake);
}

static void test_limit(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct looking looking = { .fake = &fake };
	struct error err;

	fake_aws_open(&fake);
	assert_int_equal(wait_with(&looking, 600000, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.message, "waited 600 s for thing to be done"));
	char seen[40];
	snprintf(seen, sizeof(seen), "last seen: look %u", looking.looks);
	assert_non_null(strstr(err.message, seen));
	/* the last look is at the limit itself */
	assert_int_equal(looking.times[looking.looks - 1], 600000);
	fake_aws_close(&fake);

	looking = (struct looking){ .fake = &fake, .done_at = 12 };
	fake_aws_open(&fake);
	fake.clock.scale = 0.001;
	assert_int_equal(wait_with(&looking, 600000, &err), 0);
	assert_true(fake.now_ms <= 600);
	fake_aws_close(&fake);
}

static void test_failures(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct error err;
	struct looking looking = { .fake = &fake, .fails_from = 3, .fails_until = 3 };

	fake_aws_open(&fake);
	assert_int_equal(wait_with(&looking, 600000, &err), -1);
	assert_string_equal(err.message, "waiting for thing to be done: no way");
	assert_int_equal(looking.looks, 3);

	/* five that may pass are passed over, a sixth in a row is not */
	looking = (struct looking){ .fake = &fake, .fails_from = 3, .fails_until = 7, .retryable = true, .done_at = 8 };
	assert_int_equal(wait_with(&looking, 600000, &err), 0);
	looking = (struct looking){ .fake = &fake, .fails_from = 3, .fails_until = 8, .retryable = true, .done_at = 9 };
	assert_int_equal(wait_with(&looking, 600000, &err), -1);
	assert_int_equal(looking.looks, 8);
	/* any number of them is, as long as looks in between succeed */
	looking = (struct looking){ .fake = &fake, .fails_every = 2, .retryable = true, .done_at = 31 };
	assert_int_equal(wait_with(&looking, 6000000, &err), 0);
	fake_aws_close(&fake);
}

static void test_a_signal_ends_it(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct looking looking = { .fake = &fake };
	struct error err;

	fake_aws_open(&fake);
	cancel_raise(&fake.cancel, 15);
	assert_int_equal(wait_with(&looking, 600000, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_int_equal(looking.looks, 0);
	fake_aws_close(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_done_at_once_does_not_sleep),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_a_signal_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
