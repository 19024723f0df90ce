/* SPDX-License-Identifier: Apache-2.0 */
/* gzip on anything, against zlib's own reading of gzip (RFC 1952). The first bytes say in what pieces input comes and output
 * goes, and whether the sums are made right, which random bytes would hardly ever get right. With zlib's inflating, exactly
 * what zlib takes is taken, and to the same bytes; ISA-L may be of another mind about a block that is not valid. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "onhost/gunzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX ((size_t)64 * 1024)
#define OUT_MAX ((size_t)2 * 1024 * 1024)
#define STEP_MAX ((size_t)1 + 8 * UINT8_MAX * UINT8_MAX)
#define READS_MAX 2000 /* more only take time */

struct memory {
	const uint8_t *data;
	size_t len;
	size_t taken;
	size_t step;
};

static uint8_t theirs[OUT_MAX];
static uint8_t ours[OUT_MAX + STEP_MAX];

static void require(bool condition)
{
	if (!condition)
		abort();
}

static int memory_next(void *self, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	struct memory *memory = self;
	size_t n = memory->len - memory->taken;

	(void)err;
	*ret_data = memory->data + memory->taken;
	*ret_len = n < memory->step ? n : memory->step;
	memory->taken += *ret_len;
	return 0;
}

static bool only_zeros(const uint8_t *data, size_t len)
{
	while (len > 0 && data[len - 1] == 0)
		len--;
	return len == 0;
}

/* The length of all members as zlib reads them; -1: refused, -2: too long. *ret_bad_trailer: where the trailer stands that is
 * wrong, with the sum and the length that would be right; SIZE_MAX: that is not why. */
static long zlib_reads(const uint8_t *data, size_t len, size_t *ret_bad_trailer, uLong *ret_sum, uLong *ret_total)
{
	size_t at = 0, out = 0;

	*ret_bad_trailer = SIZE_MAX;
	while (at < len && !(at > 0 && data[at] == 0)) {
		z_stream z = { .next_in = (Bytef *)(uintptr_t)(data + at), .avail_in = (uInt)(len - at),
			       .next_out = theirs + out, .avail_out = (uInt)(OUT_MAX - out) };
		require(inflateInit2(&z, 15 + 16) == Z_OK);
		int result = inflate(&z, Z_FINISH);
		bool full = z.avail_out == 0;
		bool sum_is_wrong = result == Z_DATA_ERROR && z.msg != NULL &&
				    (strcmp(z.msg, "incorrect data check") == 0 || strcmp(z.msg, "incorrect length check") == 0);
		at = len - z.avail_in;
		if (sum_is_wrong) {
			*ret_bad_trailer = at - (strcmp(z.msg, "incorrect data check") == 0 ? 4 : 8);
			*ret_total = z.total_out;
			*ret_sum = crc32_z(0, theirs + out, z.total_out);
		}
		out += z.total_out;
		inflateEnd(&z);
		if (result != Z_STREAM_END)
			return full ? -2 : -1;
	}
	return only_zeros(data + at, len - at) ? (long)out : -1;
}

static long codec_reads(const struct stream_codec *codec, const uint8_t *data, size_t len, size_t in_step, size_t out_step)
{
	struct memory memory = { .data = data, .len = len, .step = in_step };
	const struct stream_in in = { memory_next, &memory };
	struct stream_part part = { .len = out_step };
	size_t out = 0;
	struct error err;
	void *state;
	int result = 0;

	require(codec->open(&in, &state, &err) == 0);
	while (result == 0 && part.len == out_step && out <= OUT_MAX) {
		result = codec->read(state, ours + out, out_step, &part, &err);
		if (result == 0)
			result = codec->check(state, ours + out, &part, &err);
		if (result == 0)
			out += part.len;
	}
	codec->close(state);
	require(result == 0 || (err.kind == ERROR_IMAGE && err.message[0] != '\0'));
	return result != 0 ? -1 : part.len == out_step ? -2 : (long)out;
}

static void put_le32(uint8_t *to, uLong value)
{
	for (size_t i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t trailer;
	uLong sum, total;

	if (size < 3 || size > INPUT_MAX)
		return 0;
	size_t in_step = 1 + (size_t)data[1] * data[1] / 4, out_step = 1 + 8 * (size_t)data[2] * data[2];
	size_t len = size - 3;
	uint8_t *copy = malloc(len > 0 ? len : 1);
	require(copy != NULL);
	memcpy(copy, data + 3, len);

	long want = zlib_reads(copy, len, &trailer, &sum, &total);
	for (unsigned i = 0; (data[0] & 1) != 0 && i < 16 && trailer <= len && len - trailer >= 8; i++) {
		put_le32(copy + trailer, sum);
		put_le32(copy + trailer + 4, total);
		want = zlib_reads(copy, len, &trailer, &sum, &total);
	}
	if (want != -2 && want / (long)out_step < READS_MAX) {
		long got = codec_reads(&gunzip_zlib_codec, copy, len, in_step, out_step);
		require(got == want && (got < 0 || memcmp(ours, theirs, (size_t)got) == 0));
		got = codec_reads(&gunzip_codec, copy, len, in_step, out_step);
		require(want < 0 || (got == want && memcmp(ours, theirs, (size_t)got) == 0));
	}
	free(copy);
	return 0;
}
