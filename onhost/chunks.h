/* SPDX-License-Identifier: Apache-2.0 */
/* The image as a session sends it, in chunks, as a source for the pipeline. Its end is only told once the sender's
 * SHA-256 was compared: a stream that was cut or damaged is an error, never a short image. */
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
	struct digest *digest;
	struct cancel stop;
	uint32_t left; /* bytes of the present chunk that are still to come */
	bool ended;    /* the end message has come and was right */
};

int chunks_open(struct chunks *chunks, struct peer *peer, struct error *err);
void chunks_close(struct chunks *chunks);
/* Both for struct image_source; self is the chunks. ERROR_PROTOCOL for all that breaks off, or differs from its sum. */
int chunks_read(void *self, void *data, size_t len, size_t *ret_got, struct error *err);
void chunks_stop(void *self);

#endif
