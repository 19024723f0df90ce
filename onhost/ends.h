/* SPDX-License-Identifier: Apache-2.0 */
/* What can stand at the pipeline's writing end, behind one table: a device to write to or to compare with, a stream for the
 * disk image or for its blocks. */
#ifndef ONHOST_ENDS_H
#define ONHOST_ENDS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/error.h"
#include "onhost/blockflow.h"
#include "onhost/compare.h"
#include "onhost/outflow.h"
#include "onhost/sink.h"
#include "onhost/slots.h"

#define END_THREADS_MAX 2

struct end_kind;

/* All borrowed. */
struct end {
	const struct end_kind *kind;
	struct slots *slots;
	const struct pipeline_target *target; /* of ends_write and ends_verify */
	int out_fd;                           /* of ends_unpack */
	int stop_fd;                          /* the same: readable when the work was stopped */
	struct blockflow *blocks;             /* of ends_blocks */
	const _Atomic uint64_t *image_size;   /* the same: 0: not known (yet) */
	union {
		struct sink sink;
		struct compare compare;
		struct outflow outflow;
	} to;
};

struct end_kind {
	unsigned threads; /* 1 to END_THREADS_MAX; with more than one, slots come in any order */
	int (*open)(struct end *end, struct error *err);
	void (*close)(struct end *end); /* only after open succeeded */
	int (*slot)(struct end *end, struct slot *slot, struct error *err);
	int (*flush)(struct end *end, struct error *err);  /* after the last slot; NULL: nothing to do */
	int (*commit)(struct end *end, struct error *err); /* when nothing can stop it any more; NULL: nothing to do */
	uint64_t (*bytes)(struct end *end);
	uint64_t (*padding)(struct end *end); /* of these, what nothing wanted; NULL: none */
};

extern const struct end_kind ends_write;
extern const struct end_kind ends_verify;
extern const struct end_kind ends_unpack;
extern const struct end_kind ends_blocks;

#endif
