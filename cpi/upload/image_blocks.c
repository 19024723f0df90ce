/* SPDX-License-Identifier: Apache-2.0 */
/* The child: how it is started, how its streams are read, what its end means. What its stream says is block_stream.c's. */
#include "cpi/upload/image_blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/process.h"
#include "common/words.h"
#include "cpi/aws/environment.h"
#include "cpi/upload/block_stream.h"

#define PIPE_BYTES (1024 * 1024)
#define WORDS_BYTES 4096
#define SCRATCH_BYTES ((size_t)4 * 1024 * 1024)
#define LOOK_MS 100 /* how often it is asked whether waiting goes on */
/* Unscaled: another process does not end faster because tests are in a hurry. */
#define LAST_WORDS_MS ((int64_t)5 * 1000)
#define GRACE_MS ((int64_t)1000)
#define MAX_ARGUMENTS 9

/* It asks AWS nothing, and has looked at foreign bytes. */
static const char *const not_for_onhost[] = { ENVIRONMENT_CREDENTIALS, NULL };

struct image_blocks {
	struct runtime *runtime;
	const char *image_path;
	struct arena *arena;
	struct process process;
	bool err_ended;
	struct words words;
	struct image_blocks_patience patience;
	struct block_stream stream;
};

/* --- reading --- */

static int take_words(struct image_blocks *blocks, struct error *err)
{
	char text[WORDS_BYTES];
	ssize_t count = read(blocks->process.err_fd, text, sizeof(text));

	if (count < 0 && errno != EAGAIN && errno != EINTR)
		return error_errno(err, ERROR_IO, errno, "cannot read onhost's standard error");
	blocks->err_ended = count == 0;
	if (count > 0)
		words_take(&blocks->words, blocks->runtime->log, text, (size_t)count);
	return 0;
}

/* Until there may be something on its output (with_output), or something was said, or LOOK_MS have passed where somebody is asked. */
static int wait_for_child(struct image_blocks *blocks, bool with_output, int longest_ms, struct error *err)
{
	const struct cancel *cancel = blocks->runtime->cancel;
	/* poll() passes over a descriptor of -1 */
	struct pollfd fds[] = {
		{ .fd = with_output ? blocks->process.out_fd : -1, .events = POLLIN },
		{ .fd = blocks->err_ended ? -1 : blocks->process.err_fd, .events = POLLIN },
		{ .fd = cancel == NULL ? -1 : cancel->read_fd, .events = POLLIN },
	};

	if (cancel_check(cancel, err) != 0)
		return -1;
	if (poll(fds, sizeof(fds) / sizeof(fds[0]), longest_ms) < 0) {
		if (errno != EINTR)
			return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for onhost");
		return 0;
	}
	if (cancel_check(cancel, err) != 0)
		return -1;
	return fds[1].revents != 0 ? take_words(blocks, err) : 0;
}

/* For the stream. However long it takes: a slow disk is no failure, and a signal ends it. */
static ssize_t read_output(void *self, void *data, size_t len, struct error *err)
{
	struct image_blocks *blocks = self;
	const struct image_blocks_patience *patience = &blocks->patience;

	for (;;) {
		/* also while there is ever more to read */
		if (cancel_check(blocks->runtime->cancel, err) != 0)
			return -1;
		ssize_t count = read(blocks->process.out_fd, data, len);
		if (count >= 0)
			return count;
		if (errno != EAGAIN && errno != EINTR)
			return error_errno(err, ERROR_IO, errno, "cannot read onhost's output");
		if (patience->go_on != NULL && patience->go_on(patience->self, err) != 0)
			return -1;
		if (wait_for_child(blocks, true, patience->go_on != NULL ? LOOK_MS : -1, err) != 0)
			return -1;
	}
}

/* --- its end --- */

static struct deadline unscaled(const struct clock *clock, int64_t ms)
{
	return (struct deadline){ .at_ms = clock->monotonic_ms(clock->self) + ms };
}

/* It closed its output in the middle: how it ended, and what it said last. */
static int ended(struct image_blocks *blocks, struct error *err)
{
	const struct clock *clock = blocks->runtime->clock;
	struct deadline deadline = unscaled(clock, LAST_WORDS_MS);
	const char *last = blocks->words.last;
	char how[128] = "closed its output";
	int status;
	int left;

	while (!blocks->err_ended && (left = deadline_left_ms(clock, deadline)) > 0) {
		if (wait_for_child(blocks, false, left, NULL) != 0)
			break;
	}
	words_end(&blocks->words, blocks->runtime->log);
	if (process_wait(&blocks->process, clock, deadline, &status, NULL) == 0)
		process_describe(status, how, sizeof(how));
	return error_set(err, ERROR_IO, "onhost %s in the middle of its work%s%s", how,
			 last[0] != '\0' ? "; it said last: " : " and said nothing", last);
}

static int failed(struct image_blocks *blocks, struct error *err)
{
	if (blocks->stream.broke_off)
		(void)ended(blocks, err);
	return error_prefix(err, "%s", blocks->image_path);
}

/* --- opening, closing --- */

/* A name that begins with a dash would be taken for standard input, or for an option. */
static const char *as_argument(struct arena *arena, const char *path)
{
	return path[0] == '-' ? arena_printf(arena, "./%s", path) : path;
}

static int start(struct image_blocks *blocks, const struct image_blocks_options *options, struct error *err)
{
	const struct process_manner manner = { .without = not_for_onhost };
	const char *argv[MAX_ARGUMENTS] = { options->onhost_path, "unpack", "--blocks" };
	size_t count = 3;

	if (options->encrypted)
		argv[count++] = "--encrypted";
	if (options->skip_zero_blocks)
		argv[count++] = "--skip-zero-blocks";
	argv[count++] = "--image";
	argv[count] = as_argument(blocks->arena, options->image_path);
	if (argv[count] == NULL)
		return error_nomem(err);
	/* exec's arrays are not const, and are not written to */
	if (process_start_as((char *const *)(uintptr_t)argv, &manner, &blocks->process, err) != 0)
		return -1;
	close(steal_fd(&blocks->process.in_fd));
	if (io_set_nonblocking(blocks->process.out_fd, err) != 0 || io_set_nonblocking(blocks->process.err_fd, err) != 0)
		return -1;
#ifdef F_SETPIPE_SZ
	/* fewer turns, and a block ahead; not getting it is fine */
	(void)fcntl(blocks->process.out_fd, F_SETPIPE_SZ, PIPE_BYTES);
#endif
	return 0;
}

int image_blocks_open(struct runtime *runtime, const struct image_blocks_options *options, struct image_blocks **ret_blocks,
		      struct error *err)
{
	struct image_blocks *blocks = calloc(1, sizeof(*blocks));

	if (blocks == NULL)
		return error_nomem(err);
	blocks->runtime = runtime;
	blocks->image_path = options->image_path;
	blocks->process = (struct process){ .in_fd = -1, .out_fd = -1, .err_fd = -1 };
	blocks->stream.read = read_output;
	blocks->stream.self = blocks;
	blocks->stream.max_bytes = options->max_bytes;
	blocks->arena = arena_new(SCRATCH_BYTES);
	blocks->stream.scratch = arena_new(SCRATCH_BYTES);
	if (blocks->arena == NULL || blocks->stream.scratch == NULL) {
		image_blocks_close(blocks);
		return error_nomem(err);
	}
	if (start(blocks, options, err) != 0) {
		image_blocks_close(blocks);
		return -1;
	}
	*ret_blocks = blocks;
	return 0;
}

void image_blocks_close(struct image_blocks *blocks)
{
	if (blocks == NULL)
		return;
	process_stop(&blocks->process, blocks->runtime->clock, GRACE_MS);
	words_end(&blocks->words, blocks->runtime->log);
	arena_free(blocks->stream.scratch);
	arena_free(blocks->arena);
	free(blocks);
}

/* --- what it says --- */

void image_blocks_ask(struct image_blocks *blocks, const struct image_blocks_patience *patience)
{
	blocks->patience = patience == NULL ? (struct image_blocks_patience){ 0 } : *patience;
}

int image_blocks_size(struct image_blocks *blocks, uint64_t *ret_bytes, struct error *err)
{
	if (block_stream_start(&blocks->stream, err) != 0)
		return failed(blocks, err);
	*ret_bytes = blocks->stream.progress.total;
	return 0;
}

int image_blocks_next(struct image_blocks *blocks, uint8_t *data, struct image_block *ret_block, bool *ret_more,
		      struct error *err)
{
	return block_stream_next(&blocks->stream, data, ret_block, ret_more, err) == 0 ? 0 : failed(blocks, err);
}

void image_blocks_progress(const struct image_blocks *blocks, struct onhost_progress *ret_progress)
{
	*ret_progress = blocks->stream.progress;
}

int image_blocks_result(struct image_blocks *blocks, struct arena *arena, struct onhost_written *ret_written,
			struct error *err)
{
	const struct onhost_written *written = &blocks->stream.written;
	struct onhost_written kept = *written;

	if (!blocks->stream.whole)
		return error_set(err, ERROR_INTERNAL, "%s: the last block has not come yet", blocks->image_path);
	kept.input_sha256 = arena_strdup(arena, written->input_sha256);
	kept.image_sha256 = arena_strdup(arena, written->image_sha256);
	kept.format = arena_strdup(arena, written->format);
	if (kept.input_sha256 == NULL || kept.image_sha256 == NULL || kept.format == NULL)
		return error_nomem(err);
	*ret_written = kept;
	return 0;
}
