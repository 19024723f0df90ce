/* SPDX-License-Identifier: Apache-2.0 */
/* The child that reads an image: its command, its environment, its end, and waiting for it. */
#include "cpi/upload/image_blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/io.h"
#include "tests/unit/block_kit.h"
#include "tests/unit/fail_alloc.h"

#define BLOCK BLOCK_KIT_BLOCK

struct fixture {
	struct tree tree;
	char onhost[96];
	struct clock clock;
	struct log log;
	struct cancel cancel;
	struct runtime runtime;
	struct arena *arena;
	struct buf stream;
	struct image_blocks_options options;
	struct image_blocks *blocks;
	uint8_t *data;
	struct image_block block;
	bool more;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	tree_make(&fixture->tree);
	tree_path(&fixture->tree, "onhost", fixture->onhost, sizeof(fixture->onhost));
	clock_system(&fixture->clock);
	log_init(&fixture->log, memfd_create("log", MFD_CLOEXEC), LOG_LEVEL_DEBUG, &fixture->clock);
	assert_int_equal(cancel_open(&fixture->cancel, NULL), 0);
	fixture->runtime = (struct runtime){ &fixture->log, &fixture->clock, &fixture->cancel, NULL };
	fixture->arena = arena_new(1000000);
	fixture->stream = (struct buf)BUF_INIT(BLOCK_KIT_MAX);
	fixture->options = (struct image_blocks_options){ .onhost_path = fixture->onhost, .image_path = "/images/one.tgz" };
	fixture->data = malloc(ONHOST_BLOCK_SIZE);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	image_blocks_close(fixture->blocks);
	free(fixture->data);
	buf_free(&fixture->stream);
	arena_free(fixture->arena);
	cancel_close(&fixture->cancel);
	close(fixture->log.fd);
	tree_remove(&fixture->tree);
	free(fixture);
	return 0;
}

static void start(struct fixture *fixture, const char *before, const char *after)
{
	block_kit_program(&fixture->tree, &fixture->stream, before, after);
	if (image_blocks_open(&fixture->runtime, &fixture->options, &fixture->blocks, &fixture->err) != 0)
		fail_msg("%s", fixture->err.message);
}

static void again(struct fixture *fixture)
{
	image_blocks_close(fixture->blocks);
	fixture->blocks = NULL;
	buf_reset(&fixture->stream);
}

static int next(struct fixture *fixture)
{
	return image_blocks_next(fixture->blocks, fixture->data, &fixture->block, &fixture->more, &fixture->err);
}

static void assert_says(const struct fixture *fixture, enum error_kind kind, const char *words)
{
	if (strstr(fixture->err.message, words) == NULL)
		fail_msg("not \"%s\": %s", words, fixture->err.message);
	assert_int_equal(fixture->err.kind, kind);
	/* the image's name comes first */
	assert_ptr_equal(strstr(fixture->err.message, fixture->options.image_path), fixture->err.message);
}

static const char *read_file(struct fixture *fixture, const char *name)
{
	char path[128];
	char *text;

	tree_path(&fixture->tree, name, path, sizeof(path));
	assert_int_equal(io_read_file(path, 100000, fixture->arena, &text, NULL, NULL), 0);
	return text;
}

static const char *log_text(struct fixture *fixture)
{
	char *text = arena_alloc(fixture->arena, 100000);
	assert_true(pread(fixture->log.fd, text, 99999, 0) >= 0);
	return text;
}

static void put_small(struct fixture *fixture)
{
	block_kit_progress(&fixture->stream, 0, BLOCK + 7);
	block_kit_block(&fixture->stream, 0, 1, BLOCK);
	block_kit_block(&fixture->stream, 1, 2, 7);
	block_kit_progress(&fixture->stream, 99, BLOCK + 7);
	block_kit_written(&fixture->stream, BLOCK + 7);
}

static void a_whole_image(void **state)
{
	struct fixture *fixture = *state;
	struct onhost_written written;
	struct onhost_progress progress;
	uint64_t size = 1;

	put_small(fixture);
	start(fixture, "", "");
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), 0);
	assert_int_equal(size, BLOCK + 7);
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), 0);
	assert_int_equal(next(fixture), 0);
	assert_true(fixture->more && fixture->block.index == 0 && fixture->block.len == BLOCK);
	assert_true(fixture->data[0] == 1 && fixture->data[BLOCK - 1] == 1);
	assert_int_equal(image_blocks_result(fixture->blocks, fixture->arena, &written, &fixture->err), -1);
	assert_int_equal(next(fixture), 0);
	assert_true(fixture->more && fixture->block.index == 1 && fixture->block.len == 7);
	assert_true(fixture->data[6] == 2 && fixture->data[7] == 0 && fixture->data[BLOCK - 1] == 0);
	assert_int_equal(next(fixture), 0);
	assert_false(fixture->more);
	image_blocks_progress(fixture->blocks, &progress);
	assert_int_equal(progress.read, 99);
	assert_int_equal(image_blocks_result(fixture->blocks, fixture->arena, &written, &fixture->err), 0);
	again(fixture);
	assert_int_equal(written.image_size, BLOCK + 7);
	assert_string_equal(written.format, "gzip tar");
	assert_string_equal(written.input_sha256, BLOCK_KIT_SUM);
	assert_string_equal(written.image_sha256, "");
}

static void its_command(void **state)
{
	struct fixture *fixture = *state;

	put_small(fixture);
	start(fixture, "", "");
	while (next(fixture) == 0 && fixture->more)
		;
	assert_string_equal(read_file(fixture, "arguments"), "unpack\n--blocks\n--image\n/images/one.tgz\n");
	again(fixture);
	put_small(fixture);
	fixture->options.encrypted = true;
	fixture->options.image_path = "-";
	start(fixture, "", "");
	while (next(fixture) == 0 && fixture->more)
		;
	assert_string_equal(read_file(fixture, "arguments"), "unpack\n--blocks\n--encrypted\n--image\n./-\n");
	again(fixture);
	put_small(fixture);
	fixture->options.encrypted = false;
	fixture->options.skip_zero_blocks = true;
	start(fixture, "", "");
	while (next(fixture) == 0 && fixture->more)
		;
	assert_string_equal(read_file(fixture, "arguments"), "unpack\n--blocks\n--skip-zero-blocks\n--image\n./-\n");
}

static void no_secrets_in_its_environment(void **state)
{
	static const char *const secrets[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
					       "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 5; i++)
		assert_int_equal(setenv(secrets[i], "hush-hush", 1), 0);
	assert_int_equal(setenv("TEST_IMAGE_BLOCKS", "plain", 1), 0);
	put_small(fixture);
	start(fixture, "", "");
	while (next(fixture) == 0 && fixture->more)
		;
	assert_non_null(strstr(read_file(fixture, "environment"), "TEST_IMAGE_BLOCKS=plain"));
	assert_null(strstr(read_file(fixture, "environment"), "hush-hush"));
	for (size_t i = 0; i < 5; i++)
		unsetenv(secrets[i]);
	unsetenv("TEST_IMAGE_BLOCKS");
}

static void nothing_to_start(void **state)
{
	struct fixture *fixture = *state;

	fixture->options.onhost_path = "/nowhere/onhost";
	assert_int_equal(image_blocks_open(&fixture->runtime, &fixture->options, &fixture->blocks, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_IO);
	assert_non_null(strstr(fixture->err.message, "/nowhere/onhost"));
	assert_null(fixture->blocks);
}

static void it_ends_without_a_word(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	block_kit_block(&fixture->stream, 0, 1, BLOCK);
	start(fixture, "", "echo the disk is on fire >&2; exit 7");
	assert_int_equal(next(fixture), 0);
	assert_int_equal(next(fixture), -1);
	assert_says(fixture, ERROR_IO, "exited with status 7 in the middle of its work; it said last: the disk is on fire");
	assert_non_null(strstr(log_text(fixture), "the disk is on fire"));

	again(fixture);
	start(fixture, "kill -KILL $$", "");
	uint64_t size;
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), -1);
	assert_says(fixture, ERROR_IO, "was killed by signal 9");
	assert_non_null(strstr(fixture->err.message, "said nothing"));

	/* a good status is no last word */
	again(fixture);
	block_kit_progress(&fixture->stream, 0, 0);
	start(fixture, "", "printf unfinished >&2; exit 0");
	assert_int_equal(next(fixture), -1);
	assert_says(fixture, ERROR_IO, "exited with status 0 in the middle of its work; it said last: unfinished");
}

static void its_own_error(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	block_kit_message(&fixture->stream, "{\"error\":{\"type\":\"image\",\"message\":\"a bad checksum\"}}");
	start(fixture, "", "exit 4");
	assert_int_equal(next(fixture), -1);
	assert_says(fixture, ERROR_IMAGE, "/images/one.tgz: onhost: a bad checksum");
}

static void too_large_for_the_volume(void **state)
{
	struct fixture *fixture = *state;
	uint64_t size;

	put_small(fixture);
	fixture->options.max_bytes = BLOCK;
	start(fixture, "", "");
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), -1);
	assert_says(fixture, ERROR_IMAGE, " 524295 bytes");
}

/* More than a pipe holds, before and between what is read: neither side blocks the other. */
static void much_on_standard_error(void **state)
{
	struct fixture *fixture = *state;

	put_small(fixture);
	start(fixture, "i=0; while [ $i -lt 3000 ]; do echo \"line $i, which is a long one, so that the pipe fills up "
		       "........................................................................\" >&2; i=$((i+1)); done", "");
	fixture->log.level = LOG_LEVEL_INFO;
	while (next(fixture) == 0 && fixture->more)
		;
	assert_false(fixture->more);
	assert_int_equal(fixture->err.kind, ERROR_NONE);
}

static void it_closes_standard_error(void **state)
{
	struct fixture *fixture = *state;

	put_small(fixture);
	start(fixture, "exec 2>&-; sleep 0.2", "");
	while (next(fixture) == 0 && fixture->more)
		;
	assert_int_equal(fixture->err.kind, ERROR_NONE);
}

/* --- waiting --- */

static void *raise_later(void *self)
{
	usleep(50000);
	cancel_raise(self, SIGTERM);
	return NULL;
}

static void a_signal_while_it_is_silent(void **state)
{
	struct fixture *fixture = *state;
	pthread_t thread;

	block_kit_progress(&fixture->stream, 0, 0);
	start(fixture, "", "exec sleep 1000");
	uint64_t size;
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), 0);
	assert_int_equal(pthread_create(&thread, NULL, raise_later, &fixture->cancel), 0);
	assert_int_equal(next(fixture), -1);
	pthread_join(thread, NULL);
	assert_says(fixture, ERROR_CANCELLED, "stopped by signal 15");
}

static void a_signal_while_it_talks_without_end(void **state)
{
	struct fixture *fixture = *state;
	pthread_t thread;

	block_kit_progress(&fixture->stream, 0, 0);
	char loop[128];
	snprintf(loop, sizeof(loop), "while cat %s/stream; do :; done", fixture->tree.root);
	start(fixture, "", loop);
	assert_int_equal(pthread_create(&thread, NULL, raise_later, &fixture->cancel), 0);
	assert_int_equal(next(fixture), -1);
	pthread_join(thread, NULL);
	assert_says(fixture, ERROR_CANCELLED, "stopped by signal 15");
}

/* What is there already is not read to its end first. */
static void a_signal_while_there_is_more(void **state)
{
	struct fixture *fixture = *state;
	char script[128], path[128];
	uint64_t size;

	put_small(fixture);
	snprintf(script, sizeof(script), "echo >%s/done", fixture->tree.root);
	start(fixture, "", script);
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), 0);
	/* where a pipe takes that much; otherwise half of it is there */
	tree_path(&fixture->tree, "done", path, sizeof(path));
	for (int i = 0; i < 200 && access(path, F_OK) != 0; i++)
		usleep(10000);
	cancel_raise(&fixture->cancel, SIGTERM);
	assert_int_equal(next(fixture), -1);
	assert_says(fixture, ERROR_CANCELLED, "stopped by signal 15");
}

struct asked {
	unsigned times;
	unsigned until;
};

static int count_and_stop(void *self, struct error *err)
{
	struct asked *asked = self;
	return ++asked->times < asked->until ? 0 : error_set(err, ERROR_TIMEOUT, "asked often enough");
}

static void asked_while_it_waits(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked = { .until = 3 };

	block_kit_progress(&fixture->stream, 0, 0);
	start(fixture, "", "exec sleep 1000");
	uint64_t size;
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), 0);
	image_blocks_ask(fixture->blocks, &(struct image_blocks_patience){ count_and_stop, &asked });
	assert_int_equal(next(fixture), -1);
	assert_int_equal(asked.times, 3);
	assert_says(fixture, ERROR_TIMEOUT, "asked often enough");
}

/* Closing ends one that works on, and one that does not listen to SIGTERM. */
static void closing_ends_it(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	char script[160];
	snprintf(script, sizeof(script), "trap '' TERM; echo $$ >%s/pid", fixture->tree.root);
	start(fixture, script, "while :; do sleep 0.05; done");
	uint64_t size;
	assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), 0);
	pid_t pid = (pid_t)strtol(read_file(fixture, "pid"), NULL, 10);
	assert_int_equal(kill(pid, 0), 0);
	again(fixture);
	assert_int_equal(kill(pid, 0), -1);
}

static void out_of_memory(void **state)
{
	struct fixture *fixture = *state;
	bool failed = true;

	put_small(fixture);
	block_kit_program(&fixture->tree, &fixture->stream, "", "");
	for (long allowed = 0; failed; allowed++) {
		fail_alloc_after(allowed);
		int result = image_blocks_open(&fixture->runtime, &fixture->options, &fixture->blocks, &fixture->err);
		while (result == 0 && (result = next(fixture)) == 0 && fixture->more)
			;
		failed = fail_alloc_off();
		assert_int_equal(result, failed ? -1 : 0);
		if (failed)
			assert_true(fixture->err.kind == ERROR_NOMEM || fixture->err.kind == ERROR_IO ||
				    fixture->err.kind == ERROR_PROTOCOL);
		image_blocks_close(fixture->blocks);
		fixture->blocks = NULL;
	}
}

#define BLOCKS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLOCKS_TEST(a_whole_image),
		BLOCKS_TEST(its_command),
		BLOCKS_TEST(no_secrets_in_its_environment),
		BLOCKS_TEST(nothing_to_start),
		BLOCKS_TEST(it_ends_without_a_word),
		BLOCKS_TEST(its_own_error),
		BLOCKS_TEST(too_large_for_the_volume),
		BLOCKS_TEST(much_on_standard_error),
		BLOCKS_TEST(it_closes_standard_error),
		BLOCKS_TEST(a_signal_while_it_is_silent),
		BLOCKS_TEST(a_signal_while_it_talks_without_end),
		BLOCKS_TEST(a_signal_while_there_is_more),
		BLOCKS_TEST(asked_while_it_waits),
		BLOCKS_TEST(closing_ends_it),
		BLOCKS_TEST(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
