/* SPDX-License-Identifier: Apache-2.0 */
/* The writing end for a device: slots in any order, from several threads, past the page cache where the target allows
 * it. The first slot (the first MiB) is kept back until sink_commit. Errors are ERROR_IO with offset and errno, or
 * ERROR_NO_DEVICE when the device went away. */
#ifndef ONHOST_SINK_H
#define ONHOST_SINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "onhost/pipeline.h"
#include "onhost/slots.h"

struct sink {
	const struct pipeline_target *target; /* borrowed */
	struct slots *slots;
	_Atomic bool direct;
	_Atomic uint64_t written;
	struct slot *head;         /* the slot at offset 0, kept back */
	pthread_mutex_t tail_lock; /* of the two below */
	size_t tail_len;           /* the image's last bytes, too few for O_DIRECT: written at the end */
	uint64_t tail_offset;
	uint8_t tail[SLOT_BLOCK];
};

int sink_init(struct sink *sink, const struct pipeline_target *target, struct slots *slots, struct error *err);
void sink_destroy(struct sink *sink);
/* Takes the slot over. Thread-safe; at most one slot has offset 0. */
int sink_write(struct sink *sink, struct slot *slot, struct error *err);
/* When all other calls have returned: what is left but the head, and all of it flushed to the device. */
int sink_flush(struct sink *sink, struct error *err);
/* After sink_flush: the head, and flushed. If this fails, the head is blanked again as far as the device still takes
 * that, its first block before the rest. */
int sink_commit(struct sink *sink, struct error *err);
uint64_t sink_written(struct sink *sink);

#endif
