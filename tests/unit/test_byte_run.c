/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of equal bytes: their lengths, and that none is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/byte_run.h"

#define LEN ((size_t)496 * 40 + 16) /* the last bytes that are looked at stand at the end */

static uint8_t data[LEN];

/* No two neighbours are equal. */
static void reset_data(void)
{
	for (size_t i = 0; i < LEN; i++)
		data[i] = (uint8_t)(i % 251);
}

static void test_length(void **state)
{
	static const size_t lens[] = { 1, 2, 3, 15, 16, 17, 4095, 4096, 4097, 8191, 8193, 12345, LEN };

	(void)state;
	assert_int_equal(byte_run(data, 0), 0);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t len = lens[i];
		reset_data();
		memset(data, 7, len);
		if (len < LEN)
			data[len] = 8;
		assert_int_equal(byte_run(data, LEN), len);
		assert_int_equal(byte_run(data, len), len);
		assert_int_equal(byte_run(data, len - 1), len - 1);
	}
}

static void test_zeros(void **state)
{
	(void)state;
	memset(data, 0, LEN);
	assert_true(byte_run_of_zeros(data, 0));
	assert_true(byte_run_of_zeros(data, LEN));
	for (size_t i = 0; i < LEN; i += 997) {
		data[i] = 1;
		assert_false(byte_run_of_zeros(data, LEN));
		assert_true(byte_run_of_zeros(data, i));
		data[i] = 0;
	}
	memset(data, 1, LEN);
	assert_false(byte_run_of_zeros(data, LEN));
}

static void test_find(void **state)
{
	size_t run;

	(void)state;
	reset_data();
	assert_int_equal(byte_run_find(data, 0, &run), 0);
	assert_int_equal(byte_run_find(data, LEN, &run), LEN);
	for (size_t at = 0; at + BYTE_RUN_LEAST <= LEN; at++) {
		reset_data();
		memset(data + at, 255, BYTE_RUN_LEAST);
		assert_int_equal(byte_run_find(data, LEN, &run), at);
		assert_int_equal(run, BYTE_RUN_LEAST);
		assert_int_equal(byte_run_find(data, at + BYTE_RUN_LEAST, &run), at);
		assert_int_equal(byte_run_find(data, at + BYTE_RUN_LEAST - 1, &run), at + BYTE_RUN_LEAST - 1);
	}
}

/* A shorter one before it does not hide it. */
static void test_find_second(void **state)
{
	size_t run;

	(void)state;
	for (size_t first = 1; first < BYTE_RUN_LEAST; first += 3) {
		reset_data();
		memset(data + 300, 255, first);
		memset(data + 300 + first, 254, LEN - 300 - first);
		assert_int_equal(byte_run_find(data, LEN, &run), 300 + first);
		assert_int_equal(run, LEN - 300 - first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
