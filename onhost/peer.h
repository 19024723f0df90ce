/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of a session: lines and data from standard input, messages to standard output. Every wait also ends
 * when we are cancelled, and when nobody reads our output any more. Nothing is read beyond what was asked for, so that
 * after any call another process can go on with the same descriptor. What the messages mean is session.h's business. */
#ifndef ONHOST_PEER_H
#define ONHOST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cancel.h"
#include "common/error.h"
#include "common/onhost_msg.h"

struct peer {
	int in_fd;
	int out_fd;
	const struct cancel *cancel;
	const struct cancel *stop; /* ends reads as cancel does; NULL: there is none */
	struct onhost_frames frames;
};

void peer_init(struct peer *peer, int in_fd, int out_fd, const struct cancel *cancel);
/* Releases memory; the descriptors stay the caller's. */
void peer_free(struct peer *peer);

/* The next line, borrowed until the next call. *ret_ended true, and no line, at the end of the stream between two
 * lines; inside one: ERROR_PROTOCOL. ERROR_CANCELLED, ERROR_IO; ERROR_PROTOCOL also when our output is closed. */
int peer_line(struct peer *peer, const char **ret_line, size_t *ret_len, bool *ret_ended, struct error *err);
/* The length of the next chunk. The end of the stream is ERROR_PROTOCOL. */
int peer_chunk(struct peer *peer, uint32_t *ret_len, struct error *err);
/* Some of a chunk's data, 1 to len bytes. The end of the stream is ERROR_PROTOCOL. */
int peer_data(struct peer *peer, void *data, size_t len, size_t *ret_got, struct error *err);
/* Sends one message. When cancelled, it is still sent if that needs no waiting. */
int peer_send(struct peer *peer, const struct onhost_msg *msg, struct error *err);

#endif
