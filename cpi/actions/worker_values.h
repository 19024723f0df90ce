/* SPDX-License-Identifier: Apache-2.0 */
/* An action's parameters, checked against its definition. */
#ifndef CPI_ACTIONS_WORKER_VALUES_H
#define CPI_ACTIONS_WORKER_VALUES_H

#include "common/error.h"
#include "common/json_read.h"
#include "cpi/actions/worker_action.h"

struct worker_values {
	const struct worker_action *action;
	const char *texts[WORKER_ACTION_MAX_PARAMETERS]; /* of strings; NULL: not given, and no default */
	int64_t numbers[WORKER_ACTION_MAX_PARAMETERS];   /* of integers */
};

/* object: the parameters by name (NULL: none); null is not given, except where something is required. ERROR_INVALID_CALL says
 * what is expected: for an unknown name with the nearest one, a missing, empty or mistyped value, a number out of range. Texts
 * are the object's. region has no default here: configuration and environment come before that. */
int worker_values_read(const struct worker_action *action, const struct json *object, struct worker_values *ret_values,
		       struct error *err);
/* From a request's arguments: nothing, null, or one object. */
int worker_values_of_arguments(const struct worker_action *action, const struct json *arguments,
			       struct worker_values *ret_values, struct error *err);
/* By name; a name that the action does not have is a defect: NULL, 0. */
const char *worker_values_text(const struct worker_values *values, const char *name);
int64_t worker_values_number(const struct worker_values *values, const char *name);

#endif
