/* SPDX-License-Identifier: Apache-2.0 */
/* Copies what it sees of a range. */
#include "onhost/piece.h"

#include <string.h>

enum piece_state piece_take(struct piece *piece, const uint8_t *data, size_t len, uint64_t offset)
{
	uint64_t next = piece->offset + piece->got;

	if (piece->got == piece->len)
		return PIECE_WHOLE;
	if (next < offset)
		return PIECE_MISSED;
	if (next - offset >= len)
		return PIECE_WAITS;
	size_t skip = (size_t)(next - offset);
	size_t n = len - skip < piece->len - piece->got ? len - skip : piece->len - piece->got;
	memcpy(piece->to + piece->got, data + skip, n);
	piece->got += n;
	return piece->got == piece->len ? PIECE_WHOLE : PIECE_WAITS;
}
