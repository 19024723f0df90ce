/* SPDX-License-Identifier: Apache-2.0 */
/* The child's stream of blocks on anything: no crash, the same result however the bytes come in pieces, and no block that cannot be.
 * The first byte says how large the volume is, the second how large the pieces; in the rest FE, a count and a byte stand for so many
 * times 4096 of that byte, and FE 00 for FE, so that a whole block is three bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "cpi/upload/block_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RUN_BYTES ((size_t)4096)
#define MAX_BLOCKS 64

static void require(bool condition)
{
	if (!condition)
		abort();
}

struct source {
	const uint8_t *data;
	size_t left;
	size_t piece;
	uint8_t run_byte;
	size_t run_left;
};

static bool begin_run(struct source *source)
{
	if (source->run_left > 0)
		return true;
	if (source->left == 0)
		return false;
	uint8_t byte = *source->data;
	size_t used = 1;
	source->run_byte = byte;
	source->run_left = 1;
	if (byte == 0xFE && source->left >= 2 && source->data[1] == 0) {
		used = 2;
	} else if (byte == 0xFE && source->left >= 3) {
		source->run_byte = source->data[2];
		source->run_left = source->data[1] * RUN_BYTES;
		used = 3;
	}
	source->data += used;
	source->left -= used;
	return true;
}

static ssize_t give(void *self, void *data, size_t len, struct error *err)
{
	struct source *source = self;
	uint8_t *to = data;
	size_t count = 0;

	(void)err;
	len = len < source->piece ? len : source->piece;
	while (count < len && begin_run(source)) {
		size_t part = source->run_left < len - count ? source->run_left : len - count;
		memset(to + count, source->run_byte, part);
		source->run_left -= part;
		count += part;
	}
	return (ssize_t)count;
}

/* What came of a stream. */
struct outcome {
	unsigned n_blocks;
	uint8_t sum[SHA256_LEN]; /* of all that came */
	bool whole;
	struct error err;
};

static void check_block(const struct block_stream *stream, const struct image_block *block, const uint8_t *data, int64_t last)
{
	require((int64_t)block->index > last && block->index <= ONHOST_BLOCK_INDEX_MAX);
	require(block->len > 0 && block->len <= ONHOST_BLOCK_SIZE);
	require(stream->max_bytes == 0 || (uint64_t)block->index * ONHOST_BLOCK_SIZE + block->len <= stream->max_bytes);
	for (uint32_t i = block->len; i < ONHOST_BLOCK_SIZE; i++)
		require(data[i] == 0);
}

static void check_end(const struct block_stream *stream, const struct outcome *outcome)
{
	require(outcome->whole == stream->whole && !(outcome->whole && stream->broke_off));
	if (!outcome->whole) {
		require(outcome->err.kind != ERROR_NONE && outcome->err.message[0] != '\0');
		require(outcome->err.kind != ERROR_AWS && outcome->err.kind != ERROR_VM_NOT_FOUND);
		return;
	}
	require(stream->end <= stream->written.image_size && stream->written.image_size > 0);
	require(stream->max_bytes == 0 || stream->written.image_size <= stream->max_bytes);
}

static struct outcome run(struct block_stream *stream, uint8_t *data)
{
	struct outcome outcome = { .n_blocks = 0 };
	struct digest *digest = NULL;
	int64_t last = -1;
	bool more = true;

	require(digest_new(&digest, NULL) == 0);
	while (more && outcome.n_blocks < MAX_BLOCKS) {
		struct image_block block;
		if (block_stream_next(stream, data, &block, &more, &outcome.err) != 0)
			break;
		outcome.whole = !more;
		if (!more)
			break;
		check_block(stream, &block, data, last);
		last = block.index;
		outcome.n_blocks++;
		require(digest_update(digest, &block, sizeof(block), NULL) == 0);
		require(digest_update(digest, data, block.len, NULL) == 0);
	}
	if (outcome.n_blocks < MAX_BLOCKS)
		check_end(stream, &outcome);
	require(digest_finish(digest, outcome.sum, NULL) == 0);
	digest_free(digest);
	return outcome;
}

static struct outcome run_in_pieces(const uint8_t *data, size_t size, uint64_t max_bytes, size_t piece)
{
	struct source source = { .data = data, .left = size, .piece = piece };
	struct block_stream *stream = calloc(1, sizeof(*stream));
	uint8_t *block = malloc(ONHOST_BLOCK_SIZE);

	require(stream != NULL && block != NULL);
	memset(block, 0x5a, ONHOST_BLOCK_SIZE);
	stream->read = give;
	stream->self = &source;
	stream->max_bytes = max_bytes;
	stream->scratch = arena_new((size_t)4 * 1024 * 1024);
	require(stream->scratch != NULL);
	struct outcome outcome = run(stream, block);
	arena_free(stream->scratch);
	free(block);
	free(stream);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	uint64_t max_bytes = (uint64_t)data[0] * ONHOST_BLOCK_SIZE;
	size_t piece = (size_t)data[1] * data[1] + 1;
	struct outcome whole = run_in_pieces(data + 2, size - 2, max_bytes, SIZE_MAX);
	struct outcome pieces = run_in_pieces(data + 2, size - 2, max_bytes, piece);

	require(whole.n_blocks == pieces.n_blocks && whole.whole == pieces.whole);
	require(memcmp(whole.sum, pieces.sum, sizeof(whole.sum)) == 0);
	require(whole.err.kind == pieces.err.kind && strcmp(whole.err.message, pieces.err.message) == 0);
	return 0;
}
