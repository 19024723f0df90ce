/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an image: every packing of every content, small reads over the part that was looked at, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/image.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/image_kit.h"

#define LEN ((size_t)10240)

static uint8_t disk[LEN];

static void pack(enum format_packing packing, struct buf *out, const void *data, size_t len)
{
	if (packing == FORMAT_GZIP)
		kit_gzip(out, data, len);
	else if (packing == FORMAT_ZSTD)
		kit_zstd(out, data, len, 3, 0);
	else if (packing == FORMAT_XZ)
		kit_xz(out, data, len, 0);
	else
		buf_append(out, data, len);
}

static int open_image(const void *data, size_t len, size_t step, struct kit_stream *stream, struct image **ret_image,
		      struct error *err)
{
	*stream = (struct kit_stream){ .data = data, .len = len, .step = step, .fail_at = SIZE_MAX };
	struct stream_in in = kit_stream_in(stream);
	return image_open(&in, ret_image, err);
}

static void test_every_kind(void **state)
{
	static const size_t reads[] = { 1, 512, 2047, 2048, 2049, LEN + 1 };

	(void)state;
	for (size_t i = 0; i < FORMAT_PACKINGS * 2 * 6; i++) {
		enum format_packing packing = (enum format_packing)(i % FORMAT_PACKINGS);
		bool tar = i / FORMAT_PACKINGS % 2 == 1;
		size_t step = reads[i / FORMAT_PACKINGS / 2], got, sum = 0;
		struct buf plain CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct image *image CLEANUP_IMAGE = NULL;
		struct kit_stream stream;
		struct error err;
		uint8_t out[LEN + 4096];

		if (tar)
			kit_tar(&plain, disk, LEN);
		else
			buf_append(&plain, disk, LEN);
		pack(packing, &packed, plain.data, plain.len);
		assert_int_equal(open_image(packed.data, packed.len, 100, &stream, &image, &err), 0);
		assert_int_equal(image_content(image), tar ? FORMAT_TAR : FORMAT_RAW);
		assert_string_equal(image_format(image), format_name(packing, tar ? FORMAT_TAR : FORMAT_RAW));
		do {
			assert_int_equal(image_read(image, out + sum,
						    step < sizeof(out) - sum ? step : sizeof(out) - sum, &got, &err),
					 0);
			sum += got;
		} while (got > 0);
		assert_int_equal(sum, plain.len);
		assert_memory_equal(out, plain.data, plain.len);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *bytes, *text;
		enum format_packing packing;
	} rows[] = {
		{ "", "the image is empty", FORMAT_PLAIN },
		{ "", "the image is empty", FORMAT_GZIP },
		{ "hello world\n", "neither a tar archive nor a disk image", FORMAT_PLAIN },
		{ "hello world\n", "unpacked, the image is neither", FORMAT_GZIP },
		{ "PK\x03\x04 zip", "looks like a zip archive", FORMAT_PLAIN },
		{ "QFI\xfb", "looks like a qcow2", FORMAT_ZSTD },
		{ "\x1f\x8b\x08 packed twice", "unpacked, the image looks like gzip data", FORMAT_GZIP },
		{ "\x1f\x8b\x08", "cut short", FORMAT_PLAIN },
		{ "\x1f\x8b\x07.........", "damaged", FORMAT_PLAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct image *image CLEANUP_IMAGE = NULL;
		struct kit_stream stream;
		struct error err;
		pack(rows[i].packing, &packed, rows[i].bytes, strlen(rows[i].bytes));
		assert_int_equal(open_image(buf_text(&packed), packed.len, 0, &stream, &image, &err), -1);
		assert_int_equal(err.kind, ERROR_IMAGE);
		assert_null(image);
		if (strstr(err.message, rows[i].text) == NULL)
			fail_msg("'%s' is not in '%s'", rows[i].text, err.message);
	}
}

static void test_no_memory(void **state)
{
	long allocations = 0;
	bool failed = true;

	(void)state;
	for (; failed; allocations++) {
		struct image *image CLEANUP_IMAGE = NULL;
		struct kit_stream stream;
		struct error err;
		fail_alloc_after(allocations);
		int result = open_image(disk, LEN, 0, &stream, &image, &err);
		failed = fail_alloc_off();
		assert_int_equal(result, failed ? -1 : 0);
		if (failed)
			assert_int_equal(err.kind, ERROR_NOMEM);
	}
	assert_int_equal(allocations, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_memory),
	};

	kit_disk(disk, LEN, 4);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
