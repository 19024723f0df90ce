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
	uint8_t *lent, *again;

	(void)state;
	open_fixture(&f, (struct extents_options){ .digest = true });
	for (size_t at = 0; at < 3 * MIB; at += MIB) {
		assert_int_equal(extents_lend(&f.extents, &lent, &f.err), 0);
		assert_int_equal(extents_lend(&f.extents, &again, &f.err), 0);
		assert_ptr_equal(lent, again);
		memcpy(lent, disk + at, MIB);
		assert_int_equal(extents_data(&f.extents, lent, MIB, at, &f.err), 0);
		assert_null(f.extents.lent);
	}
	/* a part of one is copied, and stays lent */
	assert_int_equal(extents_lend(&f.extents, &lent, &f.err), 0);
	memcpy(lent, disk + 3 * MIB, 512);
	assert_int_equal(extents_data(&f.extents, lent, 512, 3 * MIB, &f.err), 0);
	assert_non_null(f.extents.lent);
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
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_size_found_at_the_end),
		cmocka_unit_test(test_wrong_places),
		cmocka_unit_test(test_stopped),
	};

	kit_disk(disk, DISK, 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
