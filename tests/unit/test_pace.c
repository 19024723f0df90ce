/* SPDX-License-Identifier: Apache-2.0 */
/* Rate and time left, over runs that hurry, dawdle, pass over holes and stand still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/pace.h"

#define MIB ((uint64_t)1024 * 1024)
#define TOTAL (4096 * MIB)

/* A second in which so much was written and left out. */
static void second(struct pace *pace, struct onhost_progress *done, uint64_t written_mib, uint64_t skipped_mib)
{
	done->seconds += 1;
	done->written += written_mib * MIB;
	done->skipped += skipped_mib * MIB;
	pace_add(pace, done);
}

static unsigned rate_mib(const struct pace *pace)
{
	return (unsigned)(pace_rate(pace) / (double)MIB + 0.5);
}

static void test_steady(void **state)
{
	struct pace pace = { .count = 0 };
	struct onhost_progress done = { .total = TOTAL };
	(void)state;
	assert_int_equal(rate_mib(&pace), 0);
	assert_true(pace_seconds_left(&pace, &done) < 0);
	for (unsigned i = 1; i < 40; i++) {
		second(&pace, &done, 100, 0);
		assert_int_equal(rate_mib(&pace), 100);
		assert_int_equal(pace_seconds_left(&pace, &done) + 0.5, (4096 - 100 * i) / 100.0 + 0.5);
	}
}

/* A hole that is passed over at once brings the end nearer, and changes nothing of the rate. */
static void test_hole(void **state)
{
	struct pace pace = { .count = 0 };
	struct onhost_progress done = { .total = TOTAL };
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		second(&pace, &done, 100, 0);
	second(&pace, &done, 100, 2596);
	assert_int_equal(rate_mib(&pace), 100);
	assert_int_equal(pace_seconds_left(&pace, &done), 10);
	for (unsigned left = 9; left > 0; left--) {
		second(&pace, &done, 100, 0);
		assert_int_equal(pace_seconds_left(&pace, &done), left);
	}
}

/* Many seconds of nothing but blocks that are left out are not slowness. */
static void test_passing_over(void **state)
{
	struct pace pace = { .count = 0 };
	struct onhost_progress done = { .total = TOTAL };
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		second(&pace, &done, 100, 0);
	for (unsigned i = 0; i < 30; i++)
		second(&pace, &done, 0, 50);
	assert_int_equal(rate_mib(&pace), 100);
	second(&pace, &done, 100, 0);
	assert_int_equal(rate_mib(&pace), 100);
}

/* A device that stands still has a rate that says so, and no end in sight; then it forgets. */
static void test_standing_still(void **state)
{
	struct pace pace = { .count = 0 };
	struct onhost_progress done = { .total = TOTAL };
	unsigned before = 100;
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		second(&pace, &done, 100, 0);
	for (unsigned i = 0; i < PACE_REPORTS; i++) {
		second(&pace, &done, 0, 0);
		assert_true(rate_mib(&pace) < before);
		before = rate_mib(&pace);
	}
	assert_int_equal(before, 0);
	assert_true(pace_seconds_left(&pace, &done) < 0);
	for (unsigned i = 0; i < PACE_REPORTS; i++)
		second(&pace, &done, 40, 0);
	assert_int_equal(rate_mib(&pace), 40);
}

/* Another rate is the one that counts ten seconds later, whatever the mean of the whole run is. */
static void test_recent(void **state)
{
	struct pace pace = { .count = 0 };
	struct onhost_progress done = { .total = TOTAL };
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		second(&pace, &done, 300, 0);
	for (unsigned i = 0; i < PACE_REPORTS; i++)
		second(&pace, &done, 20, 0);
	assert_int_equal(rate_mib(&pace), 20);
}

static void test_bytes_done(void **state)
{
	static const struct onhost_progress unknown = { .read = 5, .written = 7 };
	static const struct onhost_progress half = { .read = 5, .written = 7, .skipped = 3, .total = 20 };
	static const struct onhost_progress over = { .read = 5, .written = 17, .skipped = 13, .total = 20 };
	struct pace pace = { .count = 0 };
	(void)state;
	assert_int_equal(pace_bytes_done(&unknown), 5);
	assert_int_equal(pace_bytes_done(&half), 10);
	assert_int_equal(pace_bytes_done(&over), 20);
	/* without a size there is no end; the same moment twice is nothing new */
	second(&pace, &(struct onhost_progress){ .total = 0 }, 10, 0);
	assert_true(pace_seconds_left(&pace, &unknown) < 0);
	pace_add(&pace, &(struct onhost_progress){ .written = 99 * MIB, .seconds = 1 });
	assert_int_equal(rate_mib(&pace), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),	       cmocka_unit_test(test_hole),
		cmocka_unit_test(test_passing_over),   cmocka_unit_test(test_standing_still),
		cmocka_unit_test(test_recent),	       cmocka_unit_test(test_bytes_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
