/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks to a stream of bytes. Runs in a thread of the pipeline, which is the only one that reads from the peer then.
 */
#include "onhost/chunks.h"

#include <signal.h>
#include <string.h>

#include "common/arena.h"

#define SCRATCH_MAX ((size_t)1024 * 1024)

int chunks_open(struct chunks *chunks, struct peer *peer, struct error *err)
{
	*chunks = (struct chunks){ .peer = peer };
	if (cancel_open(&chunks->stop, err) != 0)
		return -1;
	peer->stop = &chunks->stop;
	return 0;
}

void chunks_close(struct chunks *chunks)
{
	if (chunks->peer != NULL && chunks->peer->stop != NULL)
		cancel_close(&chunks->stop);
	if (chunks->peer != NULL)
		chunks->peer->stop = NULL;
	chunks->peer = NULL;
}

void chunks_stop(void *self)
{
	struct chunks *chunks = self;

	cancel_raise(&chunks->stop, SIGTERM);
}

static int read_end_message(struct chunks *chunks, struct onhost_msg *msg, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(SCRATCH_MAX);
	const char *line;
	size_t len;
	bool ended;

	if (arena == NULL)
		return error_nomem(err);
	if (peer_line(chunks->peer, &line, &len, &ended, err) != 0)
		return -1;
	if (ended)
		return error_set(err, ERROR_PROTOCOL, "the session ended where the image's end message was due");
	if (onhost_msg_decode(arena, line, len, msg, err) != 0)
		return error_prefix(err, "the image's end message");
	if (msg->type != ONHOST_MSG_END)
		return error_set(err, ERROR_PROTOCOL, "another message came where the image's end message was due");
	return 0;
}

static int take_end(struct chunks *chunks, struct error *err)
{
	struct onhost_msg msg;

	if (read_end_message(chunks, &msg, err) != 0)
		return -1;
	memcpy(chunks->sha256, msg.end_sha256, sizeof(chunks->sha256));
	chunks->ended = true;
	return 0;
}

int chunks_check(void *self, const char *sha256, struct error *err)
{
	const struct chunks *chunks = self;

	if (strcmp(sha256, chunks->sha256) == 0)
		return 0;
	return error_set(err, ERROR_PROTOCOL,
			 "the image was damaged on its way: its SHA-256 was %s when it was sent and is %s here",
			 chunks->sha256, sha256);
}

int chunks_read(void *self, void *data, size_t len, size_t *ret_got, struct error *err)
{
	struct chunks *chunks = self;
	size_t got = 0;

	if (!chunks->ended && chunks->left == 0) {
		uint32_t next;
		if (peer_chunk(chunks->peer, &next, err) != 0)
			return -1;
		if (next == 0 && take_end(chunks, err) != 0)
			return -1;
		chunks->left = next;
	}
	if (!chunks->ended) {
		if (peer_data(chunks->peer, data, len < chunks->left ? len : chunks->left, &got, err) != 0)
			return -1;
		chunks->left -= (uint32_t)got;
	}
	*ret_got = got;
	return 0;
}
