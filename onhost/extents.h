/* SPDX-License-Identifier: Apache-2.0 */
/* What must be written: pieces of the disk image come in, in order and with holes between them, and slots go out, with
 * a bit for each block that has to reach the target. One thread; knows neither archives nor targets. */
#ifndef ONHOST_EXTENTS_H
#define ONHOST_EXTENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/error.h"
#include "common/log.h"
#include "onhost/freemap.h"
#include "onhost/slots.h"

struct extents_options {
	uint64_t limit;    /* the largest image, UINT64_MAX: any */
	const char *where; /* what has that limit, for messages */
	bool holes;        /* holes go out as zeros that are wanted; otherwise they are left out */
	bool skip_zeros;   /* blocks of zeros are not wanted */
	bool skip_free;    /* blocks of zeros that an ext4 file system in the image calls free are not wanted */
	bool digest;
	struct log *log; /* borrowed; NULL: none */
	struct slots *slots;
	/* In order; the slot belongs to the callee, which gives it back by slots_put. Slots without a wanted block are
	 * not handed out. */
	int (*emit)(void *self, struct slot *slot, struct error *err);
	void *emit_self;
};

/* Slots that are lent at a time. */
#define EXTENTS_LENT 3

struct extents {
	struct extents_options options;
	struct slot *lent[EXTENTS_LENT]; /* being filled by whoever reads the image, in turn */
	unsigned lends;
	struct slot *filling; /* a window that more data are expected for */
	uint64_t done;        /* bytes of the image that came, holes included */
	uint64_t wanted;      /* bytes of blocks that are wanted */
	uint64_t hashed;
	struct digest *digest;
	struct freemap *freemap; /* NULL unless skip_free */
	/* for progress, read by another thread */
	_Atomic uint64_t total;   /* 0: not known (yet) */
	_Atomic uint64_t skipped; /* bytes left out so far */
};

/* extents_destroy also after a failure, once extents_init was called. options is copied. */
int extents_init(struct extents *extents, const struct extents_options *options, struct error *err);
void extents_destroy(struct extents *extents);
/* The size is known in advance. ERROR_IMAGE: zero, not a multiple of 512, over the limit. */
int extents_declare(struct extents *extents, uint64_t size, struct error *err);
/* Memory of SLOT_SIZE for bytes to come, valid until EXTENTS_LENT calls later: the next bytes may be on their way while these
 * are given to extents_data. Data that fill it wholly and are given to
 * extents_data as they stand there go on without a copy, if their offset is a multiple of SLOT_SIZE. */
int extents_lend(struct extents *extents, uint8_t **ret_data, struct error *err);
/* ERROR_IMAGE: behind the declared end or the limit, or before what came already. */
int extents_data(struct extents *extents, const uint8_t *data, size_t len, uint64_t offset, struct error *err);
/* The image ends: where it was declared, or else after the last byte that came. */
int extents_end(struct extents *extents, struct error *err);
/* After extents_end: SHA-256 of the image, holes as zeros, in hex; "" unless it was asked for. */
int extents_sha256(struct extents *extents, char ret_hex[SHA256_HEX_SIZE], struct error *err);

#endif
