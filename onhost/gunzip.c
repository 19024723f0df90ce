/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating with zlib, which has its only home here. What the bytes mean is image.c's. */
#include "onhost/gunzip.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest window, gzip's wrapper and no other */
#define GZIP_HEADER_MIN 10

struct gunzip {
	struct stream_in in;
	z_stream z;
	uint64_t members;     /* that ended well */
	bool between_members; /* or before the first */
	bool ended;
};

static int gunzip_open(const struct stream_in *in, void **ret_codec, struct error *err)
{
	struct gunzip *gz = calloc(1, sizeof(*gz));
	if (gz == NULL)
		return error_nomem(err);
	gz->in = *in;
	gz->between_members = true;
	if (inflateInit2(&gz->z, GZIP_WINDOW) != Z_OK) {
		free(gz);
		return error_nomem(err);
	}
	*ret_codec = gz;
	return 0;
}

static void gunzip_close(void *codec)
{
	struct gunzip *gz = codec;

	inflateEnd(&gz->z);
	free(gz);
}

/* What stands behind a whole member does not even start as a further one. */
static bool at_foreign_bytes(const struct gunzip *gz)
{
	return gz->members > 0 && gz->z.total_out == 0 && gz->z.total_in <= GZIP_HEADER_MIN;
}

static int refuse_foreign_bytes(struct error *err)
{
	return error_set(err, ERROR_IMAGE,
			 "bytes that do not belong to it follow the end of the image's gzip data; "
			 "download the stemcell again, or pack it anew with gzip");
}

static int refuse_cut(const struct gunzip *gz, struct error *err)
{
	if (at_foreign_bytes(gz))
		return refuse_foreign_bytes(err);
	return error_set(err, ERROR_IMAGE,
			 "the image is cut short: its gzip data stop before their end; download the stemcell again");
}

/* Puts input before zlib. *ret_end: there is no more. */
static int refill(struct gunzip *gz, bool *ret_end, struct error *err)
{
	const uint8_t *data;
	size_t len;

	if (gz->in.next(gz->in.self, &data, &len, err) != 0)
		return -1;
	if (len > UINT_MAX)
		return error_set(err, ERROR_INTERNAL, "a piece of %zu bytes of input is too large", len);
	/* zlib's interface knows no const, and does not write here */
	gz->z.next_in = (Bytef *)(uintptr_t)data;
	gz->z.avail_in = (uInt)len;
	*ret_end = len == 0;
	return 0;
}

static int refuse(const struct gunzip *gz, int result, struct error *err)
{
	if (result == Z_MEM_ERROR)
		return error_nomem(err);
	if (at_foreign_bytes(gz))
		return refuse_foreign_bytes(err);
	return error_set(err, ERROR_IMAGE, "the image's gzip data are damaged (%s); download the stemcell again",
			 gz->z.msg != NULL ? gz->z.msg : "not valid");
}

static int take_padding(struct gunzip *gz, struct error *err)
{
	int zeros = stream_only_zeros(&gz->in, gz->z.next_in, gz->z.avail_in, err);

	if (zeros < 0)
		return -1;
	gz->z.avail_in = 0;
	gz->ended = true;
	return zeros == 1 ? 0 : refuse_foreign_bytes(err);
}

/* One call of zlib's, with input at hand. */
static int inflate_some(struct gunzip *gz, struct error *err)
{
	if (gz->between_members && gz->members > 0 && *gz->z.next_in == 0)
		return take_padding(gz, err);
	if (gz->between_members) {
		if (inflateReset(&gz->z) != Z_OK)
			return error_set(err, ERROR_INTERNAL, "zlib cannot be reset");
		gz->between_members = false;
	}
	int result = inflate(&gz->z, Z_NO_FLUSH);
	if (result == Z_STREAM_END) {
		gz->members++;
		gz->between_members = true;
		return 0;
	}
	return result == Z_OK ? 0 : refuse(gz, result, err);
}

static int gunzip_read(void *codec, void *data, size_t len, size_t *ret_got, struct error *err)
{
	struct gunzip *gz = codec;
	size_t want = len < UINT_MAX ? len : UINT_MAX;

	gz->z.next_out = data;
	gz->z.avail_out = (uInt)want;
	while (gz->z.avail_out > 0 && !gz->ended) {
		if (gz->z.avail_in == 0) {
			bool end = false;
			if (refill(gz, &end, err) != 0)
				return -1;
			if (end && !gz->between_members)
				return refuse_cut(gz, err);
			if (end) {
				gz->ended = true;
				break;
			}
		}
		if (inflate_some(gz, err) != 0)
			return -1;
	}
	*ret_got = want - gz->z.avail_out;
	return 0;
}

const struct stream_codec gunzip_codec = { gunzip_open, gunzip_read, gunzip_close };
