/* SPDX-License-Identifier: Apache-2.0 */
/* Two hash tables: when the recent one is full it becomes the older one, and the older one is forgotten. Of an event its
 * 64-bit hash is kept. */
#include "cpi/timeline/seen.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE ((size_t)1024)
#define LAST_SIZE ((size_t)1024 * 1024)

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001B3ULL; /* FNV-1a */
	return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	return mix(hash, text, strlen(text) + 1);
}

static uint64_t hash_event(const struct event *event)
{
	const struct event_call *call = &event->call;
	uint64_t hash = 0xCBF29CE484222325ULL;

	hash = mix(hash, &event->kind, sizeof(event->kind));
	hash = mix(hash, &event->pid, sizeof(event->pid));
	hash = mix_text(hash, event->request_id);
	if (event->kind == EVENT_CALL) {
		hash = mix(hash, &call->start_ms, sizeof(call->start_ms));
		hash = mix(hash, &call->duration_ms, sizeof(call->duration_ms));
		hash = mix_text(hash, call->action);
		hash = mix_text(hash, call->aws_request_id);
		/* calls that got no answer, side by side */
		if (call->aws_request_id[0] == '\0')
			hash = mix_text(hash, call->purpose);
	} else {
		hash = mix(hash, &event->log_us, sizeof(event->log_us));
		hash = mix_text(hash, event->method);
	}
	hash ^= hash >> 32;
	hash *= 0xD6E8FEB86659FD93ULL;
	hash ^= hash >> 32;
	return hash == 0 ? 1 : hash;
}

/* Where it is, or where it would go. */
static uint64_t *find_slot(const struct seen_table *table, uint64_t hash)
{
	size_t at = hash & (table->size - 1);

	while (table->slots[at] != 0 && table->slots[at] != hash)
		at = (at + 1) & (table->size - 1);
	return &table->slots[at];
}

static bool has(const struct seen_table *table, uint64_t hash)
{
	return table->slots != NULL && *find_slot(table, hash) == hash;
}

static bool grow(struct seen_table *table)
{
	struct seen_table larger = { .size = table->size == 0 ? FIRST_SIZE : table->size * 2, .used = table->used };

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < table->size; i++) {
		if (table->slots[i] != 0)
			*find_slot(&larger, table->slots[i]) = table->slots[i];
	}
	free(table->slots);
	*table = larger;
	return true;
}

/* Room for one more. */
static bool make_room(struct seen *seen)
{
	struct seen_table *recent = &seen->recent;

	if (recent->used >= SEEN_WINDOW) {
		free(seen->older.slots);
		seen->older = *recent;
		*recent = (struct seen_table){ 0 };
	}
	if (recent->used < recent->size / 4 * 3)
		return true;
	return recent->size < LAST_SIZE && grow(recent);
}

bool seen_add(struct seen *seen, const struct event *event)
{
	if (seen->failed || (event->kind != EVENT_CALL && event->log_us == EVENT_TIME_UNKNOWN))
		return true;
	uint64_t hash = hash_event(event);
	if (has(&seen->recent, hash) || has(&seen->older, hash))
		return false;
	if (!make_room(seen)) {
		seen->failed = true;
		return true;
	}
	*find_slot(&seen->recent, hash) = hash;
	seen->recent.used++;
	return true;
}

void seen_free(struct seen *seen)
{
	free(seen->recent.slots);
	free(seen->older.slots);
	*seen = (struct seen){ 0 };
}
