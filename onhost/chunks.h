/* SPDX-License-Identifier: Apache-2.0 */
/* The image as a session sends it, in chunks, as a source for the pipeline. A stream that was cut, or whose SHA-256 is
 * not the sender's, is an error, never a short image. */
#ifndef ONHOST_CHUNKS_H
#define ONHOST_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cancel.h"
#include "common/digest.h"
#include "common/error.h"
#include "onhost/peer.h"

struct chunks {
	struct peer *peer; /* borrowed; used by nobody else until the end or an error */
	struct cancel stop;
	uint32_t left; /* bytes of the present chunk that are still to come */
	bool ended;    /* the end message has come */
	char sha256[SHA256_HEX_SIZE]; /* the sender's, from there */
};

int chunks_open(struct chunks *chunks, struct peer *peer, struct error *err);
void chunks_close(struct chunks *chunks);
/* All for struct image_source; self is the chunks. ERROR_PROTOCOL for all that breaks off, or differs from its sum. */
int chunks_read(void *self, void *data, size_t len, size_t *ret_got, struct error *err);
int chunks_check(void *self, const char *sha256, struct error *err);
void chunks_stop(void *self);

#endif
