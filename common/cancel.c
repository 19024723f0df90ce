/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int set_flags(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

int cancel_open(struct cancel *cancel, struct error *err)
{
	int fds[2];

	if (pipe(fds) != 0)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot make a pipe");
	if (set_flags(fds[0]) != 0 || set_flags(fds[1]) != 0) {
		close(fds[0]);
		close(fds[1]);
		return error_errno(err, ERROR_INTERNAL, errno, "cannot set up a pipe");
	}
	*cancel = (struct cancel){ .read_fd = fds[0], .write_fd = fds[1] };
	return 0;
}

int cancel_renew(struct cancel *cancel, struct error *err)
{
	struct cancel renewed;

	if (cancel_open(&renewed, err) != 0)
		return -1;
	cancel->read_fd = renewed.read_fd;
	cancel->write_fd = renewed.write_fd;
	if (cancel->signal != 0)
		cancel_raise(cancel, cancel->signal);
	return 0;
}

void cancel_close(struct cancel *cancel)
{
	close(cancel->read_fd);
	close(cancel->write_fd);
	cancel->read_fd = -1;
	cancel->write_fd = -1;
}

void cancel_raise(struct cancel *cancel, int signal)
{
	int saved = errno;
	cancel->signal = signal;
	/* a full pipe is readable already */
	ssize_t ignored = write(cancel->write_fd, "", 1);
	(void)ignored;
	errno = saved;
}

bool cancel_raised(const struct cancel *cancel)
{
	return cancel != NULL && cancel->signal != 0;
}

int cancel_check(const struct cancel *cancel, struct error *err)
{
	if (!cancel_raised(cancel))
		return 0;
	if (cancel->signal == CANCEL_NO_SIGNAL)
		return error_set(err, ERROR_CANCELLED, "stopped, because something else has failed");
	return error_set(err, ERROR_CANCELLED, "stopped by signal %d (%s)", (int)cancel->signal,
			 strsignal(cancel->signal));
}

void cancel_clear(struct cancel *cancel)
{
	char drained[64];

	cancel->signal = 0;
	while (read(cancel->read_fd, drained, sizeof(drained)) > 0)
		;
}
