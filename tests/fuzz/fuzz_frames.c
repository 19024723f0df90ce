/* SPDX-License-Identifier: Apache-2.0 */
/* The session's framing and messages on anything: no crash, the same result however the bytes are cut in pieces, and a
 * message that was understood is understood again when it is sent on. The first byte says how they are cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/onhost_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A reader as both ends have one: lines, and behind a write message chunks up to the empty one. */
struct reader {
	struct onhost_frames frames;
	bool in_image;
	uint32_t chunk_left;
	bool broken;
	struct buf seen; /* all that it made of the bytes */
};

static void check_line(struct arena *arena, const char *line, size_t len, struct reader *reader)
{
	struct onhost_msg msg;
	struct onhost_msg again;
	struct buf first = BUF_INIT(ONHOST_LINE_MAX);
	struct buf second = BUF_INIT(ONHOST_LINE_MAX);
	struct error err;

	arena_reset(arena);
	if (onhost_msg_decode(arena, line, len, &msg, &err) != 0) {
		require(err.kind == ERROR_PROTOCOL);
		return;
	}
	buf_printf(&reader->seen, "message %d\n", (int)msg.type);
	reader->in_image = msg.type == ONHOST_MSG_WRITE;
	if (msg.type == ONHOST_MSG_UNKNOWN) {
		require(msg.unknown != NULL);
	} else if (onhost_msg_encode(&msg, &first, &err) == 0) {
		require(onhost_msg_decode(arena, first.data, first.len - 1, &again, &err) == 0);
		require(onhost_msg_encode(&again, &second, &err) == 0);
		require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	} else {
		/* the fields that were left out and the escapes can make it longer than a line */
		require(err.kind == ERROR_TOO_BIG);
	}
	buf_free(&first);
	buf_free(&second);
}

static int read_image(struct reader *reader)
{
	char piece[700];
	uint32_t len = 0;

	if (reader->chunk_left == 0) {
		int got = onhost_frames_chunk_header(&reader->frames, &len, NULL);
		if (got <= 0)
			return got;
		require(len <= ONHOST_CHUNK_MAX);
		buf_printf(&reader->seen, "chunk %u\n", (unsigned)len);
		reader->chunk_left = len;
		reader->in_image = len > 0;
		return 1;
	}
	size_t want = reader->chunk_left < sizeof(piece) ? reader->chunk_left : sizeof(piece);
	size_t count = onhost_frames_take(&reader->frames, piece, want);
	require(count <= want);
	buf_append(&reader->seen, piece, count);
	reader->chunk_left -= (uint32_t)count;
	return count > 0;
}

static int read_line(struct arena *arena, struct reader *reader)
{
	const char *line;
	size_t len;
	int got = onhost_frames_line(&reader->frames, &line, &len, NULL);

	if (got <= 0)
		return got;
	require(len < ONHOST_LINE_MAX && memchr(line, '\n', len) == NULL);
	buf_append(&reader->seen, line, len);
	buf_char(&reader->seen, '\n');
	check_line(arena, line, len, reader);
	return 1;
}

static void run(struct arena *arena, struct reader *reader, const uint8_t *data, size_t size, size_t piece)
{
	onhost_frames_init(&reader->frames);
	reader->seen = (struct buf)BUF_INIT((size_t)64 * 1024 * 1024);
	while (size > 0 && !reader->broken) {
		size_t len = size < piece ? size : piece;
		int got;
		onhost_frames_feed(&reader->frames, data, len);
		data += len;
		size -= len;
		while ((got = reader->in_image ? read_image(reader) : read_line(arena, reader)) > 0)
			;
		reader->broken = got < 0;
	}
	require(reader->frames.in.len <= ONHOST_FRAMES_MAX);
	onhost_frames_free(&reader->frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > ONHOST_FRAMES_MAX)
		return 0;
	size_t piece = (size_t)data[0] * data[0] + 1;
	struct arena *arena = arena_new((size_t)64 * 1024 * 1024);
	struct reader whole = { .broken = false };
	struct reader pieces = { .broken = false };

	require(arena != NULL);
	run(arena, &whole, data + 1, size - 1, size);
	run(arena, &pieces, data + 1, size - 1, piece);
	require(whole.broken == pieces.broken && whole.seen.len == pieces.seen.len);
	require(whole.seen.len == 0 || memcmp(whole.seen.data, pieces.seen.data, whole.seen.len) == 0);
	buf_free(&whole.seen);
	buf_free(&pieces.seen);
	arena_free(arena);
	return 0;
}
