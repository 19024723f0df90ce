/* SPDX-License-Identifier: Apache-2.0 */
/* Wires the stages up and runs them: a reader (intake), a decoder (ahead), a worker (untar, extents), one or two threads
 * at the writing end, and the caller's own thread, which reports progress and watches for cancellation. But for
 * ahead, which has the decoder, the stages know no threads. */
#include "onhost/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "onhost/ahead.h"
#include "onhost/ends.h"
#include "onhost/extents.h"
#include "onhost/image.h"
#include "onhost/intake.h"
#include "onhost/ring.h"
#include "onhost/slots.h"
#include "onhost/untar.h"

/* Seven on their way, and the head that the sink keeps back. */
#define SLOTS ((size_t)8)
#define PROGRESS_MS 1000
/* 64 TiB: a hole costs nothing in an archive, and must not fill a disk. */
#define LARGEST_VOLUME ((uint64_t)64 << 40)

static const char largest_volume[] = "the largest EBS volume";

struct pipeline {
	struct runtime *runtime;
	const struct pipeline_options *options;
	struct end end;
	struct intake *intake;
	struct slots slots;
	struct ring queue; /* slots to the writing end */
	struct extents extents;
	const char *format;
	int stop_fd;          /* eventfd: the work was stopped */
	int done_fd;          /* eventfd: the worker has ended */
	pthread_mutex_t lock; /* of what follows */
	bool failed;
	bool committed;       /* too late to be stopped from outside */
	struct error failure; /* the first */
};

static void ring_bell(int fd)
{
	uint64_t one = 1;
	/* an eventfd takes it unless it is full, and then it is readable */
	ssize_t ignored = write(fd, &one, sizeof(one));
	(void)ignored;
}

/* --- ending ------------------------------------------------------------------------------------------------------ */

static void stop_all(struct pipeline *p)
{
	intake_stop(p->intake);
	ring_stop(&p->slots.free);
	ring_stop(&p->queue);
	ring_bell(p->stop_fd);
}

/* The first failure is the one that is told: the others follow from it. */
static void fail(struct pipeline *p, const struct error *err)
{
	pthread_mutex_lock(&p->lock);
	bool first = !p->failed;
	if (first) {
		p->failed = true;
		p->failure = *err;
	}
	pthread_mutex_unlock(&p->lock);
	if (first)
		stop_all(p);
}

static bool has_failed(struct pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	bool failed = p->failed;
	pthread_mutex_unlock(&p->lock);
	return failed;
}

/* A failure that comes from outside; once the head is on its way, it is too late for that. */
static void interrupt(struct pipeline *p, const struct error *err)
{
	pthread_mutex_lock(&p->lock);
	bool late = p->committed;
	pthread_mutex_unlock(&p->lock);
	if (!late)
		fail(p, err);
}

static int commit(struct pipeline *p, struct error *err)
{
	pthread_mutex_lock(&p->lock);
	p->committed = !p->failed;
	bool committed = p->committed;
	pthread_mutex_unlock(&p->lock);
	return committed ? 0 : error_set(err, ERROR_CANCELLED, "the work on the image was stopped");
}

/* --- threads ----------------------------------------------------------------------------------------------------- */

static void *reader_main(void *self)
{
	struct pipeline *p = self;
	struct error err;

	if (intake_run(p->intake, &err) != 0)
		fail(p, &err);
	return NULL;
}

static void *end_main(void *self)
{
	struct pipeline *p = self;
	struct error err;
	void *item;

	while (ring_get(&p->queue, &item)) {
		if (p->end.kind->slot(&p->end, item, &err) != 0) {
			fail(p, &err);
			break;
		}
	}
	return NULL;
}

static int enqueue(void *self, struct slot *slot, struct error *err)
{
	struct pipeline *p = self;

	if (ring_put(&p->queue, slot))
		return 0;
	slots_put(&p->slots, slot);
	return error_set(err, ERROR_CANCELLED, "the work on the image was stopped");
}

static int copy_raw(struct ahead *ahead, struct extents *extents, struct error *err)
{
	uint64_t offset = 0;
	const uint8_t *data;
	size_t got;

	do {
		if (ahead_read(ahead, &data, &got, err) != 0 || extents_data(extents, data, got, offset, err) != 0)
			return -1;
		offset += got;
	} while (got == SLOT_SIZE);
	return 0;
}

/* All the slots, from the input to the queue. */
static int unpack_image(struct pipeline *p, struct error *err)
{
	struct stream_in in = intake_stream(p->intake);
	CLEANUP_IMAGE struct image *image = NULL;
	struct ahead *ahead;

	if (image_open(&in, &image, err) != 0 || ahead_open(image, &p->extents, &ahead, err) != 0)
		return -1;
	p->format = image_format(image);
	int result = image_content(image) == FORMAT_TAR ? untar_run(image, ahead, &p->extents, err)
							: copy_raw(ahead, &p->extents, err);
	if (result == 0)
		result = extents_end(&p->extents, err);
	/* what is decoded ahead may be waiting for input */
	if (result != 0)
		fail(p, err);
	ahead_close(ahead);
	return result;
}

/* After the last slot. */
static int finish(struct pipeline *p, struct error *err)
{
	const struct end_kind *kind = p->end.kind;

	if (kind->flush != NULL && (has_failed(p) || kind->flush(&p->end, err) != 0))
		return -1;
	if (commit(p, err) != 0)
		return -1;
	return kind->commit == NULL ? 0 : kind->commit(&p->end, err);
}

static int work(struct pipeline *p, struct error *err)
{
	pthread_t threads[END_THREADS_MAX];
	unsigned started = 0;
	int result = 0;

	for (; result == 0 && started < p->end.kind->threads; started += result == 0 ? 1 : 0) {
		int failed = pthread_create(&threads[started], NULL, end_main, p);
		if (failed != 0)
			result = error_errno(err, ERROR_INTERNAL, failed, "cannot start a thread");
	}
	if (result == 0)
		result = unpack_image(p, err);
	if (result != 0)
		fail(p, err);
	ring_close(&p->queue);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return result == 0 ? finish(p, err) : -1;
}

static void *worker_main(void *self)
{
	struct pipeline *p = self;
	struct error err;

	if (work(p, &err) != 0)
		fail(p, &err);
	ring_bell(p->done_fd);
	return NULL;
}

/* --- the caller's thread ----------------------------------------------------------------------------------------- */

/* Left out, but for what went out all the same. */
static uint64_t bytes_skipped(struct pipeline *p)
{
	uint64_t skipped = atomic_load(&p->extents.skipped);
	uint64_t padding = p->end.kind->padding == NULL ? 0 : p->end.kind->padding(&p->end);

	return skipped > padding ? skipped - padding : 0;
}

static int report(struct pipeline *p, struct error *err)
{
	if (p->options->progress == NULL)
		return 0;
	struct onhost_progress progress = {
		.read = intake_bytes(p->intake),
		.written = p->end.kind->bytes(&p->end),
		.skipped = bytes_skipped(p),
		.total = atomic_load(&p->extents.total),
		.seconds = intake_seconds(p->intake),
	};
	return p->options->progress(p->options->progress_self, &progress, err);
}

/* Until the worker has ended: progress, and the signal that stops it. */
static void watch(struct pipeline *p)
{
	const struct clock *clock = p->runtime->clock;
	const struct cancel *cancel = p->runtime->cancel;
	struct deadline next = deadline_in(clock, PROGRESS_MS);
	struct pollfd fds[] = {
		{ .fd = p->done_fd, .events = POLLIN },
		{ .fd = cancel != NULL ? cancel->read_fd : -1, .events = POLLIN },
	};
	bool stopping = false;
	struct error err;

	while (poll(fds, 2, stopping ? -1 : deadline_left_ms(clock, next)) <= 0 || fds[0].revents == 0) {
		bool due = deadline_passed(clock, next);
		if (due)
			next = deadline_in(clock, PROGRESS_MS);
		if (fds[1].revents != 0)
			fds[1].fd = -1;
		if (!stopping && (cancel_check(cancel, &err) != 0 || (due && report(p, &err) != 0))) {
			stopping = true;
			fds[1].fd = -1;
			interrupt(p, &err);
		}
	}
	/* what was done is done: nobody can stop it any more */
	if (!has_failed(p))
		report(p, &err);
}

static int run_threads(struct pipeline *p, struct error *err)
{
	pthread_t reader, worker;

	int failed = pthread_create(&reader, NULL, reader_main, p);
	if (failed != 0)
		return error_errno(err, ERROR_INTERNAL, failed, "cannot start a thread");
	failed = pthread_create(&worker, NULL, worker_main, p);
	if (failed == 0) {
		watch(p);
		pthread_join(worker, NULL);
	} else {
		error_errno(err, ERROR_INTERNAL, failed, "cannot start a thread");
		fail(p, err);
	}
	if (has_failed(p) && p->options->source.stop != NULL)
		p->options->source.stop(p->options->source.self);
	pthread_join(reader, NULL);
	if (!has_failed(p))
		return 0;
	/* a source that gives up because of the signal has reasons of its own to tell, but the signal is the cause */
	if (cancel_check(p->runtime->cancel, err) != 0)
		return -1;
	*err = p->failure;
	return -1;
}

static int take_result(struct pipeline *p, struct pipeline_result *ret_result, struct error *err)
{
	struct pipeline_result result = {
		.read = intake_bytes(p->intake),
		.written = p->end.kind->bytes(&p->end),
		.skipped = bytes_skipped(p),
		.image_size = atomic_load(&p->extents.total),
		.seconds = intake_seconds(p->intake),
		.format = p->format,
	};

	memcpy(result.input_sha256, intake_sha256(p->intake), sizeof(result.input_sha256));
	if (extents_sha256(&p->extents, result.image_sha256, err) != 0)
		return -1;
	*ret_result = result;
	return 0;
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

static int with_end(struct pipeline *p, struct pipeline_result *ret_result, struct error *err)
{
	if (p->end.kind->open(&p->end, err) != 0)
		return -1;
	int result = run_threads(p, err);
	if (result == 0)
		result = take_result(p, ret_result, err);
	p->end.kind->close(&p->end);
	return result;
}

static int with_extents(struct pipeline *p, struct extents_options *wanted, struct pipeline_result *ret_result,
			struct error *err)
{
	wanted->digest = p->options->digest;
	wanted->log = p->runtime->log;
	wanted->slots = &p->slots;
	wanted->emit = enqueue;
	wanted->emit_self = p;
	if (ring_init(&p->queue, SLOTS, err) != 0)
		return -1;
	int result = extents_init(&p->extents, wanted, err);
	if (result == 0)
		result = with_end(p, ret_result, err);
	extents_destroy(&p->extents);
	ring_destroy(&p->queue);
	return result;
}

/* The stages are made and unmade in this order: each stands on those before it. */
static int run(struct pipeline *p, struct extents_options *wanted, struct pipeline_result *ret_result,
	       struct error *err)
{
	CLEANUP_FD int stop_fd = eventfd(0, EFD_CLOEXEC);
	CLEANUP_FD int done_fd = eventfd(0, EFD_CLOEXEC);

	if (stop_fd < 0 || done_fd < 0)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot make an event descriptor");
	p->stop_fd = stop_fd;
	p->done_fd = done_fd;
	p->end.slots = &p->slots;
	p->end.image_size = &p->extents.total;
	p->end.stop_fd = stop_fd;
	pthread_mutex_init(&p->lock, NULL);
	if (intake_new(&p->options->source, p->runtime->clock, &p->intake, err) != 0)
		return -1;
	int result = slots_init(&p->slots, SLOTS, err);
	if (result == 0) {
		result = with_extents(p, wanted, ret_result, err);
		slots_destroy(&p->slots);
	}
	intake_free(p->intake);
	return result;
}

int pipeline_write(struct runtime *runtime, const struct pipeline_options *options,
		   const struct pipeline_target *target, struct pipeline_result *ret_result, struct error *err)
{
	struct pipeline p = { .runtime = runtime, .options = options, .end = { .kind = &ends_write, .target = target } };
	struct extents_options wanted = {
		.limit = target->size,
		.where = target->name,
		.holes = !target->fresh || target->encrypted,
		.skip_zeros = target->skip_zero_blocks,
		.skip_free = target->fresh,
	};

	if (target->skip_zero_blocks && !target->fresh)
		return error_set(err, ERROR_INVALID,
				 "blocks of zeros can be left out only on a fresh volume, and %s is not known "
				 "to be one; do without skip_zero_blocks",
				 target->name);
	return run(&p, &wanted, ret_result, err);
}

int pipeline_verify(struct runtime *runtime, const struct pipeline_options *options,
		    const struct pipeline_target *target, struct pipeline_result *ret_result, struct error *err)
{
	struct pipeline p = { .runtime = runtime, .options = options, .end = { .kind = &ends_verify, .target = target } };
	struct extents_options wanted = {
		.limit = target->size,
		.where = target->name,
		.holes = !target->fresh || target->encrypted,
		.skip_zeros = target->skip_zero_blocks,
		.skip_free = target->fresh,
	};

	return run(&p, &wanted, ret_result, err);
}

int pipeline_unpack(struct runtime *runtime, const struct pipeline_options *options, int out_fd,
		    struct pipeline_result *ret_result, struct error *err)
{
	struct pipeline p = { .runtime = runtime, .options = options, .end = { .kind = &ends_unpack, .out_fd = out_fd } };
	struct extents_options wanted = { .limit = LARGEST_VOLUME, .where = largest_volume, .holes = true };

	return run(&p, &wanted, ret_result, err);
}

int pipeline_unpack_blocks(struct runtime *runtime, const struct pipeline_options *options,
			   const struct pipeline_blocks *blocks, struct pipeline_result *ret_result, struct error *err)
{
	struct pipeline p = {
		.runtime = runtime, .options = options, .end = { .kind = &ends_blocks, .blocks = blocks->out },
	};
	struct extents_options wanted = {
		.limit = LARGEST_VOLUME,
		.where = largest_volume,
		.holes = blocks->encrypted,
		.skip_zeros = blocks->skip_zero_blocks,
		.skip_free = true,
	};

	if (blocks->skip_zero_blocks && blocks->encrypted)
		return error_set(err, ERROR_INVALID,
				 "blocks of zeros cannot be left out of a snapshot that will be encrypted: what is not in "
				 "it reads as noise there; do without skip_zero_blocks");
	return run(&p, &wanted, ret_result, err);
}
