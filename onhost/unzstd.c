/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking with libzstd, which has its only home here. What the bytes mean is image.c's. */
#include "onhost/unzstd.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

struct unzstd {
	struct stream_in in;
	ZSTD_DStream *zstd;
	ZSTD_inBuffer input;
	uint64_t frames;     /* that ended well */
	bool between_frames; /* or before the first */
	bool ended;
};

static int unzstd_open(const struct stream_in *in, void **ret_codec, struct error *err)
{
	struct unzstd *z = calloc(1, sizeof(*z));
	if (z == NULL)
		return error_nomem(err);
	z->in = *in;
	z->between_frames = true;
	z->zstd = ZSTD_createDStream();
	if (z->zstd == NULL ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, UNZSTD_WINDOW_LOG_MAX))) {
		ZSTD_freeDStream(z->zstd);
		free(z);
		return error_nomem(err);
	}
	*ret_codec = z;
	return 0;
}

static void unzstd_close(void *codec)
{
	struct unzstd *z = codec;

	ZSTD_freeDStream(z->zstd);
	free(z);
}

static int refuse_foreign_bytes(struct error *err)
{
	return error_set(err, ERROR_IMAGE,
			 "bytes that do not belong to it follow the end of the image's zstd data; "
			 "download the stemcell again, or pack it anew with zstd");
}

static int refuse(const struct unzstd *z, size_t result, struct error *err)
{
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_memory_allocation:
		return error_nomem(err);
	case ZSTD_error_frameParameter_windowTooLarge:
		return error_set(err, ERROR_IMAGE,
				 "the image's zstd data need a window over %zu MiB; pack it without --ultra and --long",
				 UNZSTD_WINDOW_MAX / (1024 * 1024));
	case ZSTD_error_prefix_unknown:
		if (z->frames > 0)
			return refuse_foreign_bytes(err);
		break;
	default:
		break;
	}
	return error_set(err, ERROR_IMAGE, "the image's zstd data are damaged (%s); download the stemcell again",
			 ZSTD_getErrorName(result));
}

static int refill(struct unzstd *z, struct error *err)
{
	const uint8_t *data;
	size_t len;

	if (z->in.next(z->in.self, &data, &len, err) != 0)
		return -1;
	z->input = (ZSTD_inBuffer){ data, len, 0 };
	return 0;
}

/* Where a frame ended, or none has begun: sets ended where the input ends as well, with or without padding. */
static int check_end(struct unzstd *z, struct error *err)
{
	const uint8_t *rest = (const uint8_t *)z->input.src + z->input.pos;
	size_t len = z->input.size - z->input.pos;

	if (len > 0 && (z->frames == 0 || rest[0] != 0))
		return 0;
	z->ended = true;
	int zeros = stream_only_zeros(&z->in, rest, len, err);
	return zeros == 0 ? refuse_foreign_bytes(err) : zeros < 0 ? -1 : 0;
}

/* One call of libzstd's. */
static int decompress_some(struct unzstd *z, ZSTD_outBuffer *output, struct error *err)
{
	bool dry = z->input.size == 0;
	size_t before = output->pos;
	size_t result = ZSTD_decompressStream(z->zstd, output, &z->input);

	if (ZSTD_isError(result))
		return refuse(z, result, err);
	z->between_frames = result == 0;
	if (result == 0)
		z->frames++;
	else if (dry && output->pos == before) /* nothing came in, and nothing was held back */
		return error_set(err, ERROR_IMAGE,
				 "the image is cut short: its zstd data stop before their end; download the stemcell "
				 "again");
	return 0;
}

static int unzstd_read(void *codec, void *data, size_t len, struct stream_part *ret_part, struct error *err)
{
	struct unzstd *z = codec;
	ZSTD_outBuffer output = { data, len, 0 };

	while (output.pos < len && !z->ended) {
		if (z->input.pos == z->input.size && refill(z, err) != 0)
			return -1;
		if (z->between_frames && check_end(z, err) != 0)
			return -1;
		if (!z->ended && decompress_some(z, &output, err) != 0)
			return -1;
	}
	*ret_part = (struct stream_part){ .len = output.pos };
	return 0;
}

const struct stream_codec unzstd_codec = { unzstd_open, unzstd_read, NULL, unzstd_close };
