/* SPDX-License-Identifier: Apache-2.0 */
/* Handing over between threads: order, waiting for room and for items, closing, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "onhost/ring.h"

#define ITEMS 5000

static void *put_many(void *self)
{
	struct ring *ring = self;

	for (uintptr_t i = 1; i <= ITEMS; i++)
		assert_true(ring_put(ring, (void *)i));
	ring_close(ring);
	return NULL;
}

static void *get_one(void *self)
{
	void *item;

	return ring_get(self, &item) ? self : NULL;
}

static void *put_one(void *self)
{
	return ring_put(self, self) ? self : NULL;
}

static void test_order(void **state)
{
	struct ring ring;
	pthread_t thread;
	void *item;
	uintptr_t want = 1;

	(void)state;
	assert_int_equal(ring_init(&ring, 3, NULL), 0);
	pthread_create(&thread, NULL, put_many, &ring);
	while (ring_get(&ring, &item))
		assert_int_equal((uintptr_t)item, want++);
	assert_int_equal(want, ITEMS + 1);
	assert_false(ring_stopped(&ring));
	pthread_join(thread, NULL);
	ring_destroy(&ring);
}

static void test_stop_wakes(void **state)
{
	struct ring ring;
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(ring_init(&ring, 1, NULL), 0);
	pthread_create(&thread, NULL, get_one, &ring);
	ring_stop(&ring);
	pthread_join(thread, &result);
	assert_null(result);
	ring_destroy(&ring);

	assert_int_equal(ring_init(&ring, 1, NULL), 0);
	assert_true(ring_put(&ring, &ring));
	pthread_create(&thread, NULL, put_one, &ring);
	ring_stop(&ring);
	pthread_join(thread, &result);
	assert_null(result);
	/* what was in it is not handed out any more */
	assert_false(ring_get(&ring, &result));
	assert_true(ring_stopped(&ring));
	ring_destroy(&ring);
}

static void test_close_drains(void **state)
{
	struct ring ring;
	void *item;

	(void)state;
	assert_int_equal(ring_init(&ring, 2, NULL), 0);
	assert_true(ring_put(&ring, &ring));
	ring_close(&ring);
	assert_true(ring_get(&ring, &item));
	assert_false(ring_get(&ring, &item));
	ring_destroy(&ring);
}

static void test_sizes(void **state)
{
	struct ring ring;
	struct error err;

	(void)state;
	assert_int_equal(ring_init(&ring, 0, &err), -1);
	assert_int_equal(ring_init(&ring, RING_MAX + 1, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_stop_wakes),
		cmocka_unit_test(test_close_drains),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
