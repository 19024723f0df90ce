/* SPDX-License-Identifier: Apache-2.0 */
#include "common/arena.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)16 * 1024)
#define ALIGNMENT _Alignof(max_align_t)

struct block {
	struct block *next;
	size_t size;
	size_t used;
	_Alignas(max_align_t) unsigned char data[];
};

struct arena {
	size_t max;
	pthread_mutex_t lock; /* over what follows */
	struct block *blocks; /* the newest first; only that one is filled further */
	size_t given;
};

struct arena *arena_new(size_t max_bytes)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	if (arena == NULL)
		return NULL;
	arena->max = max_bytes;
	if (pthread_mutex_init(&arena->lock, NULL) != 0) {
		free(arena);
		return NULL;
	}
	return arena;
}

static void free_blocks(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;
		free(block);
		block = next;
	}
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	free_blocks(arena->blocks);
	pthread_mutex_destroy(&arena->lock);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	pthread_mutex_lock(&arena->lock);
	if (arena->blocks != NULL) {
		free_blocks(arena->blocks->next);
		arena->blocks->next = NULL;
		arena->blocks->used = 0;
	}
	arena->given = 0;
	pthread_mutex_unlock(&arena->lock);
}

static struct block *new_block(struct arena *arena, size_t size)
{
	size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	if (room > SIZE_MAX - sizeof(struct block))
		return NULL;
	struct block *block = malloc(sizeof(*block) + room);
	if (block == NULL)
		return NULL;
	block->size = room;
	block->used = 0;
	/* a large piece gets a block of its own behind the current one, whose rest stays in use */
	if (size > BLOCK_SIZE / 2 && arena->blocks != NULL) {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
	} else {
		block->next = arena->blocks;
		arena->blocks = block;
	}
	return block;
}

/* Under the lock. */
static void *take(struct arena *arena, size_t size)
{
	if (size > arena->max - arena->given)
		return NULL;
	struct block *block = arena->blocks;
	if (block == NULL || size > block->size - block->used) {
		block = new_block(arena, size);
		if (block == NULL)
			return NULL;
	}
	void *memory = block->data + block->used;
	block->used += size;
	arena->given += size;
	return memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX - ALIGNMENT)
		return NULL;
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	pthread_mutex_lock(&arena->lock);
	void *memory = take(arena, size);
	pthread_mutex_unlock(&arena->lock);
	if (memory != NULL)
		memset(memory, 0, size);
	return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return arena_alloc(arena, total);
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	if (text == NULL || len == SIZE_MAX)
		return NULL;
	char *copy = arena_alloc(arena, len + 1);
	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return NULL;
	char *text = arena_alloc(arena, (size_t)len + 1);
	if (text == NULL)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

bool arena_holds(struct arena *arena, const void *memory)
{
	uintptr_t at = (uintptr_t)memory;
	bool found = false;

	pthread_mutex_lock(&arena->lock);
	for (const struct block *block = arena->blocks; block != NULL && !found; block = block->next)
		found = at >= (uintptr_t)block->data && at - (uintptr_t)block->data < block->used;
	pthread_mutex_unlock(&arena->lock);
	return found;
}
