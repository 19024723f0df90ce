/* SPDX-License-Identifier: Apache-2.0 */
/* Reads may wait on a pipe for ever, so each waits for cancellation as well. */
#include "onhost/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

int image_file_open(struct image_file *file, const char *path, const struct cancel *cancel, struct error *err)
{
	bool standard = strcmp(path, "-") == 0;
	struct stat st;

	int fd CLEANUP_FD =
		standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0)
		return error_errno(err, ERROR_IO, errno, "the image %s cannot be opened", path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, ERROR_IMAGE, "%s is a folder: name the image file", path);
	struct cancel stop;
	if (cancel_open(&stop, err) != 0)
		return -1;
	*file = (struct image_file){ .fd = steal_fd(&fd),
				     .name = standard ? "standard input" : path,
				     .cancel = cancel,
				     .stop = stop };
	return 0;
}

void image_file_close(struct image_file *file)
{
	if (file->fd >= 0) {
		close(file->fd);
		cancel_close(&file->stop);
	}
	file->fd = -1;
}

void image_file_stop(void *self)
{
	struct image_file *file = self;

	cancel_raise(&file->stop, SIGTERM);
}

int image_file_read(void *self, void *data, size_t len, size_t *ret_got, struct error *err)
{
	const struct image_file *file = self;
	struct pollfd fds[] = {
		{ .fd = file->fd, .events = POLLIN },
		{ .fd = file->cancel == NULL ? -1 : file->cancel->read_fd, .events = POLLIN },
		{ .fd = file->stop.read_fd, .events = POLLIN },
	};
	for (;;) {
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0 && errno != EINTR)
			return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for %s", file->name);
		if (cancel_check(file->cancel, err) != 0)
			return -1;
		if (cancel_raised(&file->stop))
			return error_set(err, ERROR_CANCELLED, "the rest of %s is not wanted any more", file->name);
		ssize_t got = fds[0].revents == 0 ? -1 : read(file->fd, data, len);
		if (got >= 0) {
			*ret_got = (size_t)got;
			return 0;
		}
		if (fds[0].revents != 0 && errno != EINTR && errno != EAGAIN)
			return error_errno(err, ERROR_IO, errno, "cannot read %s", file->name);
		fds[0].revents = 0;
	}
}
