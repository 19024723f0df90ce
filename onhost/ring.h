/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded hand-over of pointers between threads. What is handed over stays the callers'. */
#ifndef ONHOST_RING_H
#define ONHOST_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define RING_MAX ((size_t)16)

struct ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void *items[RING_MAX];
	size_t size;
	size_t first;
	size_t count;
	bool closed;
	bool stopped;
};

/* size is at most RING_MAX. ring_destroy only after success, and when no thread uses it any more. */
int ring_init(struct ring *ring, size_t size, struct error *err);
void ring_destroy(struct ring *ring);

/* Both or none. */
int ring_init_pair(struct ring *first, struct ring *second, size_t size, struct error *err);

/* Waits for room. false: the ring was stopped, and the item is still the caller's. */
bool ring_put(struct ring *ring, void *item);
/* Waits for an item. false: the ring was stopped, or it is empty and was closed. */
bool ring_get(struct ring *ring, void **ret_item);
/* Nothing more will be put; what is in it can still be taken. */
void ring_close(struct ring *ring);
/* Every wait ends, now and from now on. */
void ring_stop(struct ring *ring);
bool ring_stopped(struct ring *ring);

#endif
