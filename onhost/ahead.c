/* SPDX-License-Identifier: Apache-2.0 */
#include "onhost/ahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "onhost/ring.h"

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
	struct ring asked; /* at most one job is on its way */
	struct ring done;
	struct job job;
	bool under_way;
	bool ended;
	pthread_t decoder;
};

static void *decoder_main(void *self)
{
	struct ahead *ahead = self;
	void *item;

	while (ring_get(&ahead->asked, &item)) {
		struct job *job = item;
		job->failed = image_decode(ahead->image, job->data, SLOT_SIZE, &job->part, &job->failure) != 0;
		ring_put(&ahead->done, job);
	}
	return NULL;
}

static int make_rings(struct ahead *ahead, struct error *err)
{
	if (ring_init(&ahead->asked, 1, err) != 0)
		return -1;
	if (ring_init(&ahead->done, 1, err) != 0) {
		ring_destroy(&ahead->asked);
		return -1;
	}
	return 0;
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
	if (make_rings(ahead, err) != 0) {
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

static int ask(struct ahead *ahead, struct error *err)
{
	if (extents_lend(ahead->extents, &ahead->job.data, err) != 0)
		return -1;
	ring_put(&ahead->asked, &ahead->job);
	ahead->under_way = true;
	return 0;
}

int ahead_read(struct ahead *ahead, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	void *item;

	*ret_data = (const uint8_t *)"";
	*ret_len = 0;
	if (ahead->ended)
		return 0;
	if (!ahead->under_way && ask(ahead, err) != 0)
		return -1;
	ring_get(&ahead->done, &item);
	ahead->under_way = false;
	if (ahead->job.failed) {
		*err = ahead->job.failure;
		return -1;
	}
	const uint8_t *data = ahead->job.data;
	const struct image_part part = ahead->job.part;
	ahead->ended = image_part_len(&part) < SLOT_SIZE;
	if (!ahead->ended && ask(ahead, err) != 0)
		return -1;
	if (image_check(ahead->image, data, &part, err) != 0)
		return -1;
	*ret_data = data;
	*ret_len = image_part_len(&part);
	return 0;
}
