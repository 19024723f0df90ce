/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer that is born with a maximum. A failure (no memory, over the maximum) sticks: later appends do
 * nothing, and the caller asks once, at the end. The bytes are always followed by a NUL that does not count. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t size; /* allocated */
	size_t max;  /* len never gets larger */
	bool failed;
};

#define BUF_INIT(max_bytes) { .max = (max_bytes) }

void buf_append(struct buf *buf, const void *data, size_t len);
void buf_str(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for len more bytes and returns where they go; NULL on failure. buf_commit then says how many came. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);
/* Empties it (also of a failure) and keeps the memory. */
void buf_reset(struct buf *buf);
void buf_free(struct buf *buf);
/* The text, "" when nothing was appended. Owned by the buffer until the next append. */
const char *buf_text(const struct buf *buf);
/* 0, or -1 and ERROR_TOO_BIG that names what (e.g. "the answer") and the maximum. */
int buf_check(const struct buf *buf, const char *what, struct error *err);

#define CLEANUP_BUF __attribute__((cleanup(buf_free)))

#endif
