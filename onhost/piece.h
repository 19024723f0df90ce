/* SPDX-License-Identifier: Apache-2.0 */
/* A range of the disk image that somebody wants to see whole, put together while the image streams past; and reading
 * little-endian numbers out of it. */
#ifndef ONHOST_PIECE_H
#define ONHOST_PIECE_H

#include <stddef.h>
#include <stdint.h>

struct piece {
	uint64_t offset; /* in the disk image; offset + len does not overflow */
	size_t len;
	uint8_t *to; /* borrowed: len bytes */
	size_t got;
};

enum piece_state {
	PIECE_WAITS,  /* for bytes that are still to come */
	PIECE_WHOLE,
	PIECE_MISSED, /* a byte of it has passed unseen: it stood in a hole of the archive */
};

/* The image's bytes [offset, offset + len); offsets ascend from call to call, and there may be gaps. The same bytes may be
 * offered again to another piece. */
enum piece_state piece_take(struct piece *piece, const uint8_t *data, size_t len, uint64_t offset);

static inline uint32_t piece_le16(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t piece_le32(const uint8_t *at)
{
	return piece_le16(at) | piece_le16(at + 2) << 16;
}

static inline uint64_t piece_le64(const uint8_t *at)
{
	return (uint64_t)piece_le32(at) | (uint64_t)piece_le32(at + 4) << 32;
}

#endif
