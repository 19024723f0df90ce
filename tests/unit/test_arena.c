/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: alignment, zeroing, the limit, reset, several threads, and no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/arena.h"
#include "common/parallel.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/gather.h"

/* Hidden from the compiler, which would warn of sizes that cannot be. */
static size_t opaque(size_t value)
{
	volatile size_t hidden = value;
	return hidden;
}

static void test_pieces_are_apart_aligned_and_zero(void **state)
{
	(void)state;
	CLEANUP_ARENA struct arena *arena = arena_new(10000000);
	unsigned char *pieces[300];

	assert_non_null(arena);
	for (size_t i = 0; i < 300; i++) {
		size_t size = i * 37 + 1;
		pieces[i] = arena_alloc(arena, size);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)(i % 251) + 1, size);
	}
	for (size_t i = 0; i < 300; i++) {
		for (size_t k = 0; k < i * 37 + 1; k++)
			assert_int_equal(pieces[i][k], i % 251 + 1);
	}
}

static void test_reset_gives_zeroed_memory_again(void **state)
{
	(void)state;
	CLEANUP_ARENA struct arena *arena = arena_new(100000);

	for (int round = 0; round < 1000; round++) {
		unsigned char *piece = arena_alloc(arena, 5000);
		unsigned char *large = arena_alloc(arena, 50000);
		assert_non_null(piece);
		assert_non_null(large);
		for (size_t k = 0; k < 5000; k++)
			assert_int_equal(piece[k], 0);
		memset(piece, 0xAA, 5000);
		memset(large, 0xAA, 50000);
		arena_reset(arena);
	}
}

static void test_limit(void **state)
{
	(void)state;
	CLEANUP_ARENA struct arena *arena = arena_new(1000);

	assert_null(arena_alloc(arena, 1001));
	assert_non_null(arena_alloc(arena, 900));
	assert_null(arena_alloc(arena, 200));
	assert_non_null(arena_alloc(arena, 50));
	arena_reset(arena);
	assert_non_null(arena_alloc(arena, 900));
	assert_null(arena_alloc(arena, opaque(SIZE_MAX)));
	assert_null(arena_alloc(arena, opaque(SIZE_MAX - 8)));
	assert_null(arena_array(arena, opaque(SIZE_MAX / 2), 3));
	assert_null(arena_array(arena, 3, opaque(SIZE_MAX / 2)));

	CLEANUP_ARENA struct arena *endless = arena_new(SIZE_MAX);
	assert_null(arena_alloc(endless, opaque(SIZE_MAX - 20)));
	assert_non_null(arena_alloc(endless, 1));
}

static void test_nothing(void **state)
{
	(void)state;
	CLEANUP_ARENA struct arena *arena = arena_new(1000);
	assert_non_null(arena_alloc(arena, 0));
	assert_non_null(arena_array(arena, 0, 8));
	arena_reset(arena);
	arena_free(NULL);
}

static void test_texts(void **state)
{
	(void)state;
	CLEANUP_ARENA struct arena *arena = arena_new(100);

	assert_string_equal(arena_strdup(arena, "abc"), "abc");
	assert_string_equal(arena_strdup(arena, ""), "");
	assert_string_equal(arena_strndup(arena, "abcdef", 3), "abc");
	assert_string_equal(arena_printf(arena, "%s-%d", "x", 7), "x-7");
	assert_null(arena_strdup(arena, NULL));
	assert_null(arena_strndup(arena, NULL, 3));
	assert_null(arena_strndup(arena, "a", opaque(SIZE_MAX)));
	assert_null(arena_printf(arena, "%200s", "x"));
}

static void test_what_it_holds(void **state)
{
	(void)state;
	CLEANUP_ARENA struct arena *arena = arena_new(1000000);
	CLEANUP_ARENA struct arena *other = arena_new(1000000);
	static const char elsewhere[] = "elsewhere";

	assert_false(arena_holds(arena, elsewhere));
	char *small = arena_alloc(arena, 100);
	char *large = arena_alloc(arena, 100000);
	char *last = arena_alloc(arena, 16000);
	const char *const pieces[] = { small, small + 99, large, large + 99999, last, last + 15999 };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		assert_true(arena_holds(arena, pieces[i]));
		assert_false(arena_holds(other, pieces[i]));
	}
	assert_false(arena_holds(arena, NULL));
	assert_false(arena_holds(arena, elsewhere));
	arena_reset(arena);
	assert_false(arena_holds(arena, small));
}

#define THREADS 8
#define PIECES 2000

struct taker {
	struct arena *arena;
	struct gather *gather;
	unsigned char mark;
	unsigned char *pieces[PIECES];
	size_t given;
};

static size_t size_of(size_t i)
{
	return (i % 40 == 0 ? 9000 : 1 + i % 100) * 16;
}

static int take_until_full(void *self, struct error *err)
{
	struct taker *taker = self;

	(void)err;
	if (!gather_meet(taker->gather, THREADS))
		return -1;
	for (size_t i = 0; i < PIECES; i++) {
		taker->pieces[i] = arena_alloc(taker->arena, size_of(i));
		if (taker->pieces[i] == NULL)
			continue;
		memset(taker->pieces[i], taker->mark, size_of(i));
		taker->given += size_of(i);
	}
	return 0;
}

/* No piece is given out twice, and the limit is kept to the byte. */
static void test_several_threads(void **state)
{
	(void)state;
	const size_t max = (size_t)32 * 1024 * 1024;
	CLEANUP_ARENA struct arena *arena = arena_new(max);
	struct gather gather = GATHER_INIT;
	static struct taker takers[THREADS];
	struct parallel_task tasks[THREADS];
	size_t given = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){ .arena = arena, .gather = &gather, .mark = (unsigned char)(i + 1) };
		tasks[i] = (struct parallel_task){ take_until_full, &takers[i] };
	}
	assert_int_equal(parallel_run(tasks, THREADS, NULL), 0);
	for (unsigned t = 0; t < THREADS; t++) {
		given += takers[t].given;
		for (size_t i = 0; i < PIECES; i++) {
			for (size_t k = 0; takers[t].pieces[i] != NULL && k < size_of(i); k++) {
				if (takers[t].pieces[i][k] != takers[t].mark)
					fail_msg("piece %zu of thread %u is another's too", i, t);
			}
		}
	}
	assert_true(given <= max && max - given < 16 * 16);
	/* what is left can be had, and no more */
	assert_null(arena_alloc(arena, max - given + 1));
	assert_non_null(arena_alloc(arena, max - given));
}

static void test_no_memory(void **state)
{
	(void)state;
	fail_alloc_after(0);
	struct arena *none = arena_new(1000);
	fail_alloc_off();
	assert_null(none);

	CLEANUP_ARENA struct arena *arena = arena_new(1000000);
	fail_alloc_after(0);
	void *first = arena_alloc(arena, 10);
	fail_alloc_off();
	assert_null(first);
	/* usable afterwards, and nothing was counted */
	char *text = arena_strdup(arena, "kept");
	assert_non_null(text);
	fail_alloc_after(0);
	void *large = arena_alloc(arena, 100000);
	char *small = arena_strdup(arena, "still room in the block");
	fail_alloc_off();
	assert_null(large);
	assert_string_equal(small, "still room in the block");
	assert_string_equal(text, "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_apart_aligned_and_zero),
		cmocka_unit_test(test_reset_gives_zeroed_memory_again),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_what_it_holds),
		cmocka_unit_test(test_several_threads),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
