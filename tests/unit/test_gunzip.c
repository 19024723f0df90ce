/* SPDX-License-Identifier: Apache-2.0 */
/* gzip: any split of input and output, members, and every way to be cut, damaged or followed by something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/gunzip.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/image_kit.h"

#define LEN ((size_t)9000)
#define HEADER_UNCHECKED_FROM 3 /* flags, time, system: gzip has no sum over its header */
#define HEADER_UNCHECKED_TO 10

static uint8_t disk[LEN];

/* The whole file runs once for each library that inflates. */
static const struct stream_codec *codec_under_test;

static int decode(const struct buf *packed, size_t in_step, size_t out_step, struct buf *out, struct error *err)
{
	struct kit_stream stream = {
		.data = (const uint8_t *)buf_text(packed), .len = packed->len, .step = in_step, .fail_at = SIZE_MAX
	};

	*err = (struct error){ 0 };
	return kit_decode(codec_under_test, &stream, out_step, out, err);
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
	static const size_t steps[] = { 0, 1, 2, 7, 512, 4096 };
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_gzip(&packed, disk, LEN);
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

static void test_members(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;

	(void)state;
	kit_gzip(&packed, "", 0);
	kit_gzip(&packed, disk, 5000);
	kit_gzip(&packed, "", 0);
	kit_gzip(&packed, disk + 5000, LEN - 5000);
	kit_gzip(&packed, "", 0);
	for (size_t step = 0; step < 30; step++) {
		buf_reset(&out);
		assert_int_equal(decode(&packed, step, 999, &out, &err), 0);
		assert_int_equal(out.len, LEN);
		assert_memory_equal(out.data, disk, LEN);
	}
}

static void test_cut_anywhere(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_gzip(&packed, disk, LEN);
	size_t whole = packed.len;
	for (size_t len = 1; len < whole; len++) {
		packed.len = len;
		expect_refused(&packed, "cut short");
	}
	/* and inside the second member */
	packed.len = whole;
	kit_gzip(&packed, disk, LEN);
	size_t both = packed.len;
	for (size_t len = whole + 1; len < both; len++) {
		packed.len = len;
		expect_refused(&packed, len < whole + 11 ? "" : "cut short");
	}
}

static void test_flip_anywhere(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_gzip(&packed, disk, LEN);
	for (size_t i = 0; i < packed.len; i++) {
		struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct error err;
		packed.data[i] ^= (char)(1 << (i % 8));
		int result = decode(&packed, 0, 4096, &out, &err);
		packed.data[i] ^= (char)(1 << (i % 8));
		if (result == 0) {
			assert_true(i >= HEADER_UNCHECKED_FROM && i < HEADER_UNCHECKED_TO);
			assert_int_equal(out.len, LEN);
			assert_memory_equal(out.data, disk, LEN);
		} else {
			assert_int_equal(err.kind, ERROR_IMAGE);
		}
	}
}

static void test_trailer(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_gzip(&packed, disk, LEN);
	packed.data[packed.len - 6] ^= 1;
	expect_refused(&packed, "(incorrect checksum)");
	packed.data[packed.len - 6] ^= 1;
	packed.data[packed.len - 2] ^= 1;
	expect_refused(&packed, "(incorrect length)");
}

/* Every set of the optional fields, as zlib writes them, and one changed byte. */
static void test_headers(void **state)
{
	static uint8_t extra[700];

	(void)state;
	for (unsigned fields = 0; fields < 16; fields++) {
		struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
		gz_header header = {
			.time = 1, .os = 3, .hcrc = (fields & 8) != 0,
			.extra = (fields & 1) != 0 ? extra : NULL, .extra_len = fields >= 4 ? sizeof(extra) : 0,
			.name = (fields & 2) != 0 ? (Bytef *)(uintptr_t)"root.img.tar" : NULL,
			.comment = (fields & 4) != 0 ? (Bytef *)(uintptr_t)"" : NULL,
		};
		kit_gzip_header(&packed, &header, disk, LEN);
		for (size_t step = 0; step < 9; step += 4) {
			struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
			struct error err;
			assert_int_equal(decode(&packed, step, 4096, &out, &err), 0);
			assert_int_equal(out.len, LEN);
			assert_memory_equal(out.data, disk, LEN);
		}
		packed.data[4] ^= 1;
		if (header.hcrc)
			expect_refused(&packed, "(incorrect header checksum)");
		packed.data[3] |= (char)0x80;
		expect_refused(&packed, "(unknown header flags)");
		packed.data[2]++;
		expect_refused(&packed, "(unknown compression method)");
		packed.data[1]++;
		expect_refused(&packed, "(incorrect header)");
		packed.len = 10;
		expect_refused(&packed, "");
	}
}

/* The sum of a member is compared wherever its end falls: within one read, in a later one, at a boundary. */
static void test_sum_anywhere(void **state)
{
	(void)state;
	for (size_t bad = 0; bad < 3; bad++) {
		static const size_t lens[] = { 100, 5000, LEN - 5100 };
		struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
		size_t from = 0;
		for (size_t i = 0; i < 3; from += lens[i++]) {
			kit_gzip(&packed, disk + from, lens[i]);
			if (i == bad)
				packed.data[packed.len - 8] ^= 1;
		}
		static const size_t steps[] = { 1, 50, 99, 100, 101, 2500, 5000, 5100, 5101, LEN - 1, LEN, LEN + 1, 60000 };
		for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
			struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
			struct error err;
			assert_int_equal(decode(&packed, 7 * (k % 3), steps[k], &out, &err), -1);
			assert_non_null(strstr(err.message, "(incorrect checksum)"));
		}
	}
}

static void test_followed(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = { { "\0\0\0x", 4 },
		     { "\0\x1f\x8b", 3 },
		     { "x", 1 },
		     { "garbage garbage", 15 },
		     { "\x1f", 1 },
		     { "\x1f\x8b", 2 },
		     { "\x1f\x8c\x08", 3 },
		     { "\x1f\x8b\x09\0\0\0\0\0\0\0\0", 11 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
		kit_gzip(&packed, disk, LEN);
		buf_append(&packed, rows[i].bytes, rows[i].len);
		expect_refused(&packed, "follow the end");
	}
}

/* A bomb is given out as it is asked for, and never held. */
static void test_large(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	size_t len = (size_t)32 * 1024 * 1024, sum = 0;
	struct stream_part part;
	char *zeros = test_calloc(1, len);
	void *codec;
	struct error err;

	(void)state;
	kit_gzip(&packed, zeros, len);
	test_free(zeros);
	struct kit_stream stream = { .data = (const uint8_t *)packed.data, .len = packed.len, .fail_at = SIZE_MAX };
	struct stream_in in = kit_stream_in(&stream);
	assert_int_equal(codec_under_test->open(&in, &codec, &err), 0);
	do {
		static char piece[100000];
		assert_int_equal(codec_under_test->read(codec, piece, sizeof(piece), &part, &err), 0);
		assert_int_equal(codec_under_test->check(codec, piece, &part, &err), 0);
		sum += part.len;
	} while (part.len > 0);
	assert_int_equal(sum, len);
	codec_under_test->close(codec);
}

#define AREA ((size_t)2 * 1024 * 1024)

static void expect_data(const struct buf *packed, const uint8_t *data, size_t len)
{
	static const size_t steps[] = { 100000, KIT_MAX };

	for (size_t i = 0; i < 2; i++) {
		struct buf out CLEANUP_BUF = BUF_INIT(2 * KIT_MAX);
		struct error err;
		assert_int_equal(decode(packed, i == 0 ? 50000 : 0, steps[i], &out, &err), 0);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, data, len);
	}
}

/* Large areas of one byte, which the packed data speak of in long runs of equal bytes, whatever the symbols' lengths: noise
 * before and behind them (in one block with them, so that a match takes two bits or more), and matches far back. */
static void test_areas(void **state)
{
	static const struct kit_deflate hows[] = {
		{ 6, 8, Z_DEFAULT_STRATEGY }, { 1, 8, Z_DEFAULT_STRATEGY }, { 9, 9, Z_DEFAULT_STRATEGY }, { 0, 8, Z_DEFAULT_STRATEGY },
		{ 6, 9, Z_RLE },	      { 6, 8, Z_HUFFMAN_ONLY },	    { 6, 8, Z_FIXED },
	};
	static const struct {
		uint8_t value;
		size_t noise;
		size_t len;
	} rows[] = {
		{ 0, 0, AREA }, { 0, 700, AREA }, { 0, 23000, AREA }, { 0, 23000, AREA * 5 / 8 }, { 0, 60000, AREA / 3 }, { 0, 14000, AREA / 8 },
		{ 'x', 0, AREA }, { 0xFF, 23000, AREA },
	};
	static uint8_t noise[60000];
	uint8_t *data = test_malloc(3 * (AREA + sizeof(noise)));

	(void)state;
	kit_disk(noise, sizeof(noise), 7);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = 0;
		for (int k = 0; k < 3; k++) {
			memcpy(data + len, noise, rows[i].noise);
			len += rows[i].noise;
			memset(data + len, rows[i].value, rows[i].len + (size_t)k);
			len += rows[i].len + (size_t)k;
		}
		for (size_t k = 0; k < sizeof(hows) / sizeof(hows[0]); k++) {
			struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
			kit_gzip_as(&packed, hows[k], data, len);
			expect_data(&packed, data, len);
		}
	}
	test_free(data);
}

/* bsdtar fills its last block with zeros when it writes to a pipe. */
static void test_padded(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf out CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct error err;
	static const uint8_t zeros[9000];

	(void)state;
	kit_gzip(&packed, disk, LEN);
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
	kit_gzip(&packed, disk, LEN);
	for (size_t at = 0; at <= packed.len; at += 97) {
		struct kit_stream stream = { .data = (const uint8_t *)packed.data, .len = packed.len, .fail_at = at };
		assert_int_equal(kit_decode(codec_under_test, &stream, 4096, &out, &err), -1);
		assert_int_equal(err.kind, ERROR_NETWORK);
		assert_string_equal(err.message, "the kit failed");
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
	assert_int_equal(codec_under_test->open(&in, &codec, &err), -1);
	assert_true(fail_alloc_off());
	assert_int_equal(err.kind, ERROR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),        cmocka_unit_test(test_members),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_flip_anywhere),
		cmocka_unit_test(test_trailer),      cmocka_unit_test(test_followed),
		cmocka_unit_test(test_padded),       cmocka_unit_test(test_large),
		cmocka_unit_test(test_input_error),  cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_headers),      cmocka_unit_test(test_sum_anywhere),
		cmocka_unit_test(test_areas),
	};

	kit_disk(disk, LEN, 1);
	codec_under_test = &gunzip_zlib_codec;
	int failed = cmocka_run_group_tests_name("zlib", tests, NULL, NULL);
#ifdef HAVE_ISAL
	codec_under_test = &gunzip_codec;
	failed += cmocka_run_group_tests_name("ISA-L", tests, NULL, NULL);
#endif
	return failed;
}
