/* SPDX-License-Identifier: Apache-2.0 */
/* One call from its parsed request to its result: what all doors to methods and actions share (a request on standard input, the
 * command line, the library). Where request and result come from and go to is the door's. */
#ifndef CPI_RUN_CALL_H
#define CPI_RUN_CALL_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/error.h"
#include "cpi/actions/worker_action.h"
#include "cpi/methods/undo.h"
#include "cpi/rpc/request.h"
#include "cpi/setup.h"

/* Starts as { .setup = …, .config_path = …, .request = … }, ends with run_call_end. */
struct run_call {
	struct setup *setup;     /* fresh; brought up as far as the call needs it */
	const char *config_path; /* NULL: setup's choice */
	struct request request;
	bool highest_version; /* a method's api_version is the highest that the configuration offers, and not the request's */
	const struct worker_action *action; /* which one it is, from run_call on; NULL: a method */
	struct undo *undo;                  /* NULL for what makes nothing */
	char random_id[UUID_SIZE];          /* where the request has no id */
};

/* The request of somebody at a terminal or of a program, with a context made up: the method's or action's name, and its arguments
 * (an array). who stands for the Director's UUID. Everything is in the arena. */
int run_call_make_request(const char *method, const struct json *arguments, const char *who, struct arena *arena,
			  struct request *ret_request, struct error *err);

/* Runs it: one JSON value goes to result; an action's is an object with "success": true. What a call that fails has made is
 * undone here, and err's message is free of secrets then. */
int run_call(struct run_call *run, struct buf *result, struct error *err);
/* Before and after the result is handed out. From the first byte on somebody may know what was made; where it did not get
 * through, run_call_undelivered takes that back, and adds to *err what could not be. */
void run_call_delivering(struct run_call *run);
void run_call_delivered(struct run_call *run);
void run_call_undelivered(struct run_call *run, struct error *err);
/* Closes setup, too. */
void run_call_end(struct run_call *run);

#endif
