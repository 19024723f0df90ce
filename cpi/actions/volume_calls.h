/* SPDX-License-Identifier: Apache-2.0 */
/* The actions on EBS volumes. The table's functions (worker_action.h). */
#ifndef CPI_ACTIONS_VOLUME_CALLS_H
#define CPI_ACTIONS_VOLUME_CALLS_H

#include "cpi/actions/worker_action.h"

int volume_calls_list(struct call *call, const struct worker_values *values, struct json_writer *result,
		      struct error *err);
int volume_calls_has(struct call *call, const struct worker_values *values, struct json_writer *result,
		     struct error *err);
int volume_calls_create(struct call *call, const struct worker_values *values, struct json_writer *result,
			struct error *err);
int volume_calls_delete(struct call *call, const struct worker_values *values, struct json_writer *result,
			struct error *err);
int volume_calls_attach(struct call *call, const struct worker_values *values, struct json_writer *result,
			struct error *err);
int volume_calls_detach(struct call *call, const struct worker_values *values, struct json_writer *result,
			struct error *err);

#endif
