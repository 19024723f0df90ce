/* SPDX-License-Identifier: Apache-2.0 */
/* zstd: any split of input and output, frames, windows, and every way to be cut, damaged or followed by something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/unzstd.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/image_kit.h"

#define LEN ((size_t)20000)
#define DEFAULT_LEVEL 3

static uint8_t disk[LEN];

static int decode(const struct buf *packed, size_t in_step, size_t out_step, struct buf *out, struct error *err)
{
	struct kit_stream stream = {
		.data = (const uint8_t *)buf_text(packed), .len = packed->len, .step = in_step, .fail_at = SIZE_MAX
	};

	*err = (struct error){ 0 };
	return kit_decode(&unzstd_codec, &stream, out_step, out, err);
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
	kit_zstd(&packed, disk, LEN, DEFAULT_LEVEL, 0);
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

static void test_frames(void **state)
{
	static const char skippable[] = "\x53\x2a\x4d\x18\x04\0\0\0skip";
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;

	(void)state;
	buf_append(&packed, skippable, 12);
	kit_zstd(&packed, disk, 7000, DEFAULT_LEVEL, 0);
	kit_zstd(&packed, "", 0, DEFAULT_LEVEL, 0);
	buf_append(&packed, skippable, 12);
	kit_zstd(&packed, disk + 7000, LEN - 7000, DEFAULT_LEVEL, 0);
	for (size_t step = 0; step < 20; step++) {
		struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
		assert_int_equal(decode(&packed, step, 1000, &out, &err), 0);
		assert_int_equal(out.len, LEN);
		assert_memory_equal(out.data, disk, LEN);
	}
}

static void test_cut_anywhere(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_zstd(&packed, disk, LEN, DEFAULT_LEVEL, 0);
	for (size_t len = packed.len - 1; len > 0; len--) {
		packed.len = len;
		expect_refused(&packed, "cut short");
	}
}

/* With a checksum in the frame, a changed byte never leads to other content. */
static void test_flip_anywhere(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	size_t accepted = 0;

	(void)state;
	kit_zstd(&packed, disk, LEN, DEFAULT_LEVEL, 0);
	for (size_t i = 4; i < packed.len; i++) {
		struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct error err;
		packed.data[i] ^= (char)(1 << (i % 8));
		if (decode(&packed, 0, 4096, &out, &err) == 0) {
			assert_int_equal(out.len, LEN);
			assert_memory_equal(out.data, disk, LEN);
			accepted++;
		} else {
			assert_int_equal(err.kind, ERROR_IMAGE);
		}
		packed.data[i] ^= (char)(1 << (i % 8));
	}
	assert_true(accepted < 3);
}

static void test_followed(void **state)
{
	static const char *const rows[] = { "x", "garbage", "\x28\xb5\x2f\xfe....", "\x1f\x8b\x08\x01\x01\x01\x01" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
		kit_zstd(&packed, disk, LEN, DEFAULT_LEVEL, 0);
		buf_str(&packed, rows[i]);
		expect_refused(&packed, i == 0 ? "" : "follow the end");
	}
}

static void test_window(void **state)
{
	struct buf small CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf large CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;

	(void)state;
	kit_zstd(&small, disk, LEN, DEFAULT_LEVEL, UNZSTD_WINDOW_LOG_MAX);
	assert_int_equal(decode(&small, 0, 4096, &out, &err), 0);
	assert_int_equal(out.len, LEN);
	kit_zstd(&large, disk, LEN, DEFAULT_LEVEL, UNZSTD_WINDOW_LOG_MAX + 1);
	expect_refused(&large, "window over 8 MiB");
}

/* bsdtar fills its last block with zeros when it writes to a pipe. */
static void test_padded(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;
	static const uint8_t zeros[9000];

	(void)state;
	kit_zstd(&packed, disk, LEN, DEFAULT_LEVEL, 0);
	buf_append(&packed, "\0", 1);
	for (size_t step = 0; step < 4; step++) {
		buf_reset(&out);
		assert_int_equal(decode(&packed, step, 1000, &out, &err), 0);
		assert_int_equal(out.len, LEN);
		buf_append(&packed, zeros, sizeof(zeros));
	}
	buf_str(&packed, "x");
	expect_refused(&packed, "follow the end");
}

static void test_input_error(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;

	(void)state;
	kit_zstd(&packed, disk, LEN, DEFAULT_LEVEL, 0);
	for (size_t at = 0; at <= packed.len; at += 97) {
		struct kit_stream stream = { .data = (const uint8_t *)packed.data, .len = packed.len, .fail_at = at };
		assert_int_equal(kit_decode(&unzstd_codec, &stream, 4096, &out, &err), -1);
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
	assert_int_equal(unzstd_codec.open(&in, &codec, &err), -1);
	assert_true(fail_alloc_off());
	assert_int_equal(err.kind, ERROR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),        cmocka_unit_test(test_frames),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_flip_anywhere),
		cmocka_unit_test(test_followed),     cmocka_unit_test(test_padded),
		cmocka_unit_test(test_window),       cmocka_unit_test(test_input_error),
		cmocka_unit_test(test_no_memory),
	};

	kit_disk(disk, LEN, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
