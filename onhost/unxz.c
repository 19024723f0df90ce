/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking with liblzma, which has its only home here. What the bytes mean is image.c's. */
#include "onhost/unxz.h"

#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>

#define FLAGS (LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK)

struct unxz {
	struct stream_in in;
	lzma_stream lzma;
	bool input_ended;
	bool ended;
};

static int unxz_open(const struct stream_in *in, void **ret_codec, struct error *err)
{
	struct unxz *xz = calloc(1, sizeof(*xz));
	if (xz == NULL)
		return error_nomem(err);
	xz->in = *in;
	xz->lzma = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&xz->lzma, UNXZ_MEMORY_MAX, FLAGS) != LZMA_OK) {
		free(xz);
		return error_nomem(err);
	}
	*ret_codec = xz;
	return 0;
}

static void unxz_close(void *codec)
{
	struct unxz *xz = codec;

	lzma_end(&xz->lzma);
	free(xz);
}

static int refuse(const struct unxz *xz, lzma_ret result, struct error *err)
{
	static const uint64_t mib = 1024 * 1024;

	switch (result) {
	case LZMA_MEM_ERROR:
		return error_nomem(err);
	case LZMA_MEMLIMIT_ERROR:
		return error_set(err, ERROR_IMAGE,
				 "the image's xz data need %llu MiB to unpack, the most is %llu; pack it with xz -6",
				 (unsigned long long)((lzma_memusage(&xz->lzma) + mib - 1) / mib),
				 (unsigned long long)(UNXZ_MEMORY_MAX / mib));
	case LZMA_UNSUPPORTED_CHECK:
	case LZMA_OPTIONS_ERROR:
		return error_set(err, ERROR_IMAGE,
				 "the image's xz data use a check or filter that is not known here; "
				 "pack it with xz -6");
	case LZMA_BUF_ERROR:
		return error_set(
			err, ERROR_IMAGE,
			"the image is cut short: its xz data stop before their end; download the stemcell again");
	default:
		return error_set(err, ERROR_IMAGE,
				 "the image's xz data are damaged, or followed by bytes that do not "
				 "belong to them; download the stemcell again");
	}
}

static int refill(struct unxz *xz, struct error *err)
{
	const uint8_t *data;
	size_t len;

	if (xz->in.next(xz->in.self, &data, &len, err) != 0)
		return -1;
	xz->lzma.next_in = data;
	xz->lzma.avail_in = len;
	xz->input_ended = len == 0;
	return 0;
}

static int unxz_read(void *codec, void *data, size_t len, struct stream_part *ret_part, struct error *err)
{
	struct unxz *xz = codec;

	xz->lzma.next_out = data;
	xz->lzma.avail_out = len;
	while (xz->lzma.avail_out > 0 && !xz->ended) {
		if (xz->lzma.avail_in == 0 && !xz->input_ended && refill(xz, err) != 0)
			return -1;
		lzma_ret result = lzma_code(&xz->lzma, xz->input_ended ? LZMA_FINISH : LZMA_RUN);
		if (result == LZMA_STREAM_END)
			xz->ended = true;
		/* the first call of two that make no progress is allowed */
		else if (result != LZMA_OK && !(result == LZMA_BUF_ERROR && !xz->input_ended))
			return refuse(xz, result, err);
	}
	*ret_part = (struct stream_part){ .len = len - xz->lzma.avail_out };
	return 0;
}

const struct stream_codec unxz_codec = { unxz_open, unxz_read, NULL, unxz_close };
