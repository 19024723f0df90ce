/* SPDX-License-Identifier: Apache-2.0 */
/* What an attempt is, and when it is repeated, is the call's (cpi/aws); how many may be at it is the gate's. */
#include "cpi/upload/crew.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "cpi/ec2/snapshot_blocks.h"

#define FIRST_AT_ONCE 16
#define MOMENT_MS 100
#ifdef __APPLE__ /* which waits by the wall clock alone */
#define MOMENT_CLOCK CLOCK_REALTIME
#else
#define MOMENT_CLOCK CLOCK_MONOTONIC
#endif
#define FIRST_ROOM ((size_t)1024)

_Static_assert(SNAPSHOT_BLOCK_SIZE == ONHOST_BLOCK_SIZE, "onhost cuts the image as EBS takes it");

/* --- failure --- */

int64_t crew_ms(const struct crew *crew)
{
	const struct clock *clock = crew->runtime->clock;
	return clock->monotonic_ms(clock->self);
}

/* The first one counts: what is on its way is cut off, which makes failures of its own. */
void crew_fail(struct crew *crew, int signal, const struct error *failure)
{
	pthread_mutex_lock(&crew->lock);
	bool first = !crew->failed;
	if (first) {
		crew->failed = true;
		crew->failure = *failure;
	}
	pthread_cond_broadcast(&crew->work);
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
	if (!first)
		return;
	gate_shut(crew->gate);
	cancel_raise(&crew->cut, signal);
}

bool crew_failed(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	bool failed = crew->failed;
	pthread_mutex_unlock(&crew->lock);
	return failed;
}

/* --- those who send --- */

static struct crew_piece *take_piece(struct crew *crew)
{
	struct crew_piece *piece = NULL;

	pthread_mutex_lock(&crew->lock);
	while (crew->first == NULL && !crew->no_more && !crew->failed)
		pthread_cond_wait(&crew->work, &crew->lock);
	if (!crew->failed && crew->first != NULL) {
		piece = crew->first;
		crew->first = piece->next;
		if (crew->first == NULL)
			crew->last = &crew->first;
		crew->at_work++;
	}
	pthread_mutex_unlock(&crew->lock);
	return piece;
}

static void give_back(struct crew *crew, struct crew_piece *piece)
{
	pthread_mutex_lock(&crew->lock);
	piece->next = crew->idle;
	crew->idle = piece;
	crew->at_work--;
	pthread_cond_signal(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
}

/* Whether it has been acknowledged before. */
static bool note_digest(struct crew *crew, const struct crew_piece *piece, const uint8_t sum[SHA256_LEN])
{
	const struct upload_state *state = crew->options->state;
	bool known = state != NULL && upload_state_knows(state, piece->block.index);
	bool resumed = known && upload_state_has(state, piece->block.index, sum);

	pthread_mutex_lock(&crew->lock);
	memcpy(crew->digests + (size_t)piece->number * SHA256_LEN, sum, SHA256_LEN);
	crew->n_known += known;
	crew->n_resumed += resumed;
	crew->resumed += resumed ? piece->block.len : 0;
	pthread_mutex_unlock(&crew->lock);
	return resumed;
}

static unsigned set_out(struct crew *crew)
{
	uint64_t total = crew->options->total_bytes;

	pthread_mutex_lock(&crew->lock);
	uint64_t done = crew->written + crew->resumed + crew->holes;
	if (++crew->under_way > crew->most_at_once)
		crew->most_at_once = crew->under_way;
	pthread_mutex_unlock(&crew->lock);
	if (total == 0)
		return 0;
	return done < total ? (unsigned)((double)done * 100 / (double)total) : 100;
}

static void come_back(struct crew *crew, const struct crew_piece *piece, const struct snapshot_put *put, bool acknowledged)
{
	gate_leave(crew->gate, put->throttled > 0);
	pthread_mutex_lock(&crew->lock);
	crew->under_way--;
	crew->throttled += put->throttled;
	crew->written += acknowledged ? piece->block.len : 0;
	pthread_mutex_unlock(&crew->lock);
}

/* Unscaled, as the call wants it. An acknowledged block proves nothing: another of AWS's machines may still not know. */
static int64_t unknown_ms(const struct crew *crew)
{
	const struct clock *clock = crew->runtime->clock;
	int left = crew->options->just_started ? deadline_left_ms(clock, crew->unknown_until) : 0;

	return left > 0 && clock->scale > 0 ? (int64_t)((double)left / clock->scale) : 0;
}

static void record(struct crew *crew, uint32_t index, const uint8_t sum[SHA256_LEN])
{
	struct error err;

	if (crew->options->state == NULL || upload_state_add(crew->options->state, index, sum, &err) == 0)
		return;
	log_debug(crew->runtime->log, "no more is recorded of this upload: %s", err.message);
	pthread_mutex_lock(&crew->lock);
	crew->recording = err;
	pthread_mutex_unlock(&crew->lock);
}

static int send_piece(struct crew *crew, const struct crew_piece *piece, struct error *err)
{
	struct snapshot_put put = { 0 };
	uint8_t sum[SHA256_LEN];

	if (digest_sha256(piece->data, sizeof(piece->data), sum, err) != 0)
		return -1;
	/* shut: something else has failed */
	if (note_digest(crew, piece, sum) || !gate_enter(crew->gate))
		return 0;
	const struct snapshot_block block = {
		.snapshot_id = crew->options->snapshot_id,
		.index = piece->block.index,
		.data = piece->data,
		.sha256 = sum,
		.percent = set_out(crew),
		.unknown_ms = unknown_ms(crew),
	};
	int result = snapshot_put_block(crew->ec2, &block, &put, err);
	come_back(crew, piece, &put, result == 0);
	if (result == 0)
		record(crew, block.index, sum);
	return result;
}

static void *work(void *self)
{
	struct crew *crew = self;
	struct crew_piece *piece;

	while ((piece = take_piece(crew)) != NULL) {
		struct error err = { .kind = ERROR_NONE };
		if (send_piece(crew, piece, &err) != 0) {
			(void)error_prefix(&err, "block %" PRIu32, piece->block.index);
			crew_fail(crew, CANCEL_NO_SIGNAL, &err);
		}
		give_back(crew, piece);
	}
	return NULL;
}

/* As many as are wanted and can be had. Signals stay with the threads that were there before. */
int crew_start(struct crew *crew, struct error *err)
{
	sigset_t all;
	sigset_t before;
	int failed = 0;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return error_set(err, ERROR_INTERNAL, "cannot start threads for the upload");
	while (crew->n_threads < crew->connections &&
	       (failed = pthread_create(&crew->threads[crew->n_threads], NULL, work, crew)) == 0)
		crew->n_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (crew->n_threads == 0)
		return error_errno(err, ERROR_INTERNAL, failed, "cannot start a thread for the upload");
	return 0;
}

/* --- for the reader --- */

/* Until somebody has finished a piece, and not for long. Under the lock. */
static void wait_a_moment(struct crew *crew)
{
	struct timespec until;

	clock_gettime(MOMENT_CLOCK, &until);
	until.tv_nsec += (long)MOMENT_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
}

static struct crew_piece *new_piece(struct crew *crew)
{
	struct crew_piece *piece;
	struct error err;

	if (crew->n_pieces == crew->n_threads + CREW_SPARE_PIECES)
		return NULL;
	piece = malloc(sizeof(*piece));
	if (piece != NULL)
		return crew->pieces[crew->n_pieces++] = piece;
	/* otherwise the work goes on with those that there are */
	if (crew->n_pieces == 0) {
		(void)error_nomem(&err);
		crew_fail(crew, CANCEL_NO_SIGNAL, &err);
	}
	return NULL;
}

static struct crew_piece *pop_idle(struct crew *crew, bool wait)
{
	pthread_mutex_lock(&crew->lock);
	if (crew->idle == NULL && wait && !crew->failed)
		wait_a_moment(crew);
	struct crew_piece *piece = crew->idle;
	if (piece != NULL)
		crew->idle = piece->next;
	pthread_mutex_unlock(&crew->lock);
	return piece;
}

struct crew_piece *crew_idle(struct crew *crew, bool wait)
{
	struct crew_piece *piece = pop_idle(crew, false);

	if (piece == NULL)
		piece = new_piece(crew);
	return piece == NULL && wait ? pop_idle(crew, true) : piece;
}

static int make_room(struct crew *crew)
{
	if (crew->n_blocks < crew->room)
		return 0;
	size_t room = crew->room == 0 ? FIRST_ROOM : crew->room * 2;
	uint8_t *larger = realloc(crew->digests, room * SHA256_LEN);
	if (larger == NULL)
		return -1;
	crew->digests = larger;
	crew->room = room;
	return 0;
}

void crew_hand_over(struct crew *crew, struct crew_piece *piece)
{
	struct error err;

	pthread_mutex_lock(&crew->lock);
	int result = make_room(crew);
	if (result == 0) {
		crew->holes += (uint64_t)piece->block.index * ONHOST_BLOCK_SIZE - crew->end;
		crew->end = (uint64_t)piece->block.index * ONHOST_BLOCK_SIZE + piece->block.len;
		piece->number = crew->n_blocks++;
		piece->next = NULL;
		*crew->last = piece;
		crew->last = &piece->next;
		pthread_cond_signal(&crew->work);
	}
	pthread_mutex_unlock(&crew->lock);
	if (result != 0) {
		(void)error_nomem(&err);
		crew_fail(crew, CANCEL_NO_SIGNAL, &err);
	}
}

bool crew_done(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	bool done = crew->first == NULL && crew->at_work == 0;
	if (!done && !crew->failed)
		wait_a_moment(crew);
	pthread_mutex_unlock(&crew->lock);
	return done;
}

void crew_end(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->no_more = true;
	pthread_cond_broadcast(&crew->work);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 0; i < crew->n_threads; i++)
		pthread_join(crew->threads[i], NULL);
	crew->n_threads = 0;
}

/* --- opening, closing --- */

static int init_conditions(struct crew *crew)
{
	pthread_condattr_t attributes;

	if (pthread_condattr_init(&attributes) != 0)
		return -1;
	int failed = 0;
#ifndef __APPLE__
	failed = pthread_condattr_setclock(&attributes, MOMENT_CLOCK);
#endif
	if (failed == 0)
		failed = pthread_cond_init(&crew->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (failed == 0 && (failed = pthread_cond_init(&crew->work, NULL)) != 0)
		pthread_cond_destroy(&crew->changed);
	return failed == 0 ? 0 : -1;
}

static int init_lock(struct crew *crew, struct error *err)
{
	if (pthread_mutex_init(&crew->lock, NULL) != 0)
		return error_nomem(err);
	if (init_conditions(crew) != 0) {
		pthread_mutex_destroy(&crew->lock);
		return error_nomem(err);
	}
	return 0;
}

static unsigned wanted(const struct uploader_options *options)
{
	if (options->connections == 0)
		return UPLOADER_CONNECTIONS;
	return options->connections < UPLOADER_CONNECTIONS_MAX ? options->connections : UPLOADER_CONNECTIONS_MAX;
}

int crew_open(struct crew *crew, struct runtime *runtime, struct ec2_client *ec2, const struct uploader_options *options,
	      struct error *err)
{
	*crew = (struct crew){ .options = options, .ec2 = ec2, .runtime = runtime, .connections = wanted(options) };
	crew->last = &crew->first;
	crew->start_ms = crew_ms(crew);
	crew->unknown_until = deadline_in(runtime->clock, SNAPSHOT_UNKNOWN_MS);
	if (cancel_open(&crew->cut, err) != 0)
		return -1;
	if (gate_new(FIRST_AT_ONCE, crew->connections, &crew->gate, err) != 0 || init_lock(crew, err) != 0) {
		gate_free(crew->gate);
		cancel_close(&crew->cut);
		return -1;
	}
	return 0;
}

void crew_close(struct crew *crew)
{
	for (unsigned i = 0; i < crew->n_pieces; i++)
		free(crew->pieces[i]);
	free(crew->digests);
	pthread_cond_destroy(&crew->work);
	pthread_cond_destroy(&crew->changed);
	pthread_mutex_destroy(&crew->lock);
	gate_free(crew->gate);
	cancel_close(&crew->cut);
}
