/* SPDX-License-Identifier: Apache-2.0 */
/* xz: any split of input and output, streams and padding, memory, and every way to be cut, damaged or followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/unxz.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/image_kit.h"

#define LEN ((size_t)12000)
#define DEFAULT_PRESET 6
#define LARGEST_PRESET 9

static uint8_t disk[LEN];

static int decode(const struct buf *packed, size_t in_step, size_t out_step, struct buf *out, struct error *err)
{
	struct kit_stream stream = {
		.data = (const uint8_t *)buf_text(packed), .len = packed->len, .step = in_step, .fail_at = SIZE_MAX
	};

	*err = (struct error){ 0 };
	return kit_decode(&unxz_codec, &stream, out_step, out, err);
}

static void expect_refused(const struct buf *packed, const char *text)
{
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;

	assert_int_equal(decode(packed, 0, 4096, &out, &err), -1);
	assert_int_equal(err.kind, ERROR_IMAGE);
	assert_non_null(strstr(err.message, text));
}

static void test_steps(void **state)
{
	static const size_t steps[] = { 0, 1, 3, 512, 4096, LEN };
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_xz(&packed, disk, LEN, DEFAULT_PRESET);
	for (size_t i = 0; i < 6; i++) {
		for (size_t k = 1; k < 6; k++) {
			struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
			struct error err;
			assert_int_equal(decode(&packed, steps[i], steps[k], &out, &err), 0);
			assert_int_equal(out.len, LEN);
			assert_memory_equal(out.data, disk, LEN);
		}
	}
}

static void test_streams(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;

	(void)state;
	kit_xz(&packed, disk, 7000, DEFAULT_PRESET);
	buf_append(&packed, "\0\0\0\0", 4); /* padding that the format allows */
	kit_xz(&packed, disk + 7000, LEN - 7000, 1);
	buf_append(&packed, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(decode(&packed, 5, 1000, &out, &err), 0);
	assert_int_equal(out.len, LEN);
	assert_memory_equal(out.data, disk, LEN);
	buf_append(&packed, "\0", 1);
	expect_refused(&packed, "damaged");
}

static void test_cut_anywhere(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_xz(&packed, disk, LEN, 0);
	for (size_t len = packed.len - 1; len > 0; len -= len > 300 ? 7 : 1) {
		packed.len = len;
		expect_refused(&packed, "cut short");
	}
}

static void test_flip_anywhere(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_xz(&packed, disk, LEN, 0);
	for (size_t i = 0; i<packed.len; i += i> 50 && i < packed.len - 100 ? 7 : 1) {
		struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct error err;
		packed.data[i] ^= (char)(1 << (i % 8));
		assert_int_equal(decode(&packed, 0, 4096, &out, &err), -1);
		assert_int_equal(err.kind, ERROR_IMAGE);
		packed.data[i] ^= (char)(1 << (i % 8));
	}
}

static void test_followed(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_xz(&packed, disk, LEN, 0);
	buf_str(&packed, "garbage that is long enough to be a header");
	expect_refused(&packed, "followed by");
}

static void test_memory(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_xz(&packed, disk, LEN, LARGEST_PRESET);
	expect_refused(&packed, "xz -6");
}

static void test_input_error(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;

	(void)state;
	kit_xz(&packed, disk, LEN, 0);
	for (size_t at = 0; at <= packed.len; at += 97) {
		struct kit_stream stream = { .data = (const uint8_t *)packed.data, .len = packed.len, .fail_at = at };
		assert_int_equal(kit_decode(&unxz_codec, &stream, 4096, &out, &err), -1);
		assert_int_equal(err.kind, ERROR_NETWORK);
	}
}

static void test_no_memory(void **state)
{
	struct kit_stream stream = { .fail_at = SIZE_MAX };
	struct stream_in in = kit_stream_in(&stream);
	struct error err;
	void *codec;

	(void)state;
	fail_alloc_after(0);
	assert_int_equal(unxz_codec.open(&in, &codec, &err), -1);
	assert_true(fail_alloc_off());
	assert_int_equal(err.kind, ERROR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),        cmocka_unit_test(test_streams),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_flip_anywhere),
		cmocka_unit_test(test_followed),     cmocka_unit_test(test_memory),
		cmocka_unit_test(test_input_error),  cmocka_unit_test(test_no_memory),
	};

	kit_disk(disk, LEN, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
