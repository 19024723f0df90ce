/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of common/onhost_blocks.h, taken apart and checked against the volume's size and against itself. Where its bytes come
 * from, and what a stream that breaks off means, is image_blocks.c's. */
#ifndef CPI_UPLOAD_BLOCK_STREAM_H
#define CPI_UPLOAD_BLOCK_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/onhost_blocks.h"
#include "common/onhost_msg.h"
#include "cpi/upload/image_blocks.h"

struct block_stream {
	/* Up to len bytes, and one at least, for which it waits. The count; 0: the end; -1. */
	ssize_t (*read)(void *self, void *data, size_t len, struct error *err);
	void *self;
	uint64_t max_bytes; /* 0: any */
	struct arena *scratch; /* for messages; it is emptied before each */

	/* what has come so far; starts as zeros */
	struct onhost_block_order order;
	uint64_t end;                    /* of the last block: bytes from the image's start */
	struct onhost_progress progress; /* the last one */
	bool started;                    /* the first record has come */
	bool broke_off;                  /* the failure is that it ended without a last word */
	bool whole;                      /* written has come, and then the end */
	struct onhost_written written;   /* its texts in scratch */
	char line[ONHOST_LINE_MAX];
};

/* The first record, unless it has come already. */
int block_stream_start(struct block_stream *stream, struct error *err);
/* As image_blocks_next. ERROR_PROTOCOL for what cannot be, ERROR_IMAGE for an image that is larger than max_bytes; the child's own
 * error with its kind, as far as it is one that such a child can have. */
int block_stream_next(struct block_stream *stream, uint8_t *data, struct image_block *ret_block, bool *ret_more,
		      struct error *err);

#endif
