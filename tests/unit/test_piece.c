/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges put together from windows, with gaps and without; numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/piece.h"

static const uint8_t bytes[] = "abcdefghijklmnopqrstuvwxyz";

/* Every range of ten bytes or less, in windows of every size. */
static void test_windows(void **state)
{
	(void)state;
	for (size_t from = 0; from < 16; from++) {
		for (size_t len = 1; len <= 10; len++) {
			for (size_t window = 1; window <= 26; window++) {
				uint8_t to[11] = { 0 };
				struct piece piece = { .offset = 100 + from, .len = len, .to = to };
				enum piece_state got = PIECE_WAITS;
				for (size_t at = 0; at < 26; at += window) {
					size_t n = 26 - at < window ? 26 - at : window;
					got = piece_take(&piece, bytes + at, n, 100 + at);
					assert_int_equal(got, at + n >= from + len ? PIECE_WHOLE : PIECE_WAITS);
				}
				assert_memory_equal(to, bytes + from, len);
				assert_int_equal(to[len], 0);
			}
		}
	}
}

static void test_missed(void **state)
{
	uint8_t to[4];
	struct piece piece = { .offset = 10, .len = 4, .to = to };

	(void)state;
	assert_int_equal(piece_take(&piece, bytes, 10, 0), PIECE_WAITS);
	assert_int_equal(piece_take(&piece, bytes, 5, 11), PIECE_MISSED);
	assert_int_equal(piece_take(&piece, bytes, 2, 10), PIECE_WAITS);
	assert_int_equal(piece_take(&piece, bytes, 5, 13), PIECE_MISSED);
	assert_int_equal(piece_take(&piece, bytes, 1, 12), PIECE_WAITS);
	assert_int_equal(piece_take(&piece, bytes, 1, 13), PIECE_WHOLE);
	/* whole is whole, whatever comes */
	assert_int_equal(piece_take(&piece, bytes, 1, UINT64_MAX), PIECE_WHOLE);
}

static void test_numbers(void **state)
{
	static const uint8_t at[8] = { 0x01, 0x82, 0x03, 0x84, 0x05, 0x06, 0x07, 0xF8 };

	(void)state;
	assert_int_equal(piece_le16(at), 0x8201);
	assert_int_equal(piece_le32(at), 0x84038201);
	assert_true(piece_le64(at) == 0xF807060584038201);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_missed),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
