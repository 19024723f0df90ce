/* SPDX-License-Identifier: Apache-2.0 */
/* How bytes are pulled from stage to stage within one thread: pieces that are lent (stream_in), and decoders that turn
 * them into plain bytes (stream_codec). Each decoder has a file of its own and is one of these tables. */
#ifndef ONHOST_STREAM_H
#define ONHOST_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct stream_in {
	/* The next piece, borrowed until the next call. *ret_len 0 at the end of the stream, and at every call after.
	 */
	int (*next)(void *self, const uint8_t **ret_data, size_t *ret_len, struct error *err);
	void *self;
};

/* What one read gave, and what is still to be summed up of it. */
struct stream_part {
	size_t len;    /* bytes */
	bool sum_ends; /* at sum_end the member ends that earlier reads began, and its checksum is sum */
	size_t sum_end;
	uint32_t sum;
	size_t sum_begin; /* here the member begins that later reads go on with */
};

struct stream_codec {
	/* *in is copied; what its self points to outlives the codec. */
	int (*open)(const struct stream_in *in, void **ret_codec, struct error *err);
	/* Fills all of data unless the stream ends. Less than len says that it ended well: checksums (but for what check
	 * finds) and lengths are right, and only whole further members and zeros up to the end of the input followed.
	 * Everything else is ERROR_IMAGE; errors of the input are passed on as they are. After an error only close may
	 * follow. */
	int (*read)(void *codec, void *data, size_t len, struct stream_part *ret_part, struct error *err);
	/* Sums up and compares what a read has left. Once for each read, in their order; the next read may be under way
	 * in another thread meanwhile. NULL: reads leave nothing. */
	int (*check)(void *codec, const void *data, const struct stream_part *part, struct error *err);
	void (*close)(void *codec);
};

/* The padding behind a packed stream, which bsdtar writes: 1 when data and all of the input that follows are zeros, 0
 * when there is another byte, -1 for an error of the input. */
int stream_only_zeros(const struct stream_in *in, const uint8_t *data, size_t len, struct error *err);

#endif
