/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating with zlib, which has its only home here. gzip around it is gunzip.c's. */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "onhost/inflater.h"

#define RAW_WINDOW (-15) /* the largest window, and no wrapper */

static void *zlib_open(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z != NULL && inflateInit2(z, RAW_WINDOW) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

static void zlib_close(void *state)
{
	inflateEnd(state);
	free(state);
}

static enum inflater_result zlib_reset(void *state)
{
	return inflateReset(state) == Z_OK ? INFLATER_OK : INFLATER_DAMAGED;
}

static enum inflater_result zlib_step(void *state, struct inflater_io *io, const char **ret_why)
{
	z_stream *z = state;

	/* zlib's interface knows no const, and does not write here */
	z->next_in = (Bytef *)(uintptr_t)io->in;
	z->avail_in = io->in_len < UINT_MAX ? (uInt)io->in_len : UINT_MAX;
	z->next_out = io->out;
	z->avail_out = io->out_len < UINT_MAX ? (uInt)io->out_len : UINT_MAX;
	int result = inflate(z, Z_NO_FLUSH);
	io->in_len -= (size_t)(z->next_in - io->in);
	io->in = z->next_in;
	io->out_len -= (size_t)(z->next_out - io->out);
	io->out = z->next_out;
	switch (result) {
	case Z_OK:
	case Z_BUF_ERROR: /* nothing could be done, which only the caller can judge */
		return INFLATER_OK;
	case Z_STREAM_END:
		return INFLATER_END;
	case Z_MEM_ERROR:
		return INFLATER_NOMEM;
	default:
		*ret_why = z->msg != NULL ? z->msg : "not valid";
		return INFLATER_DAMAGED;
	}
}

static uint32_t zlib_crc(uint32_t crc, const uint8_t *data, size_t len)
{
	return (uint32_t)crc32_z(crc, data, len);
}

const struct inflater inflate_zlib = { zlib_open, zlib_close, zlib_reset, zlib_step, NULL, zlib_crc };
