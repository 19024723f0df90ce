/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the whole run, taken once. What is wanted is set by extents.c and read by the writing ends. */
#include "onhost/slots.h"

#include <stdlib.h>
#include <string.h>

int slots_init(struct slots *slots, size_t count, struct error *err)
{
	if (ring_init(&slots->free, count, err) != 0)
		return -1;
	slots->memory = aligned_alloc(SLOT_BLOCK, count * SLOT_SIZE);
	if (slots->memory == NULL) {
		ring_destroy(&slots->free);
		return error_nomem(err);
	}
	for (size_t i = 0; i < count; i++) {
		slots->slot[i] = (struct slot){ .data = (uint8_t *)slots->memory + i * SLOT_SIZE };
		ring_put(&slots->free, &slots->slot[i]);
	}
	return 0;
}

void slots_destroy(struct slots *slots)
{
	ring_destroy(&slots->free);
	free(slots->memory);
	slots->memory = NULL;
}

struct slot *slots_get(struct slots *slots)
{
	void *item;

	if (!ring_get(&slots->free, &item))
		return NULL;
	struct slot *slot = item;
	slot_clear(slot);
	return slot;
}

void slots_put(struct slots *slots, struct slot *slot)
{
	/* there is room for every slot; stopped means that nobody will ask again */
	ring_put(&slots->free, slot);
}

void slot_clear(struct slot *slot)
{
	slot->offset = 0;
	slot->len = 0;
	memset(slot->wanted, 0, sizeof(slot->wanted));
}

void slot_want(struct slot *slot, size_t start, size_t len)
{
	if (len == 0)
		return;
	size_t last = (start + len - 1) / SLOT_BLOCK;
	for (size_t block = start / SLOT_BLOCK; block <= last && block < SLOT_BLOCKS; block++)
		slot->wanted[block / 64] |= UINT64_C(1) << (block % 64);
}

void slot_unwant(struct slot *slot, size_t block)
{
	slot->wanted[block / 64] &= ~(UINT64_C(1) << (block % 64));
}

bool slot_wants(const struct slot *slot, size_t block)
{
	return block < SLOT_BLOCKS && (slot->wanted[block / 64] >> (block % 64) & 1) != 0;
}

size_t slot_wanted_bytes(const struct slot *slot)
{
	size_t sum = 0, position = 0, start, len;

	while (slot_next_run(slot, &position, &start, &len))
		sum += len;
	return sum;
}

bool slot_next_run(const struct slot *slot, size_t *position, size_t *ret_start, size_t *ret_len)
{
	size_t first = (*position + SLOT_BLOCK - 1) / SLOT_BLOCK;

	while (first < SLOT_BLOCKS && !slot_wants(slot, first))
		first++;
	if (first * SLOT_BLOCK >= slot->len)
		return false;
	size_t end = first;
	while (slot_wants(slot, end))
		end++;
	*ret_start = first * SLOT_BLOCK;
	*ret_len = (end * SLOT_BLOCK < slot->len ? end * SLOT_BLOCK : slot->len) - *ret_start;
	*position = end * SLOT_BLOCK;
	return true;
}
