/* SPDX-License-Identifier: Apache-2.0 */
/* Both checksums against published values, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/crc.h"

static const char digits[] = "123456789";

/* The check values of the catalogue of CRC algorithms, and RFC 3720, B.4. */
static void test_published(void **state)
{
	uint8_t bytes[32] = { 0 };

	(void)state;
	assert_int_equal(~crc32c_update(~0U, digits, 9), 0xE3069283);
	assert_int_equal(~crc32_update(~0U, digits, 9), 0xCBF43926);
	assert_int_equal(~crc32c_update(~0U, bytes, 32), 0x8A9136AA);
	memset(bytes, 0xFF, 32);
	assert_int_equal(~crc32c_update(~0U, bytes, 32), 0x62A8AB43);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(~crc32c_update(~0U, bytes, 32), 0x46DD794E);
}

static void test_pieces(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 9; cut++) {
		uint32_t crc = crc32c_update(~0U, digits, cut);
		assert_int_equal(~crc32c_update(crc, digits + cut, 9 - cut), 0xE3069283);
		crc = crc32_update(~0U, digits, cut);
		assert_int_equal(~crc32_update(crc, digits + cut, 9 - cut), 0xCBF43926);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_published), cmocka_unit_test(test_pieces) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
