/* SPDX-License-Identifier: Apache-2.0 */
/* Never sleeps in a write, so that it can be stopped at any time. */
#include "onhost/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

int outlet_open(struct outlet *outlet, int fd, int stop_fd, const char *what, struct error *err)
{
	*outlet = (struct outlet){ .fd = fd, .stop_fd = stop_fd, .what = what };
	outlet->flags = fcntl(fd, F_GETFL);
	if (outlet->flags < 0 || fcntl(fd, F_SETFL, outlet->flags | O_NONBLOCK) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot set up the output");
	return 0;
}

void outlet_close(struct outlet *outlet)
{
	fcntl(outlet->fd, F_SETFL, outlet->flags);
}

/* Waits until something can be written, or the work is stopped. */
static int wait_for_room(const struct outlet *outlet, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = outlet->fd, .events = POLLOUT },
		{ .fd = outlet->stop_fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0) {
		if (errno != EINTR)
			return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for the output");
	}
	if (fds[1].revents != 0)
		return error_set(err, ERROR_CANCELLED, "writing %s was stopped", outlet->what);
	return 0;
}

int outlet_write(struct outlet *outlet, const void *data, size_t len, struct error *err)
{
	const uint8_t *next = data;

	while (len > 0) {
		ssize_t n = write(outlet->fd, next, len);
		int why = n < 0 ? errno : 0;
		if (why == EAGAIN && wait_for_room(outlet, err) != 0)
			return -1;
		if (why == EINTR || why == EAGAIN)
			continue;
		if (why != 0)
			return error_errno(err, ERROR_IO, why, "cannot write %s to the output at offset %llu",
					   outlet->what, (unsigned long long)atomic_load(&outlet->written));
		next += n;
		len -= (size_t)n;
		atomic_fetch_add(&outlet->written, (uint64_t)n);
	}
	return 0;
}
