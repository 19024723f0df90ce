/* SPDX-License-Identifier: Apache-2.0 */
/* The actions on snapshots. The table's functions (worker_action.h). */
#ifndef CPI_ACTIONS_SNAPSHOT_CALLS_H
#define CPI_ACTIONS_SNAPSHOT_CALLS_H

#include "cpi/actions/worker_action.h"

int snapshot_calls_create(struct call *call, const struct worker_values *values, struct json_writer *result,
			  struct error *err);
int snapshot_calls_of_volume(struct call *call, const struct worker_values *values, struct json_writer *result,
			     struct error *err);
int snapshot_calls_delete(struct call *call, const struct worker_values *values, struct json_writer *result,
			  struct error *err);
int snapshot_calls_has(struct call *call, const struct worker_values *values, struct json_writer *result,
		       struct error *err);

#endif
