/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/upload/block_stream.h"

#include <inttypes.h>
#include <string.h>

#define GIB ((uint64_t)1024 * 1024 * 1024)

/* --- bytes --- */

static int take(struct block_stream *stream, void *data, size_t len, struct error *err)
{
	uint8_t *to = data;

	while (len > 0) {
		ssize_t count = stream->read(stream->self, to, len, err);
		if (count < 0)
			return -1;
		if (count == 0) {
			stream->broke_off = true;
			return error_set(err, ERROR_IO, "onhost's blocks ended in the middle");
		}
		to += count;
		len -= (size_t)count;
	}
	return 0;
}

/* --- what is said of sizes --- */

static int too_large(const struct block_stream *stream, const char *at_least, uint64_t bytes, struct error *err)
{
	return error_set(err, ERROR_IMAGE,
			 "the disk image has %s%" PRIu64 " bytes, which is more than the %" PRIu64 " GiB of the volume (%" PRIu64
			 " bytes): make the volume larger (the stemcell's cloud property disk, or --size)",
			 at_least, bytes, stream->max_bytes / GIB, stream->max_bytes);
}

static bool is_too_large(const struct block_stream *stream, uint64_t bytes)
{
	return stream->max_bytes > 0 && bytes > stream->max_bytes;
}

static int check_written(const struct block_stream *stream, const struct onhost_written *written, struct error *err)
{
	if (is_too_large(stream, written->image_size))
		return too_large(stream, "", written->image_size, err);
	bool ends_elsewhere = stream->order.short_came ? stream->end != written->image_size : stream->end > written->image_size;
	if (written->image_size == 0 || ends_elsewhere)
		return error_set(err, ERROR_PROTOCOL,
				 "onhost broke the protocol: it speaks of an image of %" PRIu64 " bytes, and its last block ended at %" PRIu64,
				 written->image_size, stream->end);
	return 0;
}

/* --- messages --- */

/* What reads an image may fail in these ways; others are not its to say. */
static enum error_kind believable(const char *type)
{
	enum error_kind kind = error_kind_by_name(type);

	switch (kind) {
	case ERROR_NOMEM:
	case ERROR_INVALID:
	case ERROR_TOO_BIG:
	case ERROR_CONFIG:
	case ERROR_IO:
	case ERROR_TIMEOUT:
	case ERROR_CANCELLED:
	case ERROR_IMAGE:
	case ERROR_SANDBOX:
		return kind;
	default:
		return ERROR_INTERNAL;
	}
}

/* Behind the last word nothing may follow. */
static int end_with(struct block_stream *stream, const struct onhost_written *written, struct error *err)
{
	uint8_t byte;

	if (check_written(stream, written, err) != 0)
		return -1;
	ssize_t count = stream->read(stream->self, &byte, 1, err);
	if (count < 0)
		return -1;
	if (count > 0)
		return error_set(err, ERROR_PROTOCOL, "onhost broke the protocol: something follows its last message");
	stream->written = *written;
	stream->whole = true;
	return 0;
}

static int take_message(struct block_stream *stream, size_t len, struct error *err)
{
	struct onhost_msg msg;

	if (len > sizeof(stream->line))
		return error_set(err, ERROR_PROTOCOL, "onhost broke the protocol: a message of %zu bytes", len);
	if (take(stream, stream->line, len, err) != 0)
		return -1;
	arena_reset(stream->scratch);
	if (onhost_msg_decode(stream->scratch, stream->line, len, &msg, err) != 0)
		return error_prefix(err, "onhost broke the protocol");
	switch (msg.type) {
	case ONHOST_MSG_PROGRESS:
		stream->progress = msg.progress;
		stream->started = true;
		return is_too_large(stream, msg.progress.total) ? too_large(stream, "", msg.progress.total, err) : 0;
	case ONHOST_MSG_WRITTEN:
		if (!stream->started)
			break;
		return end_with(stream, &msg.written, err);
	case ONHOST_MSG_ERROR:
		return error_set(err, believable(msg.error.type), "onhost: %s", msg.error.message);
	case ONHOST_MSG_UNKNOWN:
		if (stream->started)
			return 0;
		break;
	default:
		break;
	}
	return error_set(err, ERROR_PROTOCOL, "onhost broke the protocol: a message came out of turn (type %d)", (int)msg.type);
}

/* --- records --- */

static int take_header(struct block_stream *stream, struct onhost_block_header *ret_header, struct error *err)
{
	uint8_t bytes[ONHOST_BLOCK_HEADER];

	if (take(stream, bytes, sizeof(bytes), err) != 0)
		return -1;
	if (onhost_block_decode(bytes, &stream->order, ret_header, err) != 0)
		return error_prefix(err, "onhost broke the protocol");
	return 0;
}

static int take_block(struct block_stream *stream, const struct onhost_block_header *header, uint8_t *data,
		      struct image_block *ret_block, struct error *err)
{
	stream->end = (uint64_t)header->index * ONHOST_BLOCK_SIZE + header->len;
	if (is_too_large(stream, stream->end))
		return too_large(stream, "at least ", stream->end, err);
	if (take(stream, data, header->len, err) != 0)
		return -1;
	memset(data + header->len, 0, ONHOST_BLOCK_SIZE - header->len);
	*ret_block = (struct image_block){ .index = header->index, .len = header->len };
	return 0;
}

int block_stream_start(struct block_stream *stream, struct error *err)
{
	struct onhost_block_header header;

	if (stream->started)
		return 0;
	if (take_header(stream, &header, err) != 0)
		return -1;
	if (!header.is_message)
		return error_set(err, ERROR_PROTOCOL, "onhost broke the protocol: it began with a block");
	return take_message(stream, header.len, err);
}

int block_stream_next(struct block_stream *stream, uint8_t *data, struct image_block *ret_block, bool *ret_more,
		      struct error *err)
{
	struct onhost_block_header header;

	if (block_stream_start(stream, err) != 0)
		return -1;
	while (!stream->whole) {
		if (take_header(stream, &header, err) != 0)
			return -1;
		if (!header.is_message) {
			if (take_block(stream, &header, data, ret_block, err) != 0)
				return -1;
			*ret_more = true;
			return 0;
		}
		if (take_message(stream, header.len, err) != 0)
			return -1;
	}
	*ret_more = false;
	return 0;
}
