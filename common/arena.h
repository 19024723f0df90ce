/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: memory that is freed all at once. One request is one arena; a long loop has a scratch arena that it resets
 * each time round. Several threads may take from one at the same time; emptying and freeing it are its owner's alone. */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* An empty arena that gives out at most max_bytes in all; NULL when there is no memory. Freed by arena_free. */
struct arena *arena_new(size_t max_bytes);
void arena_free(struct arena *arena);
/* Takes back all that was given out, and keeps one block for what comes. */
void arena_reset(struct arena *arena);

/* Zeroed memory aligned for any type, owned by the arena; NULL when memory or the limit is used up. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((alloc_size(2)));
/* The same for count items; NULL also when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((alloc_size(2, 3)));
/* Copies, NUL-terminated; NULL as above, and for a NULL text. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether memory was given out by this arena (and is gone with it). */
bool arena_holds(struct arena *arena, const void *memory);

static inline void arena_free_ptr(struct arena **arena)
{
	arena_free(*arena);
}
#define CLEANUP_ARENA __attribute__((cleanup(arena_free_ptr)))

#endif
