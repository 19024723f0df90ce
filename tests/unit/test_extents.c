/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a disk image to slots: holes, zeros, odd ends, sizes, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/digest.h"
#include "onhost/extents.h"
#include "tests/unit/ext4_kit.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/image_kit.h"

#define MIB ((size_t)1024 * 1024)
#define DISK (4 * MIB)

static uint8_t disk[DISK];

struct fixture {
	struct kit_disk_image out;
	struct extents extents;
	struct error err;
};

static void open_fixture(struct fixture *f, struct extents_options options)
{
	kit_collect_init(&f->out, DISK);
	options.limit = options.limit == 0 ? DISK : options.limit;
	options.where = "the disk";
	options.slots = &f->out.slots;
	options.emit = kit_collect;
	options.emit_self = &f->out;
	assert_int_equal(extents_init(&f->extents, &options, &f->err), 0);
}

static void close_fixture(struct fixture *f)
{
	extents_destroy(&f->extents);
	kit_collect_free(&f->out);
}

static void expect(const struct fixture *f, size_t from, size_t to, int byte)
{
	for (size_t i = from; i < to; i++) {
		if (byte < 0)
			assert_int_equal(f->out.data[i], disk[i]);
		else
			assert_int_equal(f->out.data[i], byte);
	}
}

static uint64_t skipped(struct fixture *f)
{
	return atomic_load(&f->extents.skipped);
}

/* Pieces of any size, by copy. */
static void test_pieces(void **state)
{
	static const size_t steps[] = { 512, 1000, 4096, 12345, MIB - 1, MIB, MIB + 1, 3 * MIB };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct fixture f;
		size_t len = 3 * MIB + 4096 + 512;
		open_fixture(&f, (struct extents_options){ .holes = true });
		for (size_t at = 0; at < len; at += steps[i])
			assert_int_equal(extents_data(&f.extents, disk + at, len - at < steps[i] ? len - at : steps[i],
						      at, &f.err),
					 0);
		assert_int_equal(extents_end(&f.extents, &f.err), 0);
		expect(&f, 0, len, -1);
		expect(&f, len, DISK, KIT_UNTOUCHED);
		assert_int_equal(atomic_load(&f.extents.total), len);
		assert_int_equal(skipped(&f), 0);
		close_fixture(&f);
	}
}

/* Whole slots that were lent go on as they are. */
static void test_lent(void **state)
{
	struct fixture f;
	uint8_t *lent, *next, *again;

	(void)state;
	open_fixture(&f, (struct extents_options){ .digest = true });
	assert_int_equal(extents_lend(&f.extents, &lent, &f.err), 0);
	for (size_t at = 0; at < 3 * MIB; at += MIB, lent = next) {
		memcpy(lent, disk + at, MIB);
		/* the next bytes are on their way already */
		assert_int_equal(extents_lend(&f.extents, &next, &f.err), 0);
		assert_ptr_not_equal(next, lent);
		memset(next, 0xEE, MIB);
		assert_int_equal(extents_data(&f.extents, lent, MIB, at, &f.err), 0);
		for (size_t i = 0; i < EXTENTS_LENT; i++)
			assert_true(f.extents.lent[i] == NULL || f.extents.lent[i]->data != lent);
	}
	/* a part of one is copied, and stays lent */
	memcpy(lent, disk + 3 * MIB, 512);
	for (size_t i = 1; i < EXTENTS_LENT; i++)
		assert_int_equal(extents_lend(&f.extents, &next, &f.err), 0);
	assert_int_equal(extents_data(&f.extents, lent, 512, 3 * MIB, &f.err), 0);
	assert_int_equal(extents_lend(&f.extents, &again, &f.err), 0);
	assert_ptr_equal(again, lent);
	assert_int_equal(extents_end(&f.extents, &f.err), 0);
	expect(&f, 0, 3 * MIB + 512, -1);

	uint8_t sum[SHA256_LEN];
	char want[SHA256_HEX_SIZE], got[SHA256_HEX_SIZE];
	digest_sha256(disk, 3 * MIB + 512, sum, NULL);
	digest_hex(sum, sizeof(sum), want);
	assert_int_equal(extents_sha256(&f.extents, got, &f.err), 0);
	assert_string_equal(got, want);
	close_fixture(&f);
}

static const struct {
	size_t offset, len;
} parts[] = { { 1024, 512 }, { 8192, 100 }, { 8704, 512 }, { 2 * MIB - 512, 1024 }, { 3 * MIB, 4096 } };
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void give_parts(struct fixture *f)
{
	assert_int_equal(extents_declare(&f->extents, DISK - 512, &f->err), 0);
	for (size_t i = 0; i < N_PARTS; i++)
		assert_int_equal(
			extents_data(&f->extents, disk + parts[i].offset, parts[i].len, parts[i].offset, &f->err), 0);
	assert_int_equal(extents_end(&f->extents, &f->err), 0);
}

static void sum_of_parts(char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t *whole = test_calloc(1, DISK), sum[SHA256_LEN];

	for (size_t i = 0; i < N_PARTS; i++)
		memcpy(whole + parts[i].offset, disk + parts[i].offset, parts[i].len);
	digest_sha256(whole, DISK - 512, sum, NULL);
	digest_hex(sum, sizeof(sum), ret_hex);
	test_free(whole);
}

/* Left out: only whole blocks of 4 KiB of hole; the rest of a block with data is zeros. */
static void test_holes_left_out(void **state)
{
	struct fixture f;
	char want[SHA256_HEX_SIZE], got[SHA256_HEX_SIZE];

	(void)state;
	open_fixture(&f, (struct extents_options){ .digest = true });
	give_parts(&f);
	expect(&f, 0, 1024, 0);
	expect(&f, 1024, 1536, -1);
	expect(&f, 1536, 4096, 0);
	expect(&f, 4096, 8192, KIT_UNTOUCHED);
	expect(&f, 8192, 8292, -1);
	expect(&f, 8292, 8704, 0);
	expect(&f, 8704, 9216, -1);
	expect(&f, 9216, 12288, 0);
	expect(&f, 12288, 2 * MIB - 4096, KIT_UNTOUCHED);
	expect(&f, 2 * MIB - 4096, 2 * MIB - 512, 0);
	expect(&f, 2 * MIB - 512, 2 * MIB + 512, -1);
	expect(&f, 2 * MIB + 512, 2 * MIB + 4096, 0);
	expect(&f, 2 * MIB + 4096, 3 * MIB, KIT_UNTOUCHED);
	expect(&f, 3 * MIB, 3 * MIB + 4096, -1);
	expect(&f, 3 * MIB + 4096, DISK, KIT_UNTOUCHED);
	assert_int_equal(skipped(&f), DISK - 512 - 5 * 4096);
	sum_of_parts(want);
	assert_int_equal(extents_sha256(&f.extents, got, &f.err), 0);
	assert_string_equal(got, want);
	close_fixture(&f);
}

static void test_holes_as_zeros(void **state)
{
	struct fixture f;
	char want[SHA256_HEX_SIZE], got[SHA256_HEX_SIZE];

	(void)state;
	open_fixture(&f, (struct extents_options){ .digest = true, .holes = true });
	give_parts(&f);
	expect(&f, 0, 1024, 0);
	expect(&f, 1024, 1536, -1);
	expect(&f, 4096, 8192, 0);
	expect(&f, 3 * MIB, 3 * MIB + 4096, -1);
	expect(&f, 3 * MIB + 4096, DISK - 512, 0);
	expect(&f, DISK - 512, DISK, KIT_UNTOUCHED);
	assert_int_equal(skipped(&f), 0);
	sum_of_parts(want);
	assert_int_equal(extents_sha256(&f.extents, got, &f.err), 0);
	assert_string_equal(got, want);
	close_fixture(&f);
}

static void test_zeros(void **state)
{
	struct fixture f;
	static uint8_t sparse[2 * MIB + 512];

	(void)state;
	sparse[4096] = 1;
	sparse[MIB - 1] = 1;
	for (int skip = 0; skip < 2; skip++) {
		open_fixture(&f, (struct extents_options){ .skip_zeros = skip == 1 });
		assert_int_equal(extents_data(&f.extents, sparse, sizeof(sparse), 0, &f.err), 0);
		assert_int_equal(extents_end(&f.extents, &f.err), 0);
		expect(&f, 0, 4096, skip == 1 ? KIT_UNTOUCHED : 0);
		expect(&f, 4096, 4097, 1);
		expect(&f, 4097, 8192, 0);
		expect(&f, 8192, MIB - 4096, skip == 1 ? KIT_UNTOUCHED : 0);
		expect(&f, MIB - 4096, MIB - 1, 0);
		expect(&f, MIB, sizeof(sparse), skip == 1 ? KIT_UNTOUCHED : 0);
		assert_int_equal(skipped(&f), skip == 1 ? sizeof(sparse) - 8192 : 0);
		close_fixture(&f);
	}
}

/* --- what the file system calls free ------------------------------------------------------------------------------- */

#define PART_START ((size_t)63 * 512)

/* The disk with a file system at sector 63; the kit is freed by the caller. */
static struct kit_ext4 put_ext4(uint8_t *whole)
{
	struct kit_ext4 kit = { .block_size = 4096, .blocks_per_group = 256, .blocks = 900, .flex = 16, .uninit = 4 };

	kit_ext4_make(&kit);
	memset(whole, 0, DISK);
	memcpy(whole + PART_START, kit.data, kit.size);
	whole[510] = 0x55;
	whole[511] = 0xAA;
	whole[446 + 4] = 0x83;
	kit_ext4_set32(whole + 446 + 8, 63);
	kit_ext4_set32(whole + 446 + 12, (uint32_t)(kit.size / 512));
	return kit;
}

/* In the file system, both of its blocks that it touches free, and zeros. All bitmaps stand in the first window. */
static bool may_stay(const struct kit_ext4 *kit, const uint8_t *whole, size_t at)
{
	static const uint8_t zeros[SLOT_BLOCK];

	if (at < PART_START || at + SLOT_BLOCK > PART_START + kit->size)
		return false;
	size_t first = (at - PART_START) / 4096;
	return kit->truth[first] == 0 && kit->truth[first + 1] == 0 && memcmp(whole + at, zeros, SLOT_BLOCK) == 0;
}

static void expect_ext4(struct fixture *f, const struct kit_ext4 *kit, const uint8_t *whole)
{
	size_t left_out = 0;

	for (size_t at = 0; at < DISK; at += SLOT_BLOCK) {
		if (may_stay(kit, whole, at)) {
			left_out += SLOT_BLOCK;
			expect(f, at, at + SLOT_BLOCK, KIT_UNTOUCHED);
		} else {
			assert_memory_equal(f->out.data + at, whole + at, SLOT_BLOCK);
		}
	}
	assert_true(left_out > MIB);
	assert_int_equal(skipped(f), left_out);
}

/* By copy in pieces of any size, by whole slots, and with holes that are written. */
static void test_free_blocks(void **state)
{
	static const size_t steps[] = { 3000, 4096, 100000, MIB, DISK };
	static uint8_t whole[DISK];
	struct kit_ext4 kit = put_ext4(whole);

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(steps) / sizeof(steps[0]); i++) {
		struct fixture f;
		size_t step = steps[i / 3];
		open_fixture(&f, (struct extents_options){ .skip_free = true, .holes = true });
		if (i % 3 != 1)
			assert_int_equal(extents_declare(&f.extents, DISK, &f.err), 0);
		for (size_t at = 0; at < DISK; at += step) {
			size_t n = DISK - at < step ? DISK - at : step;
			const uint8_t *data = whole + at;
			uint8_t *lent;
			/* zeros that the archive calls a hole */
			if (i % 3 == 2 && data[0] == 0 && memcmp(data, data + 1, n - 1) == 0)
				continue;
			if (step == MIB) {
				assert_int_equal(extents_lend(&f.extents, &lent, &f.err), 0);
				data = memcpy(lent, data, MIB);
			}
			assert_int_equal(extents_data(&f.extents, data, n, at, &f.err), 0);
		}
		assert_int_equal(extents_end(&f.extents, &f.err), 0);
		expect_ext4(&f, &kit, whole);
		close_fixture(&f);
	}
	kit_ext4_free(&kit);
}

static void test_free_not_asked_for(void **state)
{
	static uint8_t whole[DISK];
	struct kit_ext4 kit = put_ext4(whole);
	struct fixture f;

	(void)state;
	open_fixture(&f, (struct extents_options){ .skip_free = false });
	assert_int_equal(extents_data(&f.extents, whole, DISK, 0, &f.err), 0);
	assert_int_equal(extents_end(&f.extents, &f.err), 0);
	assert_memory_equal(f.out.data, whole, DISK);
	assert_int_equal(skipped(&f), 0);
	close_fixture(&f);
	/* the operator's choice leaves out more */
	open_fixture(&f, (struct extents_options){ .skip_free = true, .skip_zeros = true });
	assert_int_equal(extents_data(&f.extents, whole, DISK, 0, &f.err), 0);
	assert_int_equal(extents_end(&f.extents, &f.err), 0);
	uint64_t zeros_too = skipped(&f);
	close_fixture(&f);
	open_fixture(&f, (struct extents_options){ .skip_free = true });
	assert_int_equal(extents_data(&f.extents, whole, DISK, 0, &f.err), 0);
	assert_int_equal(extents_end(&f.extents, &f.err), 0);
	assert_true(skipped(&f) < zeros_too);
	close_fixture(&f);
	kit_ext4_free(&kit);
}

static void test_free_no_memory(void **state)
{
	struct extents extents;
	struct error err;
	const struct extents_options options = { .skip_free = true, .digest = true };
	bool failed = true;

	(void)state;
	for (long n = 0; failed; n++) {
		fail_alloc_after(n);
		int result = extents_init(&extents, &options, &err);
		failed = fail_alloc_off();
		assert_int_equal(result, failed ? -1 : 0);
		extents_destroy(&extents);
		assert_true(n < 10);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t size;
		const char *text; /* NULL: taken */
	} rows[] = {
		{ 0, "empty" },
		{ 511, "multiple of 512" },
		{ 512, NULL },
		{ DISK, NULL },
		{ DISK + 512, "the disk holds only" },
		{ UINT64_MAX - 511, "the disk holds only" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		open_fixture(&f, (struct extents_options){ 0 });
		int result = extents_declare(&f.extents, rows[i].size, &f.err);
		assert_int_equal(result, rows[i].text == NULL ? 0 : -1);
		if (rows[i].text != NULL) {
			assert_int_equal(f.err.kind, ERROR_IMAGE);
			assert_non_null(strstr(f.err.message, rows[i].text));
		}
		close_fixture(&f);
	}
}

static void test_size_found_at_the_end(void **state)
{
	static const size_t lens[] = { 0, 100, 513 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fixture f;
		open_fixture(&f, (struct extents_options){ 0 });
		assert_int_equal(extents_data(&f.extents, disk, lens[i], 0, &f.err), 0);
		assert_int_equal(extents_end(&f.extents, &f.err), -1);
		assert_int_equal(f.err.kind, ERROR_IMAGE);
		close_fixture(&f);
	}
}

static void test_wrong_places(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, (struct extents_options){ .limit = 2 * MIB });
	assert_int_equal(extents_data(&f.extents, disk, 4096, 0, &f.err), 0);
	assert_int_equal(extents_data(&f.extents, disk, 4096, 4095, &f.err), -1);
	assert_non_null(strstr(f.err.message, "overlap"));
	assert_int_equal(extents_data(&f.extents, disk, 4096, UINT64_MAX - 4095, &f.err), -1);
	assert_int_equal(extents_data(&f.extents, disk, 4096, 2 * MIB - 4095, &f.err), -1);
	assert_non_null(strstr(f.err.message, "at least"));
	assert_int_equal(extents_declare(&f.extents, MIB, &f.err), 0);
	assert_int_equal(extents_data(&f.extents, disk, 4096, MIB, &f.err), -1);
	assert_non_null(strstr(f.err.message, "declares"));
	assert_int_equal(f.err.kind, ERROR_IMAGE);
	close_fixture(&f);
}

static void test_stopped(void **state)
{
	struct fixture f;
	uint8_t *lent;

	(void)state;
	open_fixture(&f, (struct extents_options){ 0 });
	ring_stop(&f.out.slots.free);
	assert_int_equal(extents_lend(&f.extents, &lent, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_CANCELLED);
	assert_int_equal(extents_data(&f.extents, disk, 4096, 0, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_CANCELLED);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_lent),
		cmocka_unit_test(test_holes_left_out),
		cmocka_unit_test(test_holes_as_zeros),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_free_blocks),
		cmocka_unit_test(test_free_not_asked_for),
		cmocka_unit_test(test_free_no_memory),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_size_found_at_the_end),
		cmocka_unit_test(test_wrong_places),
		cmocka_unit_test(test_stopped),
	};

	kit_disk(disk, DISK, 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
