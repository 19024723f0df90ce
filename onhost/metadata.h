/* SPDX-License-Identifier: Apache-2.0 */
/* What the instance metadata service says of this machine, for the session's first answer and for people. */
#ifndef ONHOST_METADATA_H
#define ONHOST_METADATA_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "common/runtime.h"

/* Fills all but version and release. Not being on EC2 is no failure: the ids are "" then and metadata_error says why.
 * Texts live in the arena. ERROR_CANCELLED and ERROR_NOMEM only. */
int metadata_hello(struct runtime *runtime, struct arena *arena, struct onhost_hello_ok *ret_hello, struct error *err);
/* Appends one line of JSON with instance id, region, zone, type, architecture. ERROR_METADATA where nothing answers. */
int metadata_print(struct runtime *runtime, struct buf *out, struct error *err);

#endif
