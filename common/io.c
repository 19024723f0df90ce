/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes on descriptors of any kind, also on those that somebody else made non-blocking (ssh does that
 * to what it shares). Deadlines are left to those who poll by themselves. */
#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define READ_SIZE ((size_t)64 * 1024)
/* Linux takes at most 2 GiB at a time, macOS refuses more than INT_MAX. */
#define MAX_COUNT ((size_t)1024 * 1024 * 1024)
#define MAX_OFFSET ((uint64_t)INT64_MAX)

static size_t at_most(size_t len, size_t max)
{
	return len < max ? len : max;
}

/* After a call failed: true when it is to be made again. */
static bool try_again(int fd, short events)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	struct pollfd ready = { .fd = fd, .events = events };
	return poll(&ready, 1, -1) >= 0 || errno == EINTR;
}

int io_write_all(int fd, const void *data, size_t len, const char *what, struct error *err)
{
	const char *from = data;

	while (len > 0) {
		ssize_t n = write(fd, from, at_most(len, MAX_COUNT));
		if (n < 0) {
			if (try_again(fd, POLLOUT))
				continue;
			return error_errno(err, ERROR_IO, errno, "cannot write %s", what);
		}
		if (n == 0)
			return error_set(err, ERROR_IO, "cannot write %s: nothing more is taken", what);
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t io_read_full(int fd, void *data, size_t len, const char *what, struct error *err)
{
	char *to = data;
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, to + got, at_most(len - got, MAX_COUNT));
		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
		else if (!try_again(fd, POLLIN))
			return error_errno(err, ERROR_IO, errno, "cannot read %s", what);
	}
	return (ssize_t)got;
}

/* The far end of the range must be an off_t too. */
static int check_range(size_t len, uint64_t offset, const char *what, struct error *err)
{
	if (offset <= MAX_OFFSET && len <= MAX_OFFSET - offset)
		return 0;
	return error_set(err, ERROR_IO, "%s has no offset %llu", what, (unsigned long long)offset);
}

ssize_t io_pread_full(int fd, void *data, size_t len, uint64_t offset, const char *what, struct error *err)
{
	char *to = data;
	size_t got = 0;

	if (check_range(len, offset, what, err) != 0)
		return -1;
	while (got < len) {
		ssize_t n = pread(fd, to + got, at_most(len - got, MAX_COUNT), (off_t)(offset + got));
		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
		else if (!try_again(fd, POLLIN))
			return error_errno(err, ERROR_IO, errno, "cannot read %s at offset %llu", what,
					   (unsigned long long)(offset + got));
	}
	return (ssize_t)got;
}

int io_pwrite_all(int fd, const void *data, size_t len, uint64_t offset, const char *what, struct error *err)
{
	const char *from = data;
	size_t done = 0;

	if (check_range(len, offset, what, err) != 0)
		return -1;
	while (done < len) {
		ssize_t n = pwrite(fd, from + done, at_most(len - done, MAX_COUNT), (off_t)(offset + done));
		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && try_again(fd, POLLOUT))
			continue;
		return error_errno(err, ERROR_IO, n == 0 ? ENOSPC : errno, "cannot write %s at offset %llu", what,
				   (unsigned long long)(offset + done));
	}
	return 0;
}

int io_read_to_end(int fd, struct buf *buf, const char *what, struct error *err)
{
	char one_more;

	for (;;) {
		/* at the maximum one byte is asked for, to tell a stream that just fits from one that is too long */
		size_t room = at_most(buf->max - buf->len, READ_SIZE);
		char *to = room == 0 ? &one_more : buf_reserve(buf, room);
		if (to == NULL)
			return error_nomem(err);
		ssize_t n = read(fd, to, room == 0 ? 1 : room);
		if (n < 0) {
			if (try_again(fd, POLLIN))
				continue;
			return error_errno(err, ERROR_IO, errno, "cannot read %s", what);
		}
		if (n == 0)
			return 0;
		if (room == 0)
			return error_set(err, ERROR_TOO_BIG, "%s is larger than %zu bytes", what, buf->max);
		buf_commit(buf, (size_t)n);
	}
}

int io_read_file(const char *path, size_t max, struct arena *arena, char **ret_text, size_t *ret_len,
		 struct error *err)
{
	CLEANUP_BUF struct buf buf = BUF_INIT(max);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, ERROR_IO, errno, "cannot open %s", path);
	if (io_read_to_end(fd, &buf, path, err) != 0)
		return -1;
	char *text = arena_strndup(arena, buf_text(&buf), buf.len);
	if (text == NULL)
		return error_nomem(err);
	*ret_text = text;
	if (ret_len != NULL)
		*ret_len = buf.len;
	return 0;
}

int io_set_cloexec(int fd, struct error *err)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot set close-on-exec on descriptor %d", fd);
	return 0;
}

int io_set_nonblocking(int fd, struct error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot make descriptor %d non-blocking", fd);
	return 0;
}
