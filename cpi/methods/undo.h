/* SPDX-License-Identifier: Apache-2.0 */
/* What a call has created, so that a failure, a signal, a lost answer or a kill leaves nothing behind. Each thing is written
 * to the journal before it is created (journal.h) and undone in reverse order. Two or more of a kind are fine. */
#ifndef CPI_METHODS_UNDO_H
#define CPI_METHODS_UNDO_H

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/ec2/client.h"

/* What carries the request's tag, and below it what is known by a name of its own beforehand. */
enum undo_kind {
	UNDO_VOLUME,
	UNDO_SNAPSHOT,
	UNDO_IMAGE,
	UNDO_INSTANCE,
	UNDO_INTERFACE,
	UNDO_ATTACHMENT, /* "vol-… i-…": a volume attached to an instance; undone by detaching it */
	UNDO_ROUTE, /* "rtb-… 10.0.0.0/8 i-…" and, where it led elsewhere before, " GatewayId igw-…": undone by deleting
		     * it or leading it there again, unless somebody else has changed it since */
};

/* For one thread: tasks that run beside each other are announced before and noted after. */
struct undo;

/* Nothing touches the disk until the first undo_intend. director_uuid, request_id and method are copied. */
int undo_new(struct runtime *runtime, struct ec2_client *ec2, const char *director_uuid, const char *request_id,
	     const char *method, struct undo **ret_undo, struct error *err);
void undo_free(struct undo *undo);

struct undo_step {
	unsigned number;
	const char *token; /* for ClientToken: unique to process and step, at most 64 ASCII characters */
	struct ec2_tag tag; /* aws-cpi-request = <director>/<request id>/<step>: on the thing from its creation on */
};

/* Before the creating call: the journal's line is on the disk when this returns. A state directory that cannot be written is
 * a warning, not an error. Texts live as long as undo. */
int undo_intend(struct undo *undo, enum undo_kind kind, struct undo_step *ret_step, struct error *err);
/* The same for a thing whose name is known beforehand (the kinds from UNDO_ATTACHMENT on): no undo_created follows. Without an
 * undo_forget for a call that was refused, undo_run gives it some seconds to take effect. */
int undo_intend_known(struct undo *undo, enum undo_kind kind, const char *id, struct undo_step *ret_step,
		      struct error *err);
/* After it: the id is known. */
void undo_created(struct undo *undo, const struct undo_step *step, const char *id);
/* The call that would have created it failed for good, or the thing was deleted in the course of the method. */
void undo_forget(struct undo *undo, const struct undo_step *step);

/* Undoes one thing in the course of the method: what may have been created although its call failed, before another is
 * created in its place. Nothing to do when it was forgotten. */
int undo_now(struct undo *undo, const struct undo_step *step, struct error *err);

/* Undoes all that is left, newest first; also what was intended and whose id never came (looked up by tag). Works although
 * a signal has come (cancel_clear); a second signal shortens it. What could not be undone stays in the journal and is named
 * behind err's message ("… left behind: volume vol-… (why)"). */
void undo_run(struct undo *undo, struct error *err);

/* Before the first byte of the answer goes out: from here on the Director may know what was created. */
void undo_answering(struct undo *undo);
/* The answer is out: the journal is removed. */
void undo_answered(struct undo *undo);

#endif
