/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: alignment, the pool's bounds, and the runs of wanted blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "onhost/slots.h"

static void test_pool(void **state)
{
	struct slots slots;
	struct slot *taken[3];

	(void)state;
	assert_int_equal(slots_init(&slots, 3, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		taken[i] = slots_get(&slots);
		assert_non_null(taken[i]);
		assert_int_equal((uintptr_t)taken[i]->data % SLOT_BLOCK, 0);
		taken[i]->len = SLOT_SIZE;
		slot_want(taken[i], 0, SLOT_SIZE);
	}
	slots_put(&slots, taken[1]);
	struct slot *again = slots_get(&slots);
	assert_ptr_equal(again, taken[1]);
	assert_int_equal(again->len, 0);
	assert_int_equal(slot_wanted_bytes(again), 0);
	ring_stop(&slots.free);
	assert_null(slots_get(&slots));
	slots_put(&slots, again);
	slots_destroy(&slots);
}

static void test_too_many(void **state)
{
	struct slots slots;
	struct error err;

	(void)state;
	assert_int_equal(slots_init(&slots, RING_MAX + 1, &err), -1);
}

static void expect_run(const struct slot *slot, size_t *position, size_t start, size_t len)
{
	size_t got_start, got_len;

	assert_true(slot_next_run(slot, position, &got_start, &got_len));
	assert_int_equal(got_start, start);
	assert_int_equal(got_len, len);
}

static void test_runs(void **state)
{
	struct slots slots;
	size_t position = 0, start, len;

	(void)state;
	assert_int_equal(slots_init(&slots, 1, NULL), 0);
	struct slot *slot = slots_get(&slots);
	slot->len = SLOT_SIZE;
	assert_false(slot_next_run(slot, &position, &start, &len));

	slot_want(slot, 5000, 1);               /* block 1 */
	slot_want(slot, 8191, 2);               /* blocks 1 and 2 */
	slot_want(slot, 63 * SLOT_BLOCK, 8192); /* over the edge of a word */
	slot_want(slot, SLOT_SIZE - 1, 1);      /* the last */
	slot_want(slot, 100 * SLOT_BLOCK, 0);   /* nothing */
	expect_run(slot, &position, 4096, 8192);
	expect_run(slot, &position, 63 * SLOT_BLOCK, 8192);
	expect_run(slot, &position, SLOT_SIZE - SLOT_BLOCK, SLOT_BLOCK);
	assert_false(slot_next_run(slot, &position, &start, &len));
	assert_int_equal(slot_wanted_bytes(slot), 5 * SLOT_BLOCK);

	slot_unwant(slot, 64);
	assert_false(slot_wants(slot, 64));
	assert_true(slot_wants(slot, 63));
	slot->len = 2 * SLOT_BLOCK + 512;
	position = 0;
	expect_run(slot, &position, 4096, 4096 + 512);
	assert_false(slot_next_run(slot, &position, &start, &len));
	slots_put(&slots, slot);
	slots_destroy(&slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
