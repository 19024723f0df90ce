/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream is, by its first bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/format.h"
#include "tests/unit/image_kit.h"

static void test_packing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum format_packing packing;
	} rows[] = {
		{ "\x1f\x8b\x08", 3, FORMAT_GZIP },
		{ "\x1f\x8b", 2, FORMAT_GZIP }, /* cut, and told so */
		{ "\x1f", 1, FORMAT_PLAIN },
		{ "", 0, FORMAT_PLAIN },
		{ "\x28\xb5\x2f\xfd", 4, FORMAT_ZSTD },
		{ "\x50\x2a\x4d\x18", 4, FORMAT_ZSTD },
		{ "\x5f\x2a\x4d\x18", 4, FORMAT_ZSTD },
		{ "\x60\x2a\x4d\x18", 4, FORMAT_PLAIN },
		{ "\x28\xb5\x2f", 3, FORMAT_PLAIN },
		{ "\xfd"
		  "7zXZ\0",
		  6, FORMAT_XZ },
		{ "\xfd"
		  "7zXZ",
		  5, FORMAT_PLAIN },
		{ "PK\x03\x04", 4, FORMAT_PLAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(format_packing((const uint8_t *)rows[i].bytes, rows[i].len), rows[i].packing);
}

static void test_tar(void **state)
{
	static const enum kit_dialect dialects[] = { KIT_V7, KIT_USTAR, KIT_GNU };
	uint8_t block[FORMAT_PEEK] = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct kit_member member = { dialects[i], "root.img", NULL, '0', 512 };
		kit_tar_header(block, &member);
		assert_int_equal(format_content(block, sizeof(block)), FORMAT_TAR);
		assert_int_equal(format_content(block, 512), FORMAT_TAR);
		assert_int_equal(format_content(block, 511), FORMAT_UNKNOWN);
		block[0] ^= 1;
		assert_int_equal(format_content(block, sizeof(block)), FORMAT_UNKNOWN);
	}
}

/* Old tars summed up signed bytes; a name in Latin-1 tells the two apart. */
static void test_signed_checksum(void **state)
{
	uint8_t block[512];
	const struct kit_member member = { KIT_V7, "r\xf6ot.img", NULL, '0', 512 };
	int sum = 0;

	(void)state;
	kit_tar_header(block, &member);
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (int8_t)block[i];
	snprintf((char *)block + 148, 8, "%06o", (unsigned)sum);
	assert_int_equal(format_content(block, sizeof(block)), FORMAT_TAR);
}

static void test_raw(void **state)
{
	uint8_t disk[FORMAT_PEEK] = { 0 };

	(void)state;
	assert_int_equal(format_content(disk, sizeof(disk)), FORMAT_UNKNOWN);
	assert_int_equal(format_content(disk, 0), FORMAT_UNKNOWN);
	disk[510] = 0x55;
	assert_int_equal(format_content(disk, sizeof(disk)), FORMAT_UNKNOWN);
	disk[511] = 0xAA;
	assert_int_equal(format_content(disk, sizeof(disk)), FORMAT_RAW);
	assert_int_equal(format_content(disk, 511), FORMAT_UNKNOWN);
	memset(disk, 0, sizeof(disk));
	disk[1080] = 0x53;
	disk[1081] = 0xEF;
	assert_int_equal(format_content(disk, sizeof(disk)), FORMAT_RAW);
	assert_int_equal(format_content(disk, 1081), FORMAT_UNKNOWN);
}

static void test_guess(void **state)
{
	(void)state;
	assert_string_equal(format_guess((const uint8_t *)"PK\x03\x04zip", 7), "a zip archive");
	assert_string_equal(format_guess((const uint8_t *)"QFI\xfb", 4), "a qcow2 disk image");
	assert_string_equal(format_guess((const uint8_t *)"<html>", 6), "a web page");
	assert_null(format_guess((const uint8_t *)"hello", 5));
	assert_null(format_guess((const uint8_t *)"", 0));
}

static void test_name(void **state)
{
	(void)state;
	assert_string_equal(format_name(FORMAT_GZIP, FORMAT_TAR), "gzip tar");
	assert_string_equal(format_name(FORMAT_PLAIN, FORMAT_RAW), "raw");
	assert_string_equal(format_name(FORMAT_ZSTD, FORMAT_RAW), "zstd raw");
	assert_string_equal(format_name(FORMAT_XZ, FORMAT_TAR), "xz tar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packing), cmocka_unit_test(test_tar),   cmocka_unit_test(test_signed_checksum),
		cmocka_unit_test(test_raw),     cmocka_unit_test(test_guess), cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
