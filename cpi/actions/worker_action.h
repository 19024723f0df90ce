/* SPDX-License-Identifier: Apache-2.0 */
/* The worker actions in one table: what each is called, takes and does. Request, command line, shared library, completion and
 * man page are made from it. */
#ifndef CPI_ACTIONS_WORKER_ACTION_H
#define CPI_ACTIONS_WORKER_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/nearest.h"
#include "cpi/methods/call.h"

#define WORKER_ACTION_MAX_PARAMETERS 4
#define WORKER_ACTION_REGION "us-east-1" /* where nobody says another */

enum worker_parameter_type { WORKER_STRING, WORKER_INTEGER };

struct worker_parameter {
	const char *name;        /* "worker_id"; NULL ends a list */
	const char *description; /* for people, one line without a stop */
	enum worker_parameter_type type;
	bool required;
	bool may_be_empty;       /* "" is a value */
	const char *fallback;    /* of an optional one, for people and for the action; NULL: none */
	int64_t least, most;     /* of an integer */
};

struct worker_values; /* worker_values.h */

/* Adds its members to the object that result has begun ("success" is in it already). */
typedef int (*worker_action_fn)(struct call *call, const struct worker_values *values, struct json_writer *result,
				struct error *err);

struct worker_action {
	const char *name;
	const char *description;
	struct worker_parameter parameters[WORKER_ACTION_MAX_PARAMETERS + 1]; /* in the order in which they are told */
	const char *list;  /* the member of the result that is a list of objects; NULL: none is */
	const char *shown; /* of such a list what a terminal shows, in this order, between blanks */
	worker_action_fn run;
};

/* All of them, in the order in which they are told. */
const struct worker_action *worker_actions(size_t *ret_count);
/* Their names for a "did you mean". */
void worker_actions_try(struct nearest *nearest);
/* NULL where there is none of that name. */
const struct worker_action *worker_action_find(const char *name);
/* The action that a request means; NULL: none, perhaps a method. delete_snapshot is both: with an object it is the action. */
const struct worker_action *worker_action_meant(const char *name, const struct json *arguments);
const struct worker_parameter *worker_action_parameter(const struct worker_action *action, const char *name);

/* The definition as JSON: {"name", "description", "parameters": [{"name", "description", "type": "string"|"integer",
 * "required", "default"}]}; default is null where there is none. */
void worker_action_define(const struct worker_action *action, struct json_writer *out);

#endif
