/* SPDX-License-Identifier: Apache-2.0 */
/* Never sleeps in a write, so that it can be stopped at any time. */
#include "onhost/outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int outflow_init(struct outflow *outflow, int fd, int stop_fd, struct slots *slots, struct error *err)
{
	memset(outflow, 0, sizeof(*outflow));
	outflow->fd = fd;
	outflow->stop_fd = stop_fd;
	outflow->slots = slots;
	outflow->flags = fcntl(fd, F_GETFL);
	if (outflow->flags < 0 || fcntl(fd, F_SETFL, outflow->flags | O_NONBLOCK) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot set up the output");
	return 0;
}

void outflow_destroy(struct outflow *outflow)
{
	fcntl(outflow->fd, F_SETFL, outflow->flags);
}

/* Waits until something can be written, or the work is stopped. */
static int wait_for_room(const struct outflow *outflow, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = outflow->fd, .events = POLLOUT },
		{ .fd = outflow->stop_fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0) {
		if (errno != EINTR)
			return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for the output");
	}
	if (fds[1].revents != 0)
		return error_set(err, ERROR_CANCELLED, "writing the disk image was stopped");
	return 0;
}

static int write_out(struct outflow *outflow, const uint8_t *data, size_t len, struct error *err)
{
	while (len > 0) {
		if (wait_for_room(outflow, err) != 0)
			return -1;
		ssize_t n = write(outflow->fd, data, len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return error_errno(err, ERROR_IO, errno,
					   "cannot write the disk image to the output at offset %llu",
					   (unsigned long long)atomic_load(&outflow->written));
		data += n;
		len -= (size_t)n;
		atomic_fetch_add(&outflow->written, (uint64_t)n);
	}
	return 0;
}

int outflow_slot(struct outflow *outflow, struct slot *slot, struct error *err)
{
	int result = write_out(outflow, slot->data, slot->len, err);

	slots_put(outflow->slots, slot);
	return result;
}
