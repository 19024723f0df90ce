/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of both kinds, in pieces of any size, and every doubt about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <zlib.h>

#include "onhost/partitions.h"
#include "tests/unit/ext4_kit.h"

#define HEAD ((size_t)34 * 512)
#define LINUX 0x83
#define IMAGE ((uint64_t)1000000 * 512)

static struct partitions found;

static void start(uint8_t head[HEAD])
{
	memset(head, 0, HEAD);
	head[510] = 0x55;
	head[511] = 0xAA;
}

static void put_mbr(uint8_t *head, size_t slot, uint8_t type, uint32_t first, uint32_t sectors)
{
	uint8_t *entry = head + 446 + slot * 16;

	entry[4] = type;
	kit_ext4_set32(entry + 8, first);
	kit_ext4_set32(entry + 12, sectors);
}

static void read_head(const uint8_t *head, size_t step, uint64_t image_size)
{
	bool done = false;

	partitions_init(&found, image_size);
	for (size_t at = 0; at < HEAD && !done; at += step)
		done = partitions_feed(&found, head + at, HEAD - at < step ? HEAD - at : step, at);
	assert_true(done);
	assert_true(partitions_feed(&found, head, 1, UINT64_MAX - 1));
	assert_true(found.count > 0 || found.doubt != NULL);
}

static void expect(size_t index, uint64_t first, uint64_t sectors)
{
	assert_true(index < found.count);
	assert_true(found.list[index].start == first * 512 && found.list[index].size == sectors * 512);
}

static void expect_doubt(const char *text)
{
	assert_int_equal(found.count, 0);
	assert_non_null(found.doubt);
	if (strstr(found.doubt, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, found.doubt);
}

/* --- MBR ---------------------------------------------------------------------------------------------------------- */

static void test_mbr(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	start(head);
	put_mbr(head, 1, LINUX, 5000, 300);
	put_mbr(head, 3, LINUX, 63, 4937);
	put_mbr(head, 0, 0x82, 6000, 10);
	head[446 + 16] = 0x80;
	for (size_t step = 1; step <= HEAD; step = step * 3 + 1) {
		read_head(head, step, IMAGE);
		assert_int_equal(found.count, 2);
		expect(0, 63, 4937);
		expect(1, 5000, 300);
	}
	read_head(head, HEAD, UINT64_MAX);
	assert_int_equal(found.count, 2);
}

static void test_no_table(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	start(head);
	read_head(head, HEAD, IMAGE);
	assert_int_equal(found.count, 1);
	expect(0, 0, 1000000);
	/* boot code where a table would be, and no signature */
	memset(head, 0x66, 512);
	read_head(head, HEAD, UINT64_MAX);
	expect(0, 0, (uint64_t)64 << 31);
}

static const struct {
	struct {
		uint8_t type;
		uint32_t first, sectors;
	} entry[2];
	uint64_t image;
	const char *doubt;
} tables[] = {
	{ { { LINUX, 63, 100 }, { LINUX, 162, 100 } }, IMAGE, "reaches into another" },
	{ { { LINUX, 63, 100 }, { 0x82, 162, 100 } }, IMAGE, "reaches into another" },
	{ { { 0x05, 63, 100 }, { LINUX, 100, 1 } }, IMAGE, "reaches into another" },
	{ { { LINUX, 63, 100 }, { LINUX, 63, 100 } }, IMAGE, "reaches into another" },
	{ { { LINUX, 0, 100 } }, IMAGE, "into the table" },
	{ { { LINUX, 63, 1000000 - 62 } }, IMAGE, "behind the end" },
	{ { { LINUX, 63, UINT32_MAX }, { LINUX, UINT32_MAX, UINT32_MAX } }, IMAGE, "behind the end" },
	{ { { LINUX, 63, 100 }, { 0x8E, 1000000, 1 } }, IMAGE, "behind the end" },
	{ { { 0x05, 63, 100 }, { 0x8E, 200, 1 } }, IMAGE, "no partition of a Linux type" },
	{ { { 0x0F, 63, 100 } }, IMAGE, "no partition of a Linux type" },
	{ { { LINUX, 63, 0 } }, IMAGE, "no partition of a Linux type" },
	{ { { 0xEE, 1, 62 }, { LINUX, 63, 100 } }, IMAGE, "at once" },
	{ { { LINUX, 63, 100 }, { 0xEE, 1, 62 } }, IMAGE, "at once" },
	{ { { 0xEE, 1, 62 } }, IMAGE, "no GPT" },
};

static void test_mbr_doubts(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		start(head);
		for (size_t n = 0; n < 2; n++)
			put_mbr(head, n, tables[i].entry[n].type, tables[i].entry[n].first, tables[i].entry[n].sectors);
		read_head(head, 512, tables[i].image);
		expect_doubt(tables[i].doubt);
	}
	start(head);
	put_mbr(head, 0, LINUX, 63, 100);
	head[446] = 0x7F;
	read_head(head, 512, IMAGE);
	expect_doubt("is none");
}

/* --- GPT ---------------------------------------------------------------------------------------------------------- */

static const uint8_t guid_linux[16] = { 0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47,
					0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4 };

static void put_gpt(uint8_t *head, size_t slot, bool of_linux, uint64_t first, uint64_t last)
{
	uint8_t *entry = head + 1024 + slot * 128;

	memcpy(entry, guid_linux, 16);
	entry[15] ^= of_linux ? 0 : 1;
	kit_ext4_set32(entry + 32, (uint32_t)first);
	kit_ext4_set32(entry + 36, (uint32_t)(first >> 32));
	kit_ext4_set32(entry + 40, (uint32_t)last);
	kit_ext4_set32(entry + 44, (uint32_t)(last >> 32));
}

static void sign(uint8_t *head, size_t entries)
{
	kit_ext4_set32(head + 512 + 88, (uint32_t)crc32(0, head + 1024, (uInt)entries * 128));
	kit_ext4_set32(head + 512 + 16, 0);
	kit_ext4_set32(head + 512 + 16, (uint32_t)crc32(0, head + 512, 92));
}

static void start_gpt(uint8_t *head, size_t entries)
{
	start(head);
	put_mbr(head, 0, 0xEE, 1, UINT32_MAX);
	memcpy(head + 512, "EFI PART", 8);
	kit_ext4_set32(head + 512 + 8, 0x10000);
	kit_ext4_set32(head + 512 + 12, 92);
	kit_ext4_set32(head + 512 + 24, 1);
	kit_ext4_set32(head + 512 + 72, 2);
	kit_ext4_set32(head + 512 + 80, (uint32_t)entries);
	kit_ext4_set32(head + 512 + 84, 128);
}

static void test_gpt(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	for (size_t entries = 4; entries <= 128; entries += 124) {
		start_gpt(head, entries);
		put_gpt(head, 3, true, 2048, 4095);
		put_gpt(head, 0, false, 100, 2047);
		put_gpt(head, 2, true, 5000, 999999);
		sign(head, entries);
		for (size_t step = 100; step <= HEAD; step *= 2) {
			read_head(head, step, IMAGE);
			assert_int_equal(found.count, 2);
			expect(0, 2048, 2048);
			expect(1, 5000, 995000);
		}
	}
}

static const struct {
	size_t at;
	uint32_t value;
	const char *doubt;
} headers[] = {
	{ 0, 0x20494646, "no GPT" },
	{ 12, 91, "no GPT" },
	{ 12, 513, "no GPT" },
	{ 12, UINT32_MAX, "no GPT" },
	{ 24, 2, "unusual form" },
	{ 28, 1, "unusual form" },
	{ 72, 3, "unusual form" },
	{ 80, 0, "unusual form" },
	{ 80, 129, "unusual form" },
	{ 80, UINT32_MAX, "unusual form" },
	{ 84, 256, "unusual form" },
	{ 84, 0, "unusual form" },
};

static void test_gpt_header_doubts(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		start_gpt(head, 128);
		put_gpt(head, 0, true, 2048, 4095);
		kit_ext4_set32(head + 512 + headers[i].at, headers[i].value);
		sign(head, 128);
		read_head(head, HEAD, IMAGE);
		expect_doubt(headers[i].doubt);
	}
}

/* A wrong byte anywhere in header and entries. */
static void test_gpt_checksums(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	start_gpt(head, 128);
	put_gpt(head, 0, true, 2048, 4095);
	sign(head, 128);
	for (size_t at = 512; at < HEAD; at += at < 512 + 92 ? 1 : 97) {
		if (at >= 512 + 92 && at < 1024)
			continue;
		head[at] ^= 0x20;
		read_head(head, HEAD, IMAGE);
		assert_int_equal(found.count, 0);
		head[at] ^= 0x20;
	}
	read_head(head, HEAD, IMAGE);
	assert_int_equal(found.count, 1);
}

static const struct {
	uint64_t first, last;
	const char *doubt;
} entries[] = {
	{ 4095, 2048, "ends before it begins" },
	{ 0, UINT64_MAX, "ends before it begins" },
	{ 2048, UINT64_MAX - 1, "largest disk" },
	{ UINT64_MAX - 2, UINT64_MAX - 1, "largest disk" },
	{ UINT64_C(1) << 55, (UINT64_C(1) << 55) + 10, "largest disk" },
	{ 33, 4095, "into the table" },
	{ 2048, 1000000, "behind the end" },
	{ 6000, 7000, "into another" },
};

static void test_gpt_entry_doubts(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		start_gpt(head, 128);
		put_gpt(head, 0, false, 7000, 7001);
		put_gpt(head, 1, true, entries[i].first, entries[i].last);
		sign(head, 128);
		read_head(head, HEAD, IMAGE);
		expect_doubt(entries[i].doubt);
	}
	for (size_t count = PARTITIONS_MAX; count <= PARTITIONS_MAX + 1; count++) {
		start_gpt(head, 128);
		for (size_t i = 0; i < count; i++)
			put_gpt(head, i, true, 100 + i, 100 + i);
		sign(head, 128);
		read_head(head, HEAD, IMAGE);
		assert_int_equal(found.count, count == PARTITIONS_MAX ? PARTITIONS_MAX : 0);
		assert_true((found.doubt != NULL) == (count > PARTITIONS_MAX));
	}
}

static void test_hole(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	start_gpt(head, 128);
	put_gpt(head, 0, true, 2048, 4095);
	sign(head, 128);
	for (size_t cut = 0; cut < HEAD; cut += 300) {
		partitions_init(&found, IMAGE);
		assert_false(cut > 0 && partitions_feed(&found, head, cut, 0));
		assert_true(partitions_feed(&found, head + cut, HEAD - cut, cut + 1));
		expect_doubt("in a hole");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mbr),
		cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_mbr_doubts),
		cmocka_unit_test(test_gpt),
		cmocka_unit_test(test_gpt_header_doubts),
		cmocka_unit_test(test_gpt_checksums),
		cmocka_unit_test(test_gpt_entry_doubts),
		cmocka_unit_test(test_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
