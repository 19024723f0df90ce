/* SPDX-License-Identifier: Apache-2.0 */
#include "onhost/ahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "onhost/ring.h"

/* One is being looked at, the others are decoded: two, so that the decoder need not wait for the next when it has done one. */
#define JOBS ((size_t)EXTENTS_LENT - 1)

/* One decoding. */
struct job {
	uint8_t *data;
	struct image_part part;
	bool failed;
	struct error failure;
};

struct ahead {
	struct image *image;
	struct extents *extents;
	struct ring asked;
	struct ring done;
	struct job jobs[JOBS];
	bool started;
	bool ended;
	pthread_t decoder;
};

static void *decoder_main(void *self)
{
	struct ahead *ahead = self;
	bool more = true;
	void *item;

	while (more && ring_get(&ahead->asked, &item)) {
		struct job *job = item;
		job->failed = image_decode(ahead->image, job->data, SLOT_SIZE, &job->part, &job->failure) != 0;
		more = !job->failed && image_part_len(&job->part) == SLOT_SIZE;
		ring_put(&ahead->done, job);
	}
	return NULL;
}

static void destroy_rings(struct ahead *ahead)
{
	ring_destroy(&ahead->asked);
	ring_destroy(&ahead->done);
}

int ahead_open(struct image *image, struct extents *extents, struct ahead **ret_ahead, struct error *err)
{
	struct ahead *ahead = calloc(1, sizeof(*ahead));
	if (ahead == NULL)
		return error_nomem(err);
	ahead->image = image;
	ahead->extents = extents;
	if (ring_init_pair(&ahead->asked, &ahead->done, JOBS, err) != 0) {
		free(ahead);
		return -1;
	}
	int failed = pthread_create(&ahead->decoder, NULL, decoder_main, ahead);
	if (failed != 0) {
		destroy_rings(ahead);
		free(ahead);
		return error_errno(err, ERROR_INTERNAL, failed, "cannot start a thread");
	}
	*ret_ahead = ahead;
	return 0;
}

void ahead_close(struct ahead *ahead)
{
	ring_stop(&ahead->asked);
	ring_stop(&ahead->done);
	pthread_join(ahead->decoder, NULL);
	destroy_rings(ahead);
	free(ahead);
}

static int ask(struct ahead *ahead, struct job *job, struct error *err)
{
	if (extents_lend(ahead->extents, &job->data, err) != 0)
		return -1;
	ring_put(&ahead->asked, job);
	return 0;
}

static int start(struct ahead *ahead, struct error *err)
{
	ahead->started = true;
	for (size_t i = 0; i < JOBS; i++) {
		if (ask(ahead, &ahead->jobs[i], err) != 0)
			return -1;
	}
	return 0;
}

int ahead_read(struct ahead *ahead, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	void *item;

	*ret_data = (const uint8_t *)"";
	*ret_len = 0;
	if (ahead->ended)
		return 0;
	if (!ahead->started && start(ahead, err) != 0)
		return -1;
	ring_get(&ahead->done, &item);
	struct job *job = item;
	if (job->failed) {
		*err = job->failure;
		return -1;
	}
	const uint8_t *data = job->data;
	const struct image_part part = job->part;
	ahead->ended = image_part_len(&part) < SLOT_SIZE;
	if (!ahead->ended && ask(ahead, job, err) != 0)
		return -1;
	if (image_check(ahead->image, data, &part, err) != 0)
		return -1;
	*ret_data = data;
	*ret_len = image_part_len(&part);
	return 0;
}
