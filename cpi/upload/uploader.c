/* SPDX-License-Identifier: Apache-2.0 */
/* The one who reads: the image's blocks to the crew, signals, progress, and the sum of it all. */
#include "cpi/upload/uploader.h"

#include <inttypes.h>

#include "common/arena.h"
#include "cpi/upload/crew.h"

#define PROGRESS_MS 1000
#define RESULT_BYTES ((size_t)64 * 1024)

struct reader {
	struct crew *crew;
	const struct uploader_options *options;
	struct cancel *outer; /* what the calls watched before, and will again */
	int64_t progress_ms;  /* when the next one is due */
	uint64_t total;       /* bytes of the image; 0: the child may know */
};

static void tell_progress(struct reader *reader)
{
	struct crew *crew = reader->crew;
	struct onhost_progress read;

	if (reader->options->progress == NULL)
		return;
	image_blocks_progress(reader->options->blocks, &read);
	pthread_mutex_lock(&crew->lock);
	const struct onhost_progress progress = {
		.read = read.read,
		.written = crew->written,
		.skipped = crew->holes + crew->resumed,
		.total = reader->total > 0 ? reader->total : read.total,
		.seconds = (double)(crew_ms(crew) - crew->start_ms) / 1000,
	};
	pthread_mutex_unlock(&crew->lock);
	reader->options->progress(reader->options->self, &progress);
}

/* Wherever it waits, and before each block. -1: it is over, and the crew knows why. */
static int look_up(void *self, struct error *err)
{
	struct reader *reader = self;
	struct crew *crew = reader->crew;
	struct error cancelled;

	if (cancel_check(reader->outer, &cancelled) != 0)
		crew_fail(crew, reader->outer->signal, &cancelled);
	if (crew_ms(crew) >= reader->progress_ms) {
		reader->progress_ms = crew_ms(crew) + PROGRESS_MS;
		tell_progress(reader);
	}
	return crew_failed(crew) ? error_set(err, ERROR_CANCELLED, "the upload has failed") : 0;
}

/* NULL: it is over. */
static struct crew_piece *free_piece(struct reader *reader)
{
	struct crew_piece *piece = NULL;

	while (piece == NULL && look_up(reader, NULL) == 0)
		piece = crew_idle(reader->crew, true);
	return piece;
}

/* What lies behind the last block is no hole before the child has said how long the image is. */
static int note_end(struct reader *reader, struct error *err)
{
	struct crew *crew = reader->crew;
	CLEANUP_ARENA struct arena *arena = arena_new(RESULT_BYTES);
	struct onhost_written written;

	if (arena == NULL)
		return error_nomem(err);
	if (image_blocks_result(reader->options->blocks, arena, &written, err) != 0)
		return -1;
	pthread_mutex_lock(&crew->lock);
	crew->holes += written.image_size - crew->end;
	reader->total = written.image_size;
	pthread_mutex_unlock(&crew->lock);
	return 0;
}

static void read_image(struct reader *reader)
{
	const struct image_blocks_patience patience = { look_up, reader };
	struct image_blocks *blocks = reader->options->blocks;
	struct crew_piece *piece;
	struct error err;
	bool more = true;

	image_blocks_ask(blocks, &patience);
	while (more && (piece = free_piece(reader)) != NULL) {
		if (image_blocks_next(blocks, piece->data, &piece->block, &more, &err) != 0 ||
		    (!more && note_end(reader, &err) != 0)) {
			crew_fail(reader->crew, CANCEL_NO_SIGNAL, &err);
			break;
		}
		if (more)
			crew_hand_over(reader->crew, piece);
	}
	image_blocks_ask(blocks, NULL);
}

/* Whether the snapshot is the image: a block that an earlier try has sent, and this one does not have, cannot be taken back. */
static int check_whole(const struct crew *crew, struct error *err)
{
	uint32_t recorded = crew->options->state == NULL ? 0 : upload_state_count(crew->options->state);

	if (recorded == crew->n_known)
		return 0;
	return error_set(err, ERROR_INTERNAL,
			 "snapshot %s has %" PRIu32 " blocks from an earlier try that the image does not have now (onhost may have been "
			 "another one then): start again, which begins anew",
			 crew->options->snapshot_id, recorded - crew->n_known);
}

static int sum_up(const struct crew *crew, struct uploader_result *ret_result, struct error *err)
{
	struct uploader_result result = {
		.n_blocks = crew->n_blocks,
		.n_resumed = crew->n_resumed,
		.most_at_once = crew->most_at_once,
		.throttled = crew->throttled,
		.seconds = (double)(crew_ms(crew) - crew->start_ms) / 1000,
		.recording = crew->recording,
	};

	if (check_whole(crew, err) != 0 ||
	    digest_sha256(crew->digests, (size_t)crew->n_blocks * SHA256_LEN, result.sha256, err) != 0)
		return -1;
	*ret_result = result;
	return 0;
}

/* The calls watch a cancel of the crew's own meanwhile, so that a failure can cut them off as a signal does. */
static int run(struct reader *reader, struct runtime *calls, struct error *err)
{
	struct crew *crew = reader->crew;

	reader->outer = calls->cancel;
	calls->cancel = &crew->cut;
	int result = crew_start(crew, err);
	if (result == 0) {
		read_image(reader);
		while (look_up(reader, NULL) == 0 && !crew_done(crew))
			;
		crew_end(crew);
	}
	calls->cancel = reader->outer;
	if (result == 0 && crew->failed) {
		if (err != NULL)
			*err = crew->failure;
		return -1;
	}
	return result;
}

int uploader_run(struct runtime *runtime, struct ec2_client *ec2, const struct uploader_options *options,
		 struct uploader_result *ret_result, struct error *err)
{
	struct crew crew;
	struct reader reader = { .crew = &crew, .options = options, .total = options->total_bytes };

	if (crew_open(&crew, runtime, ec2, options, err) != 0)
		return -1;
	reader.progress_ms = crew.start_ms + PROGRESS_MS;
	int result = run(&reader, aws_client_runtime(ec2->aws), err);
	if (result == 0) {
		tell_progress(&reader);
		result = sum_up(&crew, ret_result, err);
	}
	crew_close(&crew);
	return result;
}
