/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and removing one thing that a call created and nobody wants: what undo (its own process) and sweep (other, dead
 * ones) share. Which things those are is theirs to say. */
#ifndef CPI_METHODS_LEFTOVER_H
#define CPI_METHODS_LEFTOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/error.h"
#include "cpi/ec2/client.h"
#include "cpi/methods/undo.h"

/* On everything that a call creates: <director>/<request id>/<step>. */
#define LEFTOVER_TAG "aws-cpi-request"
/* What EC2 may need until all that ask see what it has just created. */
#define LEFTOVER_AWAIT_MS ((int64_t)10 * 1000)

struct leftover {
	enum undo_kind kind;
	const char *id;
	const char *state;     /* as EC2 calls it */
	const char *tag_value; /* "" when it has none */
	const char *name;      /* its Name tag, "" when it has none */
};

/* "volume", "snapshot", "image", "instance", "network interface", "attachment", "route". */
const char *leftover_name(enum undo_kind kind);
bool leftover_by_name(const char *name, enum undo_kind *ret_kind);

/* Things of that kind by id (NULL: by the tag's value, in which * stands for anything; the kinds from UNDO_ATTACHMENT on are
 * known by their id alone). None is success; what EC2 still shows although it is deleted or terminated does not count, nor a
 * route that leads elsewhere by now. Texts live in the arena. */
int leftover_find(struct ec2_client *ec2, struct arena *arena, enum undo_kind kind, const char *id, const char *tag_value,
		  struct leftover **ret_found, size_t *ret_count, struct error *err);
/* The same for a thing that was made a moment ago, or whose creation may be in flight: looks again for LEFTOVER_AWAIT_MS
 * until it is there. */
int leftover_await(struct ec2_client *ec2, struct arena *arena, enum undo_kind kind, const char *id,
		   const char *tag_value, struct leftover **ret_found, size_t *ret_count, struct error *err);

/* Removes it with what hangs on it and waits until it is gone: a volume is detached first (by force only when it lingers), an
 * image takes the snapshots behind it along, an instance the volumes and interfaces that end with it, a route leads where it
 * led before. An interface waits for its instance's end, and is refused at once while that runs on. Gone already is success,
 * and so is a route that somebody else has changed. hurry: everything is asked for once, and -1 ERROR_CANCELLED unless it is
 * gone by then. */
int leftover_remove(struct ec2_client *ec2, enum undo_kind kind, const char *id, bool hurry, struct error *err);

#endif
