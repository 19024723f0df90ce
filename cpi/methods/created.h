/* SPDX-License-Identifier: Apache-2.0 */
/* What each creating step shares: its tags, and what a failed creating call means for undo. */
#ifndef CPI_METHODS_CREATED_H
#define CPI_METHODS_CREATED_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/error.h"
#include "cpi/ec2/client.h"
#include "cpi/ec2/volumes.h"
#include "cpi/methods/call.h"
#include "cpi/methods/undo.h"

/* The tags, cut to EC2's limits, with the step's own last: nothing overrides it. */
int created_tags(struct arena *arena, struct ec2_tags tags, const struct undo_step *step, struct ec2_tags *ret_tags,
		 struct error *err);
/* Several lists as one: of a repeated key the last counts, in the place of the first. */
int created_merge(struct arena *arena, const struct ec2_tags *lists, size_t n_lists, struct ec2_tags *ret_tags,
		  struct error *err);
/* The creating call failed with err: forgets the step where EC2 refused it, and keeps it where an answer was lost. */
void created_not(struct undo *undo, const struct undo_step *step, const struct error *err);

/* A volume for a step that has been intended: client token and tags of *request are set here, the latter to these and the step's
 * own. Settles the step as far as EC2's answer allows. The volume is not waited for. */
int created_volume(struct call *call, const struct undo_step *step, struct ec2_tags tags,
		   struct volume_create_request *request, struct volume *ret_volume, struct error *err);
/* A step of its own: a completed snapshot of a volume, one alone whatever happened on the way. The id is in the call's
 * arena. */
int created_snapshot(struct call *call, const char *volume_id, const char *description, struct ec2_tags tags,
		     const char **ret_snapshot_id, struct error *err);
/* The same, not waited for: it is still pending (but for one that a lost answer may have made twice). */
int created_snapshot_begun(struct call *call, const char *volume_id, const char *description, struct ec2_tags tags,
			   const char **ret_snapshot_id, struct error *err);

#endif
