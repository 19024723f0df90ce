/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the pipeline that writes the blocks which a snapshot needs, as common/onhost_blocks.h has them, to a stream:
 * each with any wanted part, whole, and zeros where nothing is wanted. It outlives the pipeline, because the last word is
 * about that one's result. */
#ifndef ONHOST_BLOCKFLOW_H
#define ONHOST_BLOCKFLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cancel.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "onhost/outlet.h"
#include "onhost/slots.h"

struct blockflow {
	struct outlet outlet;
	struct slots *slots;
	const _Atomic uint64_t *size; /* while there is a pipeline */
	uint64_t last_size;           /* what it was */
	bool begun;                   /* the first record has gone out */
	uint64_t whole;               /* bytes written up to the last record's end */
	_Atomic uint64_t sent;        /* bytes of blocks */
	_Atomic uint64_t padding;     /* of these, in parts that nothing wanted */
};

/* The output is an outlet until blockflow_close, which a signal (cancel; NULL: none) stops, and nothing else: a record that was
 * begun when the image turned out to be bad is ended, so that this can be told. */
int blockflow_open(struct blockflow *flow, int fd, const struct cancel *cancel, struct error *err);
void blockflow_close(struct blockflow *flow);
/* A pipeline begins and ends. *size is the image's, 0 while it is not known: it is known when the slot comes that the image ends
 * in, at the latest. Both are borrowed until blockflow_detach. */
void blockflow_attach(struct blockflow *flow, struct slots *slots, const _Atomic uint64_t *size);
void blockflow_detach(struct blockflow *flow);
/* Takes the slot over. Slots come in order, each window at most once, from one thread. ERROR_CANCELLED between two blocks when
 * the slots were stopped. */
int blockflow_slot(struct blockflow *flow, struct slot *slot, struct error *err);
/* The last record, after blockflow_detach. */
int blockflow_written(struct blockflow *flow, const struct onhost_written *written, struct error *err);
/* The same for a failure, at any time without a pipeline. Not said in the middle of a record, nor to a reader that has gone;
 * and after a signal only where there is room for it at once. */
void blockflow_failed(struct blockflow *flow, const struct error *why);

#endif
