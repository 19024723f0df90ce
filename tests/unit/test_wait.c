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
	size_t takes; /* memory */
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
	assert_non_null(arena_alloc(scratch, looking->takes));
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

/* Lets a thing that is never done be waited for, and gives the times of the looks. */
static void wait_in_vain(struct looking *looking, struct fake_aws *fake, int64_t limit_ms)
{
	fake_aws_open(fake);
	*looking = (struct looking){ .fake = fake };
	assert_int_equal(wait_with(looking, limit_ms, NULL), -1);
	fake_aws_close(fake);
}

#define SHORT_MS 30000
#define SCHEDULES 2000

/* How late a look finds what changed, in the mean over all times of change in the first 30 s; times[0] is 0. */
static double mean_lateness(const int64_t *times)
{
	double sum = 0;

	for (size_t i = 1; times[i - 1] < SHORT_MS; i++) {
		int64_t until = times[i] < SHORT_MS ? times[i] : SHORT_MS;
		int64_t longest = times[i] - times[i - 1];
		int64_t shortest = times[i] - until;
		sum += (double)(longest + shortest) / 2 * (double)(until - times[i - 1]);
	}
	return sum / SHORT_MS;
}

static unsigned looks_in_short(const int64_t *times)
{
	unsigned looks = 0;

	while (times[looks] <= SHORT_MS)
		looks++;
	return looks;
}

/* Each gap at its longest and at its shortest of those seen so far: no schedule is worse than these. */
static void remember_extremes(const struct looking *looking, int64_t *slowest, int64_t *quickest)
{
	for (unsigned i = 1; i < 20; i++) {
		int64_t gap = looking->times[i] - looking->times[i - 1];
		slowest[i] = gap > slowest[i] ? gap : slowest[i];
		quickest[i] = quickest[i] == 0 || gap < quickest[i] ? gap : quickest[i];
	}
}

static void test_the_first_half_minute(void **state)
{
	(void)state;
	static struct fake_aws fake;
	static struct looking looking;
	int64_t slowest[20] = { 0 };
	int64_t quickest[20] = { 0 };
	double sum = 0;

	for (unsigned n = 0; n < SCHEDULES; n++) {
		wait_in_vain(&looking, &fake, 120000);
		assert_int_equal(looking.times[0], 0);
		assert_in_range(looks_in_short(looking.times), 10, 15);
		assert_true(mean_lateness(looking.times) < 1500);
		sum += mean_lateness(looking.times);
		remember_extremes(&looking, slowest, quickest);
	}
	assert_true(sum / SCHEDULES < 1400);
	for (unsigned i = 1; i < 20; i++) {
		slowest[i] += slowest[i - 1];
		quickest[i] += quickest[i - 1];
	}
	assert_true(mean_lateness(slowest) < 1500);
	assert_in_range(looks_in_short(quickest), 10, 15);
	/* what takes a second is found within a second */
	assert_true(slowest[3] < 2000);
}

static void test_the_long_run(void **state)
{
	(void)state;
	static struct fake_aws fake;
	static struct looking looking;
	unsigned different = 0;

	wait_in_vain(&looking, &fake, 4 * 3600 * 1000);
	for (unsigned i = 1; i < looking.looks - 1; i++) {
		int64_t gap = looking.times[i] - looking.times[i - 1];
		assert_true(gap <= 15000);
		if (looking.times[i - 1] > 120000)
			assert_true(gap >= 12000);
		different += gap != looking.times[i + 1] - looking.times[i];
	}
	/* jittered: many waits that began together do not stay together */
	assert_true(different > looking.looks / 2);
}

/* The looks that AWS throttles, as a call would be: the wait sees the client's count. */
static int look_throttled(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			  struct error *err)
{
	struct looking *looking = self;
	const struct aws_service service = { .name = "ec2", .version = "2016-11-15" };
	const struct aws_call call = { .service = &service, .action = "DescribeVolumes" };
	const struct xml_node *root;

	if (looking->looks < 3)
		assert_int_equal(aws_call(looking->fake->client, &call, scratch, &root, err), 0);
	return look(self, scratch, ret_look, seen, seen_size, err);
}

static void test_throttling_slows_it_down(void **state)
{
	(void)state;
	static struct fake_aws fake;
	struct looking looking = { .fake = &fake, .done_at = 30 };

	fake_aws_open(&fake);
	for (unsigned n = 0; n < 3; n++) {
		fake_aws_script(&fake, (struct fake_answer){
			.status = 503, .body = fake_aws_error("RequestLimitExceeded", "slower") });
		fake_aws_script(&fake, (struct fake_answer){
			.body = "<DescribeVolumesResponse><volumeSet/></DescribeVolumesResponse>" });
	}
	assert_int_equal(wait_until(&fake.ec2, "thing", 3600000, look_throttled, &looking, NULL), 0);
	/* a second between the third and the fourth look, eight times that after three of them */
	assert_in_range(looking.times[3] - looking.times[2], 7200, 8800);
	for (unsigned i = 5; i < looking.looks; i++)
		assert_in_range(looking.times[i] - looking.times[i - 1], 12000, 15000);
	fake_aws_close(&fake);
}

static void test_limit(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct looking looking = { .fake = &fake, .takes = 6 * 1024 * 1024 };
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
		cmocka_unit_test(test_the_first_half_minute),
		cmocka_unit_test(test_the_long_run),
		cmocka_unit_test(test_throttling_slows_it_down),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_a_signal_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
