/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of a stemcell's image, from a child: `onhost unpack --blocks`, which reads the image's file itself, in its sandbox
 * and without root. What it says is bounded and checked here, because it has looked at foreign bytes. */
#ifndef CPI_UPLOAD_IMAGE_BLOCKS_H
#define CPI_UPLOAD_IMAGE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/onhost_blocks.h"
#include "common/onhost_msg.h"
#include "common/runtime.h"

struct image_blocks;

struct image_blocks_options {
	const char *onhost_path;
	const char *image_path;  /* for messages, and the child opens it */
	bool encrypted;          /* holes of the archive are wanted too */
	bool skip_zero_blocks;
	uint64_t max_bytes;      /* the volume's size; a larger image is ERROR_IMAGE. 0: any */
};

struct image_block {
	uint32_t index;
	uint32_t len; /* of data that came; the rest of the block is zeros by now */
};

/* Starts it. Texts of options must outlive it. */
int image_blocks_open(struct runtime *runtime, const struct image_blocks_options *options, struct image_blocks **ret_blocks,
		      struct error *err);
/* Waits for the first record: the image's size in bytes, 0 where nobody knows it before the end. */
int image_blocks_size(struct image_blocks *blocks, uint64_t *ret_bytes, struct error *err);
/* The next block into data (ONHOST_BLOCK_SIZE bytes, the rest filled with zeros). *ret_more false: that was all, and the image
 * was good to its last byte. Errors of the child keep their kind (ERROR_IMAGE …), with the image's name in front; a child that ends
 * without a word is ERROR_IO with its exit status and last words. ERROR_CANCELLED after a signal. */
int image_blocks_next(struct image_blocks *blocks, uint8_t *data, struct image_block *ret_block, bool *ret_more,
		      struct error *err);
/* Who is asked, a few times a second and on the caller's thread, whether to go on waiting for the child; -1 and an error ends the
 * wait with it. NULL: nobody. */
struct image_blocks_patience {
	int (*go_on)(void *self, struct error *err);
	void *self;
};
void image_blocks_ask(struct image_blocks *blocks, const struct image_blocks_patience *patience);
/* What the child said last of its progress, zeros before. */
void image_blocks_progress(const struct image_blocks *blocks, struct onhost_progress *ret_progress);
/* After the last one: what the child says of the whole. Texts in the arena. */
int image_blocks_result(struct image_blocks *blocks, struct arena *arena, struct onhost_written *ret_written,
			struct error *err);
/* Ends the child at once when it still runs. NULL is passed over. */
void image_blocks_close(struct image_blocks *blocks);

#endif
