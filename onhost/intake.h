/* SPDX-License-Identifier: Apache-2.0 */
/* The reading end of the pipeline: a thread that takes the image from its source in large pieces, adds up its SHA-256,
 * and hands the pieces to the one thread that pulls. */
#ifndef ONHOST_INTAKE_H
#define ONHOST_INTAKE_H

#include "common/deadline.h"
#include "onhost/pipeline.h"
#include "onhost/stream.h"

struct intake;

/* clock tells when the first byte came. Freed by intake_free, when no thread uses it any more. */
int intake_new(const struct image_source *source, const struct clock *clock, struct intake **ret_intake,
	       struct error *err);
void intake_free(struct intake *intake);
/* The reader thread's work, until the end of the source, an error, or intake_stop. */
int intake_run(struct intake *intake, struct error *err);
/* Ends every wait; a read of the source that has begun is the source's to end. */
void intake_stop(struct intake *intake);
/* For the thread that pulls; pulling after intake_stop fails. */
struct stream_in intake_stream(struct intake *intake);

/* At any time, from any thread. */
uint64_t intake_bytes(struct intake *intake);
double intake_seconds(struct intake *intake); /* since the first byte, 0 before */
/* After intake_run returned 0: its SHA-256 in hex. */
const char *intake_sha256(const struct intake *intake);

#endif
