/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes that are whole or fail, through EINTR and short counts. Errors are ERROR_IO and name `what`. */
#ifndef COMMON_IO_H
#define COMMON_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"

int io_write_all(int fd, const void *data, size_t len, const char *what, struct error *err);
/* Up to len bytes: fewer only at the end of the stream. The count, or -1. */
ssize_t io_read_full(int fd, void *data, size_t len, const char *what, struct error *err);
ssize_t io_pread_full(int fd, void *data, size_t len, uint64_t offset, const char *what, struct error *err);
int io_pwrite_all(int fd, const void *data, size_t len, uint64_t offset, const char *what, struct error *err);
/* To the end of the stream, appended to buf; ERROR_TOO_BIG beyond buf's maximum. */
int io_read_to_end(int fd, struct buf *buf, const char *what, struct error *err);
/* A whole file of at most max bytes, NUL-terminated, in the arena. ret_len may be NULL. */
int io_read_file(const char *path, size_t max, struct arena *arena, char **ret_text, size_t *ret_len,
		 struct error *err);
int io_set_cloexec(int fd, struct error *err);
int io_set_nonblocking(int fd, struct error *err);

#endif
