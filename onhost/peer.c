/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing that watch three things at once: the descriptor, our cancellation, and whether the other side is
 * still there. What comes next is never read ahead: the descriptor is shared with a process that reads the image. */
#include "onhost/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "common/buf.h"

/* A pipe that poll() calls writable takes this much without blocking (PIPE_BUF). */
#define SEND_PIECE ((size_t)4096)
#define CHUNK_HEADER ((size_t)4)
#define PIPE_BYTES (1024 * 1024)

void peer_init(struct peer *peer, int in_fd, int out_fd, const struct cancel *cancel)
{
	*peer = (struct peer){ .in_fd = in_fd, .out_fd = out_fd, .cancel = cancel };
	onhost_frames_init(&peer->frames);
	/* sshd and sudo leave it at 64 KiB, and would wait for us at every second piece of theirs; not getting it is fine */
	(void)fcntl(in_fd, F_SETPIPE_SZ, PIPE_BYTES);
}

void peer_free(struct peer *peer)
{
	onhost_frames_free(&peer->frames);
}

static size_t unused(const struct peer *peer)
{
	return peer->frames.in.len - peer->frames.taken;
}

static int gone(struct error *err)
{
	return error_set(err, ERROR_PROTOCOL, "the other side of the session no longer reads what onhost answers");
}

/* Waits until fd is ready for the events (or at its end). */
static int await(const struct peer *peer, int fd, short events, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = peer->cancel == NULL ? -1 : peer->cancel->read_fd, .events = POLLIN },
		/* no events: only that its reader has gone is reported */
		{ .fd = fd == peer->out_fd ? -1 : peer->out_fd, .events = 0 },
		{ .fd = peer->stop == NULL || fd == peer->out_fd ? -1 : peer->stop->read_fd, .events = POLLIN },
	};
	for (;;) {
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0 && errno != EINTR)
			return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for the session's other side");
		if (cancel_check(peer->cancel, err) != 0)
			return -1;
		if (fds[2].revents != 0)
			return gone(err);
		if (fds[3].revents != 0)
			return error_set(err, ERROR_CANCELLED, "the rest of the image is not wanted any more");
		if (fds[0].revents != 0)
			return 0;
		for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
			fds[i].revents = 0; /* poll leaves them as they are when it is interrupted */
	}
}

/* One read of at most len bytes; *ret_got 0 at the end of the stream. */
static int read_some(const struct peer *peer, void *data, size_t len, size_t *ret_got, struct error *err)
{
	for (;;) {
		if (await(peer, peer->in_fd, POLLIN, err) != 0)
			return -1;
		ssize_t got = read(peer->in_fd, data, len);
		if (got >= 0) {
			*ret_got = (size_t)got;
			return 0;
		}
		if (errno == ECONNRESET) {
			*ret_got = 0;
			return 0;
		}
		if (errno != EINTR && errno != EAGAIN)
			return error_errno(err, ERROR_IO, errno, "cannot read from the session's other side");
	}
}

/* Up to len bytes more, no more than CHUNK_HEADER. */
static int feed(struct peer *peer, size_t len, size_t *ret_got, struct error *err)
{
	char piece[CHUNK_HEADER];
	size_t got;

	if (read_some(peer, piece, len, &got, err) != 0)
		return -1;
	onhost_frames_feed(&peer->frames, piece, got);
	*ret_got = got;
	return 0;
}

int peer_line(struct peer *peer, const char **ret_line, size_t *ret_len, bool *ret_ended, struct error *err)
{
	for (;;) {
		size_t got;
		int result = onhost_frames_line(&peer->frames, ret_line, ret_len, err);
		if (result < 0)
			return -1;
		*ret_ended = false;
		if (result > 0)
			return 0;
		/* where a line ends is known when it has come; messages are short and few */
		if (feed(peer, 1, &got, err) != 0)
			return -1;
		if (got > 0)
			continue;
		if (unused(peer) > 0)
			return error_set(err, ERROR_PROTOCOL, "the session ended in the middle of a message");
		*ret_ended = true;
		return 0;
	}
}

static int cut(struct error *err)
{
	return error_set(err, ERROR_PROTOCOL,
			 "the session ended before the image did: its sender stopped or the connection broke");
}

int peer_chunk(struct peer *peer, uint32_t *ret_len, struct error *err)
{
	for (;;) {
		size_t got;
		int result = onhost_frames_chunk_header(&peer->frames, ret_len, err);
		if (result != 0)
			return result < 0 ? -1 : 0;
		if (feed(peer, CHUNK_HEADER - unused(peer), &got, err) != 0)
			return -1;
		if (got == 0)
			return cut(err);
	}
}

int peer_data(struct peer *peer, void *data, size_t len, size_t *ret_got, struct error *err)
{
	size_t got;

	if (read_some(peer, data, len, &got, err) != 0)
		return -1;
	if (got == 0)
		return cut(err);
	*ret_got = got;
	return 0;
}

static bool takes_more(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	return poll(&ready, 1, 0) == 1;
}

static int send_piece(const struct peer *peer, const char *data, size_t len, size_t *ret_sent, struct error *err)
{
	for (;;) {
		if (!takes_more(peer->out_fd) && await(peer, peer->out_fd, POLLOUT, err) != 0)
			return -1;
		ssize_t sent = write(peer->out_fd, data, len < SEND_PIECE ? len : SEND_PIECE);
		if (sent >= 0) {
			*ret_sent = (size_t)sent;
			return 0;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return gone(err);
		if (errno != EINTR && errno != EAGAIN)
			return error_errno(err, ERROR_IO, errno, "cannot answer the session's other side");
	}
}

int peer_send(struct peer *peer, const struct onhost_msg *msg, struct error *err)
{
	struct buf line CLEANUP_BUF = BUF_INIT(ONHOST_LINE_MAX);

	if (onhost_msg_encode(msg, &line, err) != 0)
		return -1;
	for (size_t at = 0; at < line.len;) {
		size_t sent = 0;
		if (send_piece(peer, line.data + at, line.len - at, &sent, err) != 0)
			return -1;
		at += sent;
	}
	return 0;
}
