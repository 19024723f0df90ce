/* SPDX-License-Identifier: Apache-2.0 */
/* cpi sweep: finds what calls that were killed left in the account, lists it for a person, and removes it when told to. */
#ifndef CPI_METHODS_SWEEP_H
#define CPI_METHODS_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/runtime.h"
#include "cpi/ec2/client.h"

struct sweep_options {
	bool delete_found;         /* --delete: remove, not only list */
	bool by_tag;               /* look by the director's tag, not into this machine's journals */
	const char *director_uuid; /* required with by_tag */
	const char *const *ids;    /* with delete_found: only these */
	size_t n_ids;
	int out_fd; /* the table */
};

/* Without by_tag: the journals of dead processes (live ones, and those for another endpoint or access key, are counted and
 * left alone). What a journal in the state `answering` names may be known to the Director, so it is removed by id alone;
 * likewise any attachment, because the Director repeats one that failed, and the disk may be in use since.
 * With by_tag: all that carries the director's tag; removed by id alone. 0 when the list is whole and all that was to be
 * removed is gone; -1 otherwise, also when an id was given that is not in the list. The table is written in any case. */
int sweep_run(struct runtime *runtime, struct ec2_client *ec2, const struct sweep_options *options, struct error *err);

#endif
