/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of blocks: what goes out of slots made by hand, with noise wherever nothing is wanted; the first and the last
 * record; and readers that have gone or sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/onhost_blocks.h"
#include "onhost/blockflow.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/image_kit.h"

#define BLOCK ((size_t)ONHOST_BLOCK_SIZE)
#define MIB ((size_t)1024 * 1024)
#define NOISE 0xA5
#define STREAM_MAX (8 * MIB)

struct fixture {
	struct blockflow flow;
	struct cancel cancel;
	struct slots slots;
	_Atomic uint64_t size;
	int fd; /* where the stream goes */
	struct error err;
};

static void open_fixture(struct fixture *f, int fd)
{
	memset(f, 0, sizeof(*f));
	f->fd = fd;
	assert_int_equal(cancel_open(&f->cancel, NULL), 0);
	assert_int_equal(slots_init(&f->slots, 1, NULL), 0);
	assert_int_equal(blockflow_open(&f->flow, fd, &f->cancel, NULL), 0);
	blockflow_attach(&f->flow, &f->slots, &f->size);
}

static void close_fixture(struct fixture *f)
{
	blockflow_close(&f->flow);
	slots_destroy(&f->slots);
	cancel_close(&f->cancel);
	close(f->fd);
}

static void open_file_fixture(struct fixture *f)
{
	int fd;

	kit_file(&fd);
	open_fixture(f, fd);
}

/* All noise; nothing of it is wanted yet. */
static struct slot *noisy_slot(struct fixture *f, uint64_t offset, size_t len)
{
	struct slot *slot = slots_get(&f->slots);

	assert_non_null(slot);
	memset(slot->data, NOISE, SLOT_SIZE);
	slot->offset = offset;
	slot->len = len;
	return slot;
}

/* What the stream has: a letter a record (P progress, W written, E error, B block), and its blocks. */
struct stream {
	uint8_t data[STREAM_MAX];
	size_t len;
	char letters[64];
	struct onhost_msg first, last;
	struct onhost_block_header blocks[16];
	const uint8_t *bytes[16];
	size_t n_blocks;
	size_t rest; /* of a record that was cut */
	struct arena *arena;
};

static char take_message(struct stream *stream, const uint8_t *text, size_t len)
{
	assert_null(memchr(text, '\n', len));
	assert_int_equal(onhost_msg_decode(stream->arena, (const char *)text, len, &stream->last, NULL), 0);
	if (stream->letters[0] == '\0')
		stream->first = stream->last;
	return stream->last.type == ONHOST_MSG_PROGRESS ? 'P' : stream->last.type == ONHOST_MSG_WRITTEN ? 'W' : 'E';
}

static void parse(struct stream *stream)
{
	struct onhost_block_order order = { .any = false };
	struct onhost_block_header header;
	size_t at = 0;

	for (size_t i = 0; stream->len - at >= ONHOST_BLOCK_HEADER; i++) {
		assert_int_equal(onhost_block_decode(stream->data + at, &order, &header, NULL), 0);
		const uint8_t *bytes = stream->data + at + ONHOST_BLOCK_HEADER;
		if (stream->len - at - ONHOST_BLOCK_HEADER < header.len)
			break;
		if (header.is_message) {
			stream->letters[i] = take_message(stream, bytes, header.len);
		} else {
			stream->letters[i] = 'B';
			stream->bytes[stream->n_blocks] = bytes;
			stream->blocks[stream->n_blocks++] = header;
		}
		at += ONHOST_BLOCK_HEADER + header.len;
	}
	stream->rest = stream->len - at;
}

static struct stream *new_stream(void)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	assert_non_null(stream);
	stream->arena = arena_new(MIB);
	assert_non_null(stream->arena);
	return stream;
}

static void free_stream(struct stream *stream)
{
	arena_free(stream->arena);
	free(stream);
}

static struct stream *read_file(struct fixture *f)
{
	struct stream *stream = new_stream();
	ssize_t got = pread(f->fd, stream->data, STREAM_MAX, 0);

	assert_true(got >= 0 && (size_t)got < STREAM_MAX);
	stream->len = (size_t)got;
	parse(stream);
	return stream;
}

static void expect_block(const struct stream *stream, size_t i, uint32_t index, size_t len)
{
	assert_true(i < stream->n_blocks);
	assert_int_equal(stream->blocks[i].index, index);
	assert_int_equal(stream->blocks[i].len, len);
}

static void expect_bytes(const uint8_t *bytes, size_t start, size_t end, int value)
{
	for (size_t i = start; i < end; i++) {
		if (bytes[i] != value)
			fail_msg("byte %zu is %#x, not %#x", i, (unsigned)bytes[i], (unsigned)value);
	}
}

static void written(struct fixture *f)
{
	static const struct onhost_written all = { .read = 5, .written = 6, .image_size = 7, .format = "tar",
		.input_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" };

	blockflow_detach(&f->flow);
	assert_int_equal(blockflow_written(&f->flow, &all, &f->err), 0);
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

static void test_only_what_is_wanted(void **state)
{
	struct fixture f;

	(void)state;
	open_file_fixture(&f);
	f.size = 10 * MIB;
	/* both halves, one bit each; then the second alone, and the first alone */
	struct slot *slot = noisy_slot(&f, MIB, SLOT_SIZE);
	slot_want(slot, 8192, 4096);
	slot_want(slot, SLOT_SIZE - 4096, 4096);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
	slot = noisy_slot(&f, 3 * MIB, SLOT_SIZE);
	slot_want(slot, BLOCK, 4096);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
	slot = noisy_slot(&f, 8 * MIB, SLOT_SIZE);
	slot_want(slot, BLOCK - 4096, 4096);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
	assert_int_equal(f.flow.sent, 4 * BLOCK);
	assert_int_equal(f.flow.padding, 4 * (BLOCK - 4096));
	written(&f);

	struct stream *stream = read_file(&f);
	assert_string_equal(stream->letters, "PBBBBW");
	assert_int_equal(stream->first.progress.total, 10 * MIB);
	assert_int_equal(stream->last.written.image_size, 7);
	assert_int_equal(stream->rest, 0);
	static const struct {
		uint32_t index;
		size_t at;
	} want[] = { { 2, 8192 }, { 3, BLOCK - 4096 }, { 7, 0 }, { 16, BLOCK - 4096 } };
	for (size_t i = 0; i < 4; i++) {
		expect_block(stream, i, want[i].index, BLOCK);
		expect_bytes(stream->bytes[i], 0, want[i].at, 0);
		expect_bytes(stream->bytes[i], want[i].at, want[i].at + 4096, NOISE);
		expect_bytes(stream->bytes[i], want[i].at + 4096, BLOCK, 0);
	}
	free_stream(stream);
	close_fixture(&f);
}

/* Before a hole: the block is filled up. At the image's end: it is short. */
static void test_short_slot(void **state)
{
	static const struct {
		size_t size, len, last;
	} cases[] = {
		{ 2 * MIB, 4096, BLOCK },                                 /* a hole, and more of the image behind it */
		{ BLOCK + 4096, 4096, BLOCK },                            /* the hole is the last block */
		{ BLOCK, 4096, BLOCK },
		{ BLOCK - 512, 4096, BLOCK - 512 },                       /* the hole lies in the last block */
		{ 512, 512, 512 },
		{ 4608, 4608, 4608 },
		{ BLOCK + 512, BLOCK + 512, 512 },
		{ MIB, MIB, BLOCK },
		{ MIB - 512, MIB - 512, BLOCK - 512 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		open_file_fixture(&f);
		f.size = 64 * MIB + cases[i].size;
		struct slot *slot = noisy_slot(&f, 64 * MIB, cases[i].len);
		slot_want(slot, 0, cases[i].len);
		assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
		struct stream *stream = read_file(&f);
		size_t last = stream->n_blocks - 1;
		assert_int_equal(stream->n_blocks, cases[i].len > BLOCK ? 2 : 1);
		expect_block(stream, last, (uint32_t)(128 + last), cases[i].last);
		expect_bytes(stream->bytes[last], 0, cases[i].len - last * BLOCK, NOISE);
		expect_bytes(stream->bytes[last], cases[i].len - last * BLOCK, cases[i].last, 0);
		assert_int_equal(f.flow.sent - f.flow.padding, cases[i].len);
		free_stream(stream);
		close_fixture(&f);
	}
}

/* As long as nobody knows how large the image is, its slots are full. */
static void test_size_not_known(void **state)
{
	struct fixture f;

	(void)state;
	open_file_fixture(&f);
	struct slot *slot = noisy_slot(&f, 0, SLOT_SIZE);
	slot_want(slot, 0, SLOT_SIZE);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
	f.size = MIB + 1536;
	slot = noisy_slot(&f, MIB, 1536);
	slot_want(slot, 0, 1536);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
	written(&f);
	struct stream *stream = read_file(&f);
	assert_string_equal(stream->letters, "PBBBW");
	assert_int_equal(stream->first.progress.total, 0);
	expect_block(stream, 2, 2, 1536);
	free_stream(stream);
	close_fixture(&f);
}

/* --- the first record and the last -------------------------------------------------------------------------------- */

static void test_no_blocks(void **state)
{
	struct fixture f;

	(void)state;
	open_file_fixture(&f);
	f.size = 3 * MIB;
	written(&f);
	struct stream *stream = read_file(&f);
	assert_string_equal(stream->letters, "PW");
	assert_int_equal(stream->first.progress.total, 3 * MIB);
	assert_string_equal(stream->last.written.format, "tar");
	free_stream(stream);
	close_fixture(&f);
}

static void test_failed(void **state)
{
	static const struct error why = { .kind = ERROR_IMAGE, .message = "the \"image\" is bad\n" };

	(void)state;
	for (int blocks = 0; blocks < 2; blocks++) {
		struct fixture f;
		open_file_fixture(&f);
		f.size = MIB;
		if (blocks > 0) {
			struct slot *slot = noisy_slot(&f, 0, SLOT_SIZE);
			slot_want(slot, 0, SLOT_SIZE);
			assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
		}
		blockflow_detach(&f.flow);
		blockflow_failed(&f.flow, &why);
		struct stream *stream = read_file(&f);
		assert_string_equal(stream->letters, blocks > 0 ? "PBBE" : "PE");
		assert_int_equal(stream->first.progress.total, MIB);
		assert_string_equal(stream->last.error.type, "image");
		assert_string_equal(stream->last.error.message, why.message);
		free_stream(stream);
		close_fixture(&f);
	}
}

/* Also before there was any pipeline. */
static void test_failed_at_once(void **state)
{
	static const struct error why = { .kind = ERROR_SANDBOX, .message = "no" };
	struct blockflow flow;
	struct fixture f = { .fd = -1 };

	(void)state;
	kit_file(&f.fd);
	assert_int_equal(blockflow_open(&flow, f.fd, NULL, NULL), 0);
	blockflow_failed(&flow, &why);
	blockflow_close(&flow);
	struct stream *stream = read_file(&f);
	assert_string_equal(stream->letters, "PE");
	assert_int_equal(stream->first.progress.total, 0);
	assert_string_equal(stream->last.error.type, "sandbox");
	free_stream(stream);
	close(f.fd);
}

/* Between two blocks the work can end, and what comes then is at a record's boundary. */
static void test_stopped_between(void **state)
{
	static const struct error why = { .kind = ERROR_IMAGE, .message = "cut" };
	struct fixture f;

	(void)state;
	open_file_fixture(&f);
	struct slot *slot = noisy_slot(&f, 0, SLOT_SIZE);
	slot_want(slot, 0, SLOT_SIZE);
	ring_stop(&f.slots.free);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_CANCELLED);
	blockflow_detach(&f.flow);
	blockflow_failed(&f.flow, &why);
	struct stream *stream = read_file(&f);
	assert_string_equal(stream->letters, "PE");
	free_stream(stream);
	close_fixture(&f);
}

static void test_no_memory(void **state)
{
	struct fixture f;

	(void)state;
	open_file_fixture(&f);
	struct slot *slot = noisy_slot(&f, 0, SLOT_SIZE);
	slot_want(slot, 0, SLOT_SIZE);
	fail_alloc_after(0);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), -1);
	assert_true(fail_alloc_off());
	assert_int_equal(f.err.kind, ERROR_NOMEM);
	blockflow_detach(&f.flow);
	blockflow_failed(&f.flow, &f.err);
	struct stream *stream = read_file(&f);
	assert_string_equal(stream->letters, "PE");
	assert_string_equal(stream->last.error.type, "nomem");
	free_stream(stream);
	close_fixture(&f);
}

/* --- readers ------------------------------------------------------------------------------------------------------ */

/* All that can still be read, without waiting. */
static struct stream *drain(int fd)
{
	struct stream *stream = new_stream();
	ssize_t got;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((got = read(fd, stream->data + stream->len, STREAM_MAX - stream->len)) > 0)
		stream->len += (size_t)got;
	parse(stream);
	return stream;
}

static void test_reader_gone(void **state)
{
	struct fixture f;
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	open_fixture(&f, ends[1]);
	close(ends[0]);
	struct slot *slot = noisy_slot(&f, 0, SLOT_SIZE);
	slot_want(slot, 0, SLOT_SIZE);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_IO);
	assert_non_null(strstr(f.err.message, "cannot write the image's blocks to the output at offset 0: Broken pipe"));
	blockflow_detach(&f.flow);
	blockflow_failed(&f.flow, &f.err);
	close_fixture(&f);
}

/* A pipe is full long before a block has gone: in the middle of a record nothing more can be said. */
static void test_signal_while_the_reader_sleeps(void **state)
{
	struct fixture f;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	open_fixture(&f, ends[1]);
	cancel_raise(&f.cancel, SIGTERM);
	struct slot *slot = noisy_slot(&f, 0, SLOT_SIZE);
	slot_want(slot, 0, SLOT_SIZE);
	assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_CANCELLED);
	assert_string_equal(f.err.message, "writing the image's blocks was stopped");
	assert_int_equal(f.flow.sent, 0);
	blockflow_detach(&f.flow);
	/* now there would be room */
	struct stream *stream = drain(ends[0]);
	assert_string_equal(stream->letters, "P");
	assert_true(stream->rest > ONHOST_BLOCK_HEADER);
	free_stream(stream);
	blockflow_failed(&f.flow, &f.err);
	stream = drain(ends[0]);
	assert_int_equal(stream->len, 0);
	free_stream(stream);
	close(ends[0]);
	close_fixture(&f);
}

/* Between records it is said if there is room, and otherwise not. */
static void test_signal_between_records(void **state)
{
	static const struct error why = { .kind = ERROR_CANCELLED, .message = "stopped by signal 15" };
	char filler[4096] = { 0 };

	(void)state;
	for (int full = 0; full < 2; full++) {
		struct fixture f;
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		open_fixture(&f, ends[1]);
		cancel_raise(&f.cancel, SIGTERM);
		while (full && write(ends[1], filler, sizeof(filler)) > 0)
			;
		blockflow_detach(&f.flow);
		blockflow_failed(&f.flow, &why);
		if (!full) {
			struct stream *stream = drain(ends[0]);
			assert_string_equal(stream->letters, "PE");
			assert_string_equal(stream->last.error.type, "cancelled");
			free_stream(stream);
		}
		close(ends[0]);
		close_fixture(&f);
	}
}

struct slow_reader {
	int fd;
	struct stream *stream;
};

static void *read_slowly(void *self)
{
	struct slow_reader *reader = self;
	struct stream *stream = reader->stream;
	ssize_t got;

	while ((got = read(reader->fd, stream->data + stream->len, 10007)) > 0)
		stream->len += (size_t)got;
	return NULL;
}

/* A failure waits for a reader who only takes his time; and the open file is as it was. */
static void test_slow_reader(void **state)
{
	static const struct error why = { .kind = ERROR_IMAGE, .message = "bad" };
	struct slow_reader reader = { .stream = new_stream() };
	struct fixture f;
	pthread_t thread;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	reader.fd = ends[0];
	open_fixture(&f, ends[1]);
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct slot *slot = noisy_slot(&f, i * MIB, SLOT_SIZE);
		slot_want(slot, 0, SLOT_SIZE);
		assert_int_equal(blockflow_slot(&f.flow, slot, &f.err), 0);
	}
	blockflow_detach(&f.flow);
	blockflow_failed(&f.flow, &why);
	assert_true((fcntl(ends[1], F_GETFL) & O_NONBLOCK) != 0);
	blockflow_close(&f.flow);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	close_fixture(&f);
	pthread_join(thread, NULL);
	parse(reader.stream);
	assert_string_equal(reader.stream->letters, "PBBBBBBE");
	free_stream(reader.stream);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_wanted),
		cmocka_unit_test(test_short_slot),
		cmocka_unit_test(test_size_not_known),
		cmocka_unit_test(test_no_blocks),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_failed_at_once),
		cmocka_unit_test(test_stopped_between),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_signal_while_the_reader_sleeps),
		cmocka_unit_test(test_signal_between_records),
		cmocka_unit_test(test_slow_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
