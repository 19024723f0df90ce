/* SPDX-License-Identifier: Apache-2.0 */
/* The stream that `onhost unpack --blocks` writes for cpi: the blocks of a disk image that must be uploaded, in order, and
 * messages of the session's kind (onhost_msg.h) between them. Records, each behind a header of 8 bytes: index and length,
 * big-endian.
 * - length 1 to ONHOST_BLOCK_SIZE: so many bytes of the block with that index; fewer than ONHOST_BLOCK_SIZE only of the
 *   image's last block. Indexes ascend; blocks that are not there need not be uploaded.
 * - length 0: a message, one line of JSON without its line break, of index bytes (1 to 65535). The first record is a
 *   progress message whose total is the image's size as far as it is known by then (0: not), and which says nothing else;
 *   the last one is a written message or an error. A stream that ends without it is a failure, never a short image. */
#ifndef COMMON_ONHOST_BLOCKS_H
#define COMMON_ONHOST_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* A block of an EBS snapshot. */
#define ONHOST_BLOCK_SIZE ((uint32_t)512 * 1024)
#define ONHOST_BLOCK_HEADER ((size_t)8)
/* 64 TiB, the largest EBS volume. */
#define ONHOST_BLOCK_INDEX_MAX ((uint32_t)134217727)

struct onhost_block_header {
	bool is_message;
	uint32_t index; /* of a block */
	uint32_t len;   /* bytes that follow; 1 at least */
};

/* What came so far; start with zeros. */
struct onhost_block_order {
	bool any;        /* a block has come */
	bool short_came; /* the last one was short: only messages may follow */
	uint32_t last;   /* its index */
};

void onhost_block_encode(const struct onhost_block_header *header, uint8_t ret_bytes[ONHOST_BLOCK_HEADER]);
/* ERROR_PROTOCOL for a length, an index or an order that cannot be. */
int onhost_block_decode(const uint8_t bytes[ONHOST_BLOCK_HEADER], struct onhost_block_order *order,
			struct onhost_block_header *ret_header, struct error *err);

#endif
