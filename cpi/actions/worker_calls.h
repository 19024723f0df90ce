/* SPDX-License-Identifier: Apache-2.0 */
/* The actions on EC2 instances. The table's functions (worker_action.h). */
#ifndef CPI_ACTIONS_WORKER_CALLS_H
#define CPI_ACTIONS_WORKER_CALLS_H

#include "cpi/actions/worker_action.h"

int worker_calls_list(struct call *call, const struct worker_values *values, struct json_writer *result,
		      struct error *err);
int worker_calls_create(struct call *call, const struct worker_values *values, struct json_writer *result,
			struct error *err);
int worker_calls_delete(struct call *call, const struct worker_values *values, struct json_writer *result,
			struct error *err);
int worker_calls_get(struct call *call, const struct worker_values *values, struct json_writer *result,
		     struct error *err);
int worker_calls_has(struct call *call, const struct worker_values *values, struct json_writer *result,
		     struct error *err);
int worker_calls_start(struct call *call, const struct worker_values *values, struct json_writer *result,
		       struct error *err);
int worker_calls_reboot(struct call *call, const struct worker_values *values, struct json_writer *result,
			struct error *err);
int worker_calls_set_metadata(struct call *call, const struct worker_values *values, struct json_writer *result,
			      struct error *err);

#endif
