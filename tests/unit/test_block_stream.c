/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of blocks taken apart, in pieces of any size, and what is refused in it. */
#include "cpi/upload/block_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/unit/block_kit.h"

#define BLOCK BLOCK_KIT_BLOCK
#define GIB ((uint64_t)1024 * 1024 * 1024)

struct fixture {
	struct buf in;
	size_t taken;
	size_t piece; /* bytes that come at once at most */
	bool broken;  /* after them reading fails */
	struct block_stream *stream;
	uint8_t *data;
	struct image_block block;
	bool more;
	struct error err;
};

static ssize_t give(void *self, void *data, size_t len, struct error *err)
{
	struct fixture *fixture = self;
	size_t left = fixture->in.len - fixture->taken;

	if (left == 0 && fixture->broken)
		return error_set(err, ERROR_CANCELLED, "stopped");
	if (len > fixture->piece)
		len = fixture->piece;
	if (len > left)
		len = left;
	if (len > 0)
		memcpy(data, fixture->in.data + fixture->taken, len);
	fixture->taken += len;
	return (ssize_t)len;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->in = (struct buf)BUF_INIT(BLOCK_KIT_MAX);
	fixture->piece = 100000;
	fixture->data = malloc(ONHOST_BLOCK_SIZE);
	fixture->stream = calloc(1, sizeof(*fixture->stream));
	assert_non_null(fixture->stream);
	fixture->stream->read = give;
	fixture->stream->self = fixture;
	fixture->stream->scratch = arena_new((size_t)4 * 1024 * 1024);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	buf_free(&fixture->in);
	arena_free(fixture->stream->scratch);
	free(fixture->stream);
	free(fixture->data);
	free(fixture);
	return 0;
}

/* Another stream. */
static void again(struct fixture *fixture)
{
	struct arena *scratch = fixture->stream->scratch;

	memset(fixture->stream, 0, sizeof(*fixture->stream));
	fixture->stream->read = give;
	fixture->stream->self = fixture;
	fixture->stream->scratch = scratch;
	buf_reset(&fixture->in);
	fixture->taken = 0;
}

static int next(struct fixture *fixture)
{
	return block_stream_next(fixture->stream, fixture->data, &fixture->block, &fixture->more, &fixture->err);
}

static void assert_block(struct fixture *fixture, uint32_t index, uint8_t byte, uint32_t len)
{
	memset(fixture->data, 0x5a, ONHOST_BLOCK_SIZE);
	if (next(fixture) != 0)
		fail_msg("%s", fixture->err.message);
	assert_true(fixture->more);
	assert_int_equal(fixture->block.index, index);
	assert_int_equal(fixture->block.len, len);
	for (uint32_t i = 0; i < ONHOST_BLOCK_SIZE; i++) {
		if (fixture->data[i] != (i < len ? byte : 0))
			fail_msg("byte %u of block %u", (unsigned)i, (unsigned)index);
	}
}

static void assert_end(struct fixture *fixture)
{
	if (next(fixture) != 0)
		fail_msg("%s", fixture->err.message);
	assert_false(fixture->more);
}

/* Until it fails, so. */
static void assert_fails(struct fixture *fixture, enum error_kind kind, const char *words)
{
	int result;

	do {
		result = next(fixture);
	} while (result == 0 && fixture->more);
	if (result == 0)
		fail_msg("taken, in place of: %s", words);
	if (strstr(fixture->err.message, words) == NULL)
		fail_msg("not \"%s\": %s", words, fixture->err.message);
	assert_int_equal(fixture->err.kind, kind);
	assert_false(fixture->stream->whole);
}

static void put_whole(struct buf *stream)
{
	block_kit_progress(stream, 0, 0);
	block_kit_block(stream, 0, 0xa0, BLOCK);
	block_kit_progress(stream, 17, 5 * (uint64_t)BLOCK + 1000);
	block_kit_message(stream, "{\"event\":\"news\"}");
	block_kit_block(stream, 3, 0xa3, BLOCK);
	block_kit_block(stream, 5, 0xa5, 1000);
	block_kit_progress(stream, 18, 5 * (uint64_t)BLOCK + 1000);
	block_kit_written(stream, 5 * (uint64_t)BLOCK + 1000);
}

static void blocks_and_messages(void **state)
{
	static const size_t pieces[] = { 1, 7, 8, 1000, 1000000 };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 5; i++) {
		again(fixture);
		put_whole(&fixture->in);
		fixture->piece = pieces[i];
		fixture->stream->max_bytes = 6 * (uint64_t)BLOCK;
		assert_int_equal(block_stream_start(fixture->stream, &fixture->err), 0);
		assert_int_equal(fixture->stream->progress.total, 0);
		assert_block(fixture, 0, 0xa0, BLOCK);
		assert_block(fixture, 3, 0xa3, BLOCK);
		assert_int_equal(fixture->stream->progress.read, 17);
		assert_block(fixture, 5, 0xa5, 1000);
		assert_end(fixture);
		assert_end(fixture);
		assert_int_equal(fixture->stream->progress.read, 18);
		assert_int_equal(fixture->stream->written.image_size, 5 * (uint64_t)BLOCK + 1000);
		assert_string_equal(fixture->stream->written.format, "gzip tar");
	}
}

static void full_to_the_end(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->in, 0, 2 * (uint64_t)BLOCK);
	block_kit_block(&fixture->in, 1, 1, BLOCK);
	block_kit_written(&fixture->in, 2 * (uint64_t)BLOCK);
	fixture->stream->max_bytes = 2 * (uint64_t)BLOCK;
	assert_block(fixture, 1, 1, BLOCK);
	assert_end(fixture);
}

/* All free at the end, or everywhere. */
static void nothing_at_the_end(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->in, 0, 0);
	block_kit_block(&fixture->in, 1, 1, BLOCK);
	block_kit_written(&fixture->in, 9 * (uint64_t)BLOCK + 512);
	assert_block(fixture, 1, 1, BLOCK);
	assert_end(fixture);
	again(fixture);
	block_kit_progress(&fixture->in, 0, 0);
	block_kit_written(&fixture->in, 512);
	assert_end(fixture);
}

static void cut_anywhere(void **state)
{
	struct fixture *fixture = *state;
	struct buf whole = BUF_INIT(BLOCK_KIT_MAX);

	put_whole(&whole);
	for (size_t len = 0; len < whole.len; len += len < 200 || len + 700 > whole.len ? 1 : 9973) {
		again(fixture);
		buf_append(&fixture->in, whole.data, len);
		assert_fails(fixture, ERROR_IO, "ended in the middle");
		assert_true(fixture->stream->broke_off);
	}
	buf_free(&whole);
}

static void reading_fails(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->in, 0, 0);
	fixture->broken = true;
	assert_fails(fixture, ERROR_CANCELLED, "stopped");
	assert_false(fixture->stream->broke_off);
	/* also where only the end is waited for */
	again(fixture);
	block_kit_progress(&fixture->in, 0, 0);
	block_kit_written(&fixture->in, 512);
	assert_fails(fixture, ERROR_CANCELLED, "stopped");
}

static void the_first_record(void **state)
{
	struct fixture *fixture = *state;

	block_kit_block(&fixture->in, 0, 1, BLOCK);
	assert_fails(fixture, ERROR_PROTOCOL, "began with a block");
	again(fixture);
	block_kit_written(&fixture->in, 512);
	assert_fails(fixture, ERROR_PROTOCOL, "out of turn");
	again(fixture);
	block_kit_message(&fixture->in, "{\"event\":\"news\"}");
	block_kit_progress(&fixture->in, 0, 0);
	assert_fails(fixture, ERROR_PROTOCOL, "out of turn");
	again(fixture);
	block_kit_message(&fixture->in, "{\"error\":{\"type\":\"image\",\"message\":\"it is no image\"}}");
	assert_fails(fixture, ERROR_IMAGE, "onhost: it is no image");
}

static void messages_that_are_none(void **state)
{
	static const char *const bad[] = { "{}", "x", "{\"event\":\"progress\"}", "{\"op\":\"hello\",\"version\":1}",
					   "{\"ok\":\"ready\",\"device\":\"/dev/x\",\"recognised_by\":\"y\"}" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		again(fixture);
		block_kit_progress(&fixture->in, 0, 0);
		block_kit_message(&fixture->in, bad[i]);
		block_kit_written(&fixture->in, 512);
		assert_fails(fixture, ERROR_PROTOCOL, "onhost broke the protocol");
	}
	again(fixture);
	block_kit_progress(&fixture->in, 0, 0);
	block_kit_header(&fixture->in, 70000, 0);
	for (int i = 0; i < 70000; i++)
		buf_char(&fixture->in, ' ');
	assert_fails(fixture, ERROR_PROTOCOL, "onhost broke the protocol");
}

static void blocks_that_cannot_be(void **state)
{
	static const uint32_t bad[][4] = {
		/* one block, then another: index, length */
		{ 3, BLOCK, 3, BLOCK }, { 3, BLOCK, 2, BLOCK }, { 3, 100, 4, BLOCK },
		{ 3, BLOCK, 4, BLOCK + 1 }, { 3, BLOCK, 134217728, 1 }, { 3, BLOCK, UINT32_MAX, UINT32_MAX },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		again(fixture);
		block_kit_progress(&fixture->in, 0, 0);
		block_kit_block(&fixture->in, bad[i][0], 1, bad[i][1]);
		block_kit_header(&fixture->in, bad[i][2], bad[i][3]);
		assert_fails(fixture, ERROR_PROTOCOL, "onhost broke the protocol");
	}
}

static void larger_than_the_volume(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->in, 0, GIB + 1);
	fixture->stream->max_bytes = GIB;
	assert_int_equal(block_stream_start(fixture->stream, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_IMAGE);
	assert_non_null(strstr(fixture->err.message, " 1073741825 bytes"));
	assert_non_null(strstr(fixture->err.message, " 1 GiB of the volume (1073741824 bytes)"));
	assert_non_null(strstr(fixture->err.message, "cloud property disk, or --size"));
	/* known only later, from a progress message, a block, or at the end */
	again(fixture);
	fixture->stream->max_bytes = GIB;
	block_kit_progress(&fixture->in, 0, 0);
	block_kit_progress(&fixture->in, 0, GIB + 1);
	assert_fails(fixture, ERROR_IMAGE, " 1073741825 bytes");
	again(fixture);
	fixture->stream->max_bytes = GIB;
	block_kit_progress(&fixture->in, 0, 0);
	block_kit_block(&fixture->in, 2048, 1, 1);
	assert_fails(fixture, ERROR_IMAGE, "at least 1073741825 bytes");
	again(fixture);
	fixture->stream->max_bytes = GIB;
	block_kit_progress(&fixture->in, 0, 0);
	block_kit_written(&fixture->in, GIB + 1);
	assert_fails(fixture, ERROR_IMAGE, " 1073741825 bytes");
	again(fixture);
	fixture->stream->max_bytes = GIB;
	block_kit_progress(&fixture->in, 0, GIB);
	block_kit_block(&fixture->in, 2047, 1, BLOCK);
	block_kit_written(&fixture->in, GIB);
	assert_block(fixture, 2047, 1, BLOCK);
	assert_end(fixture);
}

static void the_last_word(void **state)
{
	static const struct {
		uint32_t index, len;
		uint64_t size;
	} bad[] = {
		{ 3, BLOCK, 3 * (uint64_t)BLOCK }, { 3, BLOCK, 4 * (uint64_t)BLOCK - 1 }, { 3, 100, 3 * (uint64_t)BLOCK + 101 },
		{ 3, 100, 3 * (uint64_t)BLOCK + 99 }, { 3, 100, 4 * (uint64_t)BLOCK }, { 0, 1, 0 },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		again(fixture);
		block_kit_progress(&fixture->in, 0, 0);
		block_kit_block(&fixture->in, bad[i].index, 1, bad[i].len);
		block_kit_written(&fixture->in, bad[i].size);
		assert_fails(fixture, ERROR_PROTOCOL, "its last block ended at");
	}
	again(fixture);
	block_kit_progress(&fixture->in, 0, 0);
	block_kit_written(&fixture->in, 0);
	assert_fails(fixture, ERROR_PROTOCOL, "an image of 0 bytes");
	again(fixture);
	put_whole(&fixture->in);
	buf_char(&fixture->in, '\0');
	assert_fails(fixture, ERROR_PROTOCOL, "follows its last message");
}

static void errors_of_the_child(void **state)
{
	static const struct {
		const char *type;
		enum error_kind kind;
	} errors[] = {
		{ "image", ERROR_IMAGE }, { "io", ERROR_IO }, { "sandbox", ERROR_SANDBOX }, { "nomem", ERROR_NOMEM },
		{ "internal", ERROR_INTERNAL },
		/* what a reader of images has no business with */
		{ "vm_not_found", ERROR_INTERNAL }, { "aws", ERROR_INTERNAL }, { "not_implemented", ERROR_INTERNAL },
		{ "none", ERROR_INTERNAL }, { "whatever", ERROR_INTERNAL },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char json[200];
		again(fixture);
		block_kit_progress(&fixture->in, 0, 0);
		block_kit_block(&fixture->in, 0, 1, BLOCK);
		snprintf(json, sizeof(json), "{\"error\":{\"type\":\"%s\",\"message\":\"the tar is bad\"}}", errors[i].type);
		block_kit_message(&fixture->in, json);
		assert_fails(fixture, errors[i].kind, "onhost: the tar is bad");
		assert_false(fixture->stream->broke_off);
	}
}

#define STREAM_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(blocks_and_messages),
		STREAM_TEST(full_to_the_end),
		STREAM_TEST(nothing_at_the_end),
		STREAM_TEST(cut_anywhere),
		STREAM_TEST(reading_fails),
		STREAM_TEST(the_first_record),
		STREAM_TEST(messages_that_are_none),
		STREAM_TEST(blocks_that_cannot_be),
		STREAM_TEST(larger_than_the_volume),
		STREAM_TEST(the_last_word),
		STREAM_TEST(errors_of_the_child),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
