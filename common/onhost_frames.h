/* SPDX-License-Identifier: Apache-2.0 */
/* How the session between cpi and onhost is cut into messages. A message is one line of JSON of at most ONHOST_LINE_MAX
 * bytes, line break included. An image travels behind a write message as chunks: 4 bytes of length (big-endian, at most
 * ONHOST_CHUNK_MAX), the data; a zero length ends it, and an end message with the SHA-256 (hex) of all chunk data
 * follows. */
#ifndef COMMON_ONHOST_FRAMES_H
#define COMMON_ONHOST_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/error.h"

#define ONHOST_LINE_MAX ((size_t)65536)
#define ONHOST_CHUNK_MAX ((uint32_t)1024 * 1024)
/* A reader feeds when what is there is not enough, so that less than a line is left over; then one piece comes, which
 * may be as large as a chunk with its header. More than this is never kept: feeding it fails the next call. */
#define ONHOST_FRAMES_MAX (ONHOST_LINE_MAX + ONHOST_CHUNK_MAX + 4)

/* Bytes that came from the other side and have not been looked at. Fed by whoever reads the descriptor, so that it
 * serves blocking and polling readers alike. */
struct onhost_frames {
	struct buf in;
	size_t taken;   /* bytes of in that are used up */
	size_t scanned; /* bytes of in, from its start, in which no line break is left to be found */
};
void onhost_frames_init(struct onhost_frames *frames);
void onhost_frames_free(struct onhost_frames *frames);
void onhost_frames_feed(struct onhost_frames *frames, const void *data, size_t len);
/* 1 and a whole line without its break (borrowed until the next call), 0: more is needed, -1 ERROR_PROTOCOL: over the
 * maximum. */
int onhost_frames_line(struct onhost_frames *frames, const char **ret_line, size_t *ret_len, struct error *err);
/* 1 and a whole chunk's header (its length; 0 is the end of the image), 0: more input needed, -1: over
 * ONHOST_CHUNK_MAX. */
int onhost_frames_chunk_header(struct onhost_frames *frames, uint32_t *ret_len, struct error *err);
/* Takes up to len bytes that are there already; the count (0: read the rest from the descriptor yourself). */
size_t onhost_frames_take(struct onhost_frames *frames, void *data, size_t len);
/* A chunk's header, for the sender. */
static inline void onhost_chunk_header(uint32_t len, uint8_t ret_header[4])
{
	ret_header[0] = (uint8_t)(len >> 24);
	ret_header[1] = (uint8_t)(len >> 16);
	ret_header[2] = (uint8_t)(len >> 8);
	ret_header[3] = (uint8_t)len;
}

#endif
