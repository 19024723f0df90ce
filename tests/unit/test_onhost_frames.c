/* SPDX-License-Identifier: Apache-2.0 */
/* The session's framing: lines and chunks in pieces of every size, the limits, and bytes that come unasked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/onhost_frames.h"
#include "tests/unit/fail_alloc.h"

static struct onhost_frames frames;

static int setup(void **state)
{
	(void)state;
	onhost_frames_init(&frames);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	onhost_frames_free(&frames);
	return 0;
}

static void feed(const char *text)
{
	onhost_frames_feed(&frames, text, strlen(text));
}

static void assert_line(const char *want)
{
	const char *line = NULL;
	size_t len = 0;
	assert_int_equal(onhost_frames_line(&frames, &line, &len, NULL), 1);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
}

static void assert_no_line(void)
{
	const char *line = "untouched";
	size_t len = 77;
	assert_int_equal(onhost_frames_line(&frames, &line, &len, NULL), 0);
	assert_string_equal(line, "untouched");
	assert_int_equal(len, 77);
}

static void test_lines(void **state)
{
	(void)state;
	assert_no_line();
	feed("");
	assert_no_line();
	feed("one\ntwo\n\nthr");
	assert_line("one");
	assert_line("two");
	assert_line("");
	assert_no_line();
	feed("ee");
	assert_no_line();
	feed("\n");
	assert_line("three");
	assert_no_line();
	onhost_frames_feed(&frames, "a\0b\n", 4);
	const char *line;
	size_t len;
	assert_int_equal(onhost_frames_line(&frames, &line, &len, NULL), 1);
	assert_int_equal(len, 3);
	assert_memory_equal(line, "a\0b", 3);
}

static void test_line_byte_by_byte(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ONHOST_LINE_MAX - 1; i++) {
			feed("x");
			assert_no_line();
		}
		feed("\n");
		const char *line;
		size_t len;
		assert_int_equal(onhost_frames_line(&frames, &line, &len, NULL), 1);
		assert_int_equal(len, ONHOST_LINE_MAX - 1);
	}
}

static void assert_too_long(void)
{
	const char *line = NULL;
	size_t len;
	struct error err;
	/* and stays so */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(onhost_frames_line(&frames, &line, &len, &err), -1);
		assert_int_equal(err.kind, ERROR_PROTOCOL);
		assert_non_null(strstr(err.message, "65536"));
		assert_null(line);
	}
}

/* The same whether its end came along or not, and in which pieces. */
static void test_line_too_long(void **state)
{
	(void)state;
	char *text = malloc(ONHOST_LINE_MAX + 1);
	assert_non_null(text);
	memset(text, 'x', ONHOST_LINE_MAX);
	text[ONHOST_LINE_MAX] = '\n';

	onhost_frames_feed(&frames, text, ONHOST_LINE_MAX);
	assert_too_long();
	onhost_frames_free(&frames);
	onhost_frames_init(&frames);
	onhost_frames_feed(&frames, text, ONHOST_LINE_MAX + 1);
	assert_too_long();
	onhost_frames_free(&frames);
	onhost_frames_init(&frames);
	feed("short\n");
	onhost_frames_feed(&frames, text, ONHOST_LINE_MAX - 1);
	assert_line("short");
	assert_no_line();
	feed("x\n");
	assert_too_long();
	free(text);
}

static void test_chunks(void **state)
{
	(void)state;
	uint8_t header[4];
	uint32_t len = 77;
	char data[100];

	feed("line\n");
	onhost_chunk_header(5, header);
	onhost_frames_feed(&frames, header, 2);
	assert_line("line");
	assert_int_equal(onhost_frames_chunk_header(&frames, &len, NULL), 0);
	assert_int_equal(len, 77);
	onhost_frames_feed(&frames, header + 2, 2);
	assert_int_equal(onhost_frames_chunk_header(&frames, &len, NULL), 1);
	assert_int_equal(len, 5);
	assert_int_equal(onhost_frames_take(&frames, data, 5), 0);
	feed("abc");
	assert_int_equal(onhost_frames_take(&frames, data, 5), 3);
	assert_memory_equal(data, "abc", 3);
	/* the rest of the chunk, the end of the image, and the next message at once */
	onhost_frames_feed(&frames, "de\0\0\0\0next\n", 11);
	assert_int_equal(onhost_frames_take(&frames, data, 2), 2);
	assert_memory_equal(data, "de", 2);
	assert_int_equal(onhost_frames_chunk_header(&frames, &len, NULL), 1);
	assert_int_equal(len, 0);
	assert_line("next");
	assert_int_equal(onhost_frames_chunk_header(&frames, &len, NULL), 0);
}

static void test_line_breaks_in_chunks_are_data(void **state)
{
	(void)state;
	char data[8];
	uint32_t len;

	feed("line");
	assert_no_line();
	feed("\n");
	assert_line("line");
	onhost_frames_feed(&frames, "\0\0\0\2\n\nx", 7);
	assert_int_equal(onhost_frames_chunk_header(&frames, &len, NULL), 1);
	assert_int_equal(onhost_frames_take(&frames, data, len), 2);
	assert_memory_equal(data, "\n\n", 2);
	assert_no_line();
	feed("y\n");
	assert_line("xy");
}

static void test_chunk_header(void **state)
{
	(void)state;
	static const uint32_t good[] = { 0, 1, 255, 256, 65536, ONHOST_CHUNK_MAX };
	static const uint32_t bad[] = { ONHOST_CHUNK_MAX + 1, 0x80000000u, 0xFFFFFFFFu, 0x7B226F70u };
	uint8_t header[4];
	uint32_t len;

	onhost_chunk_header(0x01020304, header);
	assert_memory_equal(header, "\1\2\3\4", 4);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		onhost_chunk_header(good[i], header);
		onhost_frames_feed(&frames, header, 4);
		assert_int_equal(onhost_frames_chunk_header(&frames, &len, NULL), 1);
		assert_int_equal(len, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err;
		onhost_frames_free(&frames);
		onhost_frames_init(&frames);
		onhost_chunk_header(bad[i], header);
		onhost_frames_feed(&frames, header, 4);
		assert_int_equal(onhost_frames_chunk_header(&frames, &len, &err), -1);
		assert_int_equal(err.kind, ERROR_PROTOCOL);
		assert_int_equal(onhost_frames_chunk_header(&frames, &len, &err), -1);
	}
}

/* A largest chunk behind most of a line fits; a peer that sends on and on is cut off, and memory stays bounded. */
static void test_bounded(void **state)
{
	(void)state;
	CLEANUP_BUF struct buf large = BUF_INIT(ONHOST_FRAMES_MAX);
	char *to = buf_reserve(&large, ONHOST_FRAMES_MAX);
	const char *line;
	size_t line_len;
	uint32_t len;
	struct error err;

	assert_non_null(to);
	memset(to, '\n', ONHOST_FRAMES_MAX);
	onhost_frames_feed(&frames, to, ONHOST_FRAMES_MAX);
	/* what is taken makes room */
	for (int i = 0; i < 100; i++) {
		assert_line("");
		feed("\n");
	}
	assert_true(frames.in.len <= ONHOST_FRAMES_MAX);
	feed("x");
	assert_int_equal(onhost_frames_line(&frames, &line, &line_len, &err), -1);
	assert_int_equal(err.kind, ERROR_PROTOCOL);
	assert_int_equal(onhost_frames_chunk_header(&frames, &len, &err), -1);
	/* for good: bytes are missing */
	feed("\n");
	assert_int_equal(onhost_frames_line(&frames, &line, &line_len, &err), -1);
}

static void test_memory(void **state)
{
	(void)state;
	const char *line;
	size_t len;
	struct error err;

	fail_alloc_after(0);
	feed("x\n");
	fail_alloc_off();
	assert_int_equal(onhost_frames_line(&frames, &line, &len, &err), -1);
	onhost_frames_free(&frames);
	onhost_frames_free(&frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_breaks_in_chunks_are_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chunk_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
