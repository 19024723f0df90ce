/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's memory: a fixed number of aligned slots, each a window of the disk image with a bit for every block of
 * it that must be written. */
#ifndef ONHOST_SLOTS_H
#define ONHOST_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "onhost/ring.h"

#define SLOT_SIZE ((size_t)1024 * 1024)
#define SLOT_BLOCK ((size_t)4096) /* also the alignment that O_DIRECT may ask for */
#define SLOT_BLOCKS (SLOT_SIZE / SLOT_BLOCK)

struct slot {
	uint8_t *data;   /* SLOT_SIZE bytes, aligned to SLOT_BLOCK */
	uint64_t offset; /* in the disk image: a multiple of SLOT_SIZE */
	size_t len;      /* bytes of data that count; under SLOT_SIZE only at the image's end or before a hole */
	uint64_t wanted[SLOT_BLOCKS / 64];
};

struct slots {
	struct ring free;
	struct slot slot[RING_MAX];
	void *memory;
};

/* count is at most RING_MAX. */
int slots_init(struct slots *slots, size_t count, struct error *err);
void slots_destroy(struct slots *slots);
/* Waits for a free one: empty, nothing wanted. NULL: the pool was stopped. */
struct slot *slots_get(struct slots *slots);
void slots_put(struct slots *slots, struct slot *slot);

void slot_clear(struct slot *slot);
/* Every block that [start, start + len) touches is wanted. */
void slot_want(struct slot *slot, size_t start, size_t len);
void slot_unwant(struct slot *slot, size_t block);
bool slot_wants(const struct slot *slot, size_t block);
/* Bytes of wanted blocks, cut at slot->len. */
size_t slot_wanted_bytes(const struct slot *slot);
/* The next run of wanted bytes at or after *position (start with 0), cut at slot->len; false when there is none. */
bool slot_next_run(const struct slot *slot, size_t *position, size_t *ret_start, size_t *ret_len);

#endif
