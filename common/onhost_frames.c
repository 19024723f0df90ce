/* SPDX-License-Identifier: Apache-2.0 */
/* The session's framing: lines and chunks out of bytes that come in pieces of any size. Reads and writes no descriptor,
 * and does not look into a line. */
#include "common/onhost_frames.h"

#include <string.h>

void onhost_frames_init(struct onhost_frames *frames)
{
	*frames = (struct onhost_frames){ .in = BUF_INIT(ONHOST_FRAMES_MAX) };
}

void onhost_frames_free(struct onhost_frames *frames)
{
	buf_free(&frames->in);
	frames->taken = 0;
	frames->scanned = 0;
}

static size_t waiting(const struct onhost_frames *frames)
{
	return frames->in.len - frames->taken;
}

/* Drops what is used up. */
static void compact(struct onhost_frames *frames)
{
	size_t rest = waiting(frames);

	if (frames->taken == 0)
		return;
	memmove(frames->in.data, frames->in.data + frames->taken, rest);
	frames->in.len = rest;
	frames->scanned = frames->scanned > frames->taken ? frames->scanned - frames->taken : 0;
	frames->taken = 0;
}

void onhost_frames_feed(struct onhost_frames *frames, const void *data, size_t len)
{
	/* only when at least as much goes as is moved, so that many small lines do not move each other for ever */
	if (frames->taken >= waiting(frames) || len > frames->in.max - frames->in.len)
		compact(frames);
	buf_append(&frames->in, data, len);
}

/* After bytes were dropped nothing that follows can be trusted. */
static int check_whole(const struct onhost_frames *frames, struct error *err)
{
	if (!frames->in.failed)
		return 0;
	return error_set(err, ERROR_PROTOCOL, "more than %zu bytes of the session came unasked, or memory ran out",
			 frames->in.max);
}

int onhost_frames_line(struct onhost_frames *frames, const char **ret_line, size_t *ret_len, struct error *err)
{
	if (check_whole(frames, err) != 0)
		return -1;
	size_t look = waiting(frames) < ONHOST_LINE_MAX ? waiting(frames) : ONHOST_LINE_MAX;
	size_t start = frames->scanned > frames->taken ? frames->scanned - frames->taken : 0;
	const char *line = frames->in.data == NULL ? "" : frames->in.data + frames->taken;
	const char *end = start < look ? memchr(line + start, '\n', look - start) : NULL;
	if (end == NULL) {
		frames->scanned = frames->taken + look;
		if (look == ONHOST_LINE_MAX)
			return error_set(err, ERROR_PROTOCOL, "a line of the session is longer than %zu bytes",
					 ONHOST_LINE_MAX);
		return 0;
	}
	*ret_line = line;
	*ret_len = (size_t)(end - line);
	frames->taken += *ret_len + 1;
	return 1;
}

int onhost_frames_chunk_header(struct onhost_frames *frames, uint32_t *ret_len, struct error *err)
{
	if (check_whole(frames, err) != 0)
		return -1;
	if (waiting(frames) < 4)
		return 0;
	const uint8_t *bytes = (const uint8_t *)frames->in.data + frames->taken;
	uint32_t len = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	if (len > ONHOST_CHUNK_MAX)
		return error_set(err, ERROR_PROTOCOL,
				 "a chunk of the image is announced with %lu bytes; %lu are allowed",
				 (unsigned long)len, (unsigned long)ONHOST_CHUNK_MAX);
	frames->taken += 4;
	*ret_len = len;
	return 1;
}

size_t onhost_frames_take(struct onhost_frames *frames, void *data, size_t len)
{
	size_t count = len < waiting(frames) ? len : waiting(frames);

	if (count > 0)
		memcpy(data, frames->in.data + frames->taken, count);
	frames->taken += count;
	return count;
}
