/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of the stream of blocks: their bytes, the limits, the order; and any bytes at all, judged once more by rules that
 * are written down here in another way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/onhost_blocks.h"
#include "common/onhost_frames.h"

#define WHOLE ONHOST_BLOCK_SIZE
#define LAST ONHOST_BLOCK_INDEX_MAX

static void test_bytes(void **state)
{
	static const struct {
		struct onhost_block_header header;
		uint8_t bytes[ONHOST_BLOCK_HEADER];
	} cases[] = {
		{ { .index = 0, .len = 524288 }, { 0, 0, 0, 0, 0, 8, 0, 0 } },
		{ { .index = 0x01020304, .len = 0x00050607 }, { 1, 2, 3, 4, 0, 5, 6, 7 } },
		{ { .index = 134217727, .len = 1 }, { 7, 0xff, 0xff, 0xff, 0, 0, 0, 1 } },
		{ { .is_message = true, .len = 1 }, { 0, 0, 0, 1, 0, 0, 0, 0 } },
		{ { .is_message = true, .len = 65535 }, { 0, 0, 0xff, 0xff, 0, 0, 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[ONHOST_BLOCK_HEADER];
		struct onhost_block_order order = { .any = false };
		struct onhost_block_header header;
		onhost_block_encode(&cases[i].header, bytes);
		assert_memory_equal(bytes, cases[i].bytes, sizeof(bytes));
		assert_int_equal(onhost_block_decode(bytes, &order, &header, NULL), 0);
		assert_int_equal(header.is_message, cases[i].header.is_message);
		assert_int_equal(header.index, cases[i].header.index);
		assert_int_equal(header.len, cases[i].header.len);
	}
}

static int decode(uint32_t first, uint32_t second, struct onhost_block_order *order, struct onhost_block_header *header,
		  struct error *err)
{
	const uint8_t bytes[ONHOST_BLOCK_HEADER] = {
		(uint8_t)(first >> 24),  (uint8_t)(first >> 16),  (uint8_t)(first >> 8),  (uint8_t)first,
		(uint8_t)(second >> 24), (uint8_t)(second >> 16), (uint8_t)(second >> 8), (uint8_t)second,
	};

	return onhost_block_decode(bytes, order, header, err);
}

static void take(struct onhost_block_order *order, uint32_t index, uint32_t len)
{
	struct onhost_block_header header;

	assert_int_equal(decode(index, len, order, &header, NULL), 0);
}

/* Nothing is touched, and the message names what is wrong. */
static void refuse(struct onhost_block_order *order, uint32_t first, uint32_t second, const char *text)
{
	const struct onhost_block_order before = *order;
	struct onhost_block_header header = { .index = 77, .len = 78 };
	struct error err;

	assert_int_equal(decode(first, second, order, &header, &err), -1);
	assert_int_equal(err.kind, ERROR_PROTOCOL);
	if (strstr(err.message, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, err.message);
	assert_int_equal(header.index, 77);
	assert_int_equal(header.len, 78);
	assert_int_equal(order->any, before.any);
	assert_int_equal(order->short_came, before.short_came);
	assert_int_equal(order->last, before.last);
}

static void test_limits(void **state)
{
	struct onhost_block_order order = { .any = false };

	(void)state;
	refuse(&order, 0, WHOLE + 1, "524289 bytes; 524288 are allowed");
	refuse(&order, 0, UINT32_MAX, "4294967295 bytes");
	refuse(&order, LAST + 1, WHOLE, "block 134217728 ");
	refuse(&order, UINT32_MAX, 1, "behind the largest EBS volume's end");
	refuse(&order, 0, 0, "0 bytes; 1 to 65535");
	refuse(&order, ONHOST_LINE_MAX, 0, "65536 bytes; 1 to 65535");
	refuse(&order, UINT32_MAX, 0, "4294967295 bytes");
	take(&order, LAST, WHOLE);
}

static void test_order(void **state)
{
	struct onhost_block_order order = { .any = false };

	(void)state;
	take(&order, 17, 0);
	take(&order, 0, WHOLE);
	refuse(&order, 0, WHOLE, "block 0 of the image follows block 0");
	take(&order, 1, WHOLE);
	take(&order, 1, 0); /* a message of one byte is no block 1 */
	take(&order, 9, WHOLE);
	refuse(&order, 9, WHOLE, "block 9 of the image follows block 9");
	refuse(&order, 8, 1, "block 8 of the image follows block 9");
	take(&order, 10, WHOLE - 1);
	refuse(&order, 11, WHOLE, "block 11 of the image follows block 10, which was a last one");
	refuse(&order, 11, 1, "which was a last one");
	take(&order, 5, 0);
	refuse(&order, 11, WHOLE, "which was a last one");
}

static uint32_t some(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8 ^ *seed << 16;
}

/* Mostly near the limits, and near what came before. */
static uint32_t odd_number(uint32_t *seed, uint32_t last)
{
	static const uint32_t corners[] = { 0, 1, 511, 65535, 65536, WHOLE - 1, WHOLE, WHOLE, WHOLE, WHOLE + 1, LAST, UINT32_MAX };
	uint32_t choice = some(seed) % 16;

	if (choice < 12)
		return last + some(seed) % 3;
	if (choice < 15)
		return corners[some(seed) % (sizeof(corners) / sizeof(corners[0]))];
	return some(seed);
}

static void test_anything(void **state)
{
	uint32_t seed = 7;
	unsigned blocks = 0, messages = 0, refused = 0;

	(void)state;
	for (unsigned stream = 0; stream < 20000; stream++) {
		struct onhost_block_order order = { .any = false };
		int64_t last = -1, end = INT64_MAX; /* the next index must be above the one and under the other */
		for (unsigned i = 0; i < 40; i++) {
			uint32_t first = odd_number(&seed, last < 0 ? 0 : (uint32_t)last);
			uint32_t second = some(&seed) % 4 > 0 ? WHOLE : odd_number(&seed, 0);
			struct onhost_block_header header;
			int got = decode(first, second, &order, &header, NULL);
			bool message = second == 0 && first - 1 < 65535;
			bool block = second - 1 < WHOLE && first < LAST + 1 && (int64_t)first > last && (int64_t)first < end;
			assert_int_equal(got, message || block ? 0 : -1);
			messages += message;
			blocks += block;
			refused += got != 0;
			if (got != 0)
				continue;
			assert_int_equal(header.is_message, message);
			assert_int_equal(header.len, message ? first : second);
			assert_int_equal(header.index, message ? 0 : first);
			if (block)
				last = first;
			if (block && second != WHOLE)
				end = 0;
		}
	}
	assert_true(blocks > 10000 && messages > 10000 && refused > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
