/* SPDX-License-Identifier: Apache-2.0 */
/* A lock and one condition: the items are large and few, so waking all is cheap. */
#include "onhost/ring.h"

int ring_init(struct ring *ring, size_t size, struct error *err)
{
	if (size == 0 || size > RING_MAX)
		return error_set(err, ERROR_INTERNAL, "a ring of %zu items was asked for, the most is %zu", size,
				 RING_MAX);
	*ring = (struct ring){ .size = size };
	int failed = pthread_mutex_init(&ring->lock, NULL);
	if (failed != 0)
		return error_errno(err, ERROR_INTERNAL, failed, "cannot make a lock");
	failed = pthread_cond_init(&ring->changed, NULL);
	if (failed != 0) {
		pthread_mutex_destroy(&ring->lock);
		return error_errno(err, ERROR_INTERNAL, failed, "cannot make a condition");
	}
	return 0;
}

int ring_init_pair(struct ring *first, struct ring *second, size_t size, struct error *err)
{
	if (ring_init(first, size, err) != 0)
		return -1;
	if (ring_init(second, size, err) == 0)
		return 0;
	ring_destroy(first);
	return -1;
}

void ring_destroy(struct ring *ring)
{
	pthread_cond_destroy(&ring->changed);
	pthread_mutex_destroy(&ring->lock);
}

bool ring_put(struct ring *ring, void *item)
{
	pthread_mutex_lock(&ring->lock);
	while (ring->count == ring->size && !ring->stopped)
		pthread_cond_wait(&ring->changed, &ring->lock);
	bool put = !ring->stopped;
	if (put) {
		ring->items[(ring->first + ring->count) % ring->size] = item;
		ring->count++;
		pthread_cond_broadcast(&ring->changed);
	}
	pthread_mutex_unlock(&ring->lock);
	return put;
}

bool ring_get(struct ring *ring, void **ret_item)
{
	pthread_mutex_lock(&ring->lock);
	while (ring->count == 0 && !ring->closed && !ring->stopped)
		pthread_cond_wait(&ring->changed, &ring->lock);
	bool got = ring->count > 0 && !ring->stopped;
	if (got) {
		*ret_item = ring->items[ring->first];
		ring->first = (ring->first + 1) % ring->size;
		ring->count--;
		pthread_cond_broadcast(&ring->changed);
	}
	pthread_mutex_unlock(&ring->lock);
	return got;
}

void ring_close(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->closed = true;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

void ring_stop(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->stopped = true;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

bool ring_stopped(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	bool stopped = ring->stopped;
	pthread_mutex_unlock(&ring->lock);
	return stopped;
}
