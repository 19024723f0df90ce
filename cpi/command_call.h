/* SPDX-License-Identifier: Apache-2.0 */
/* A call that a person makes: it is run, its result printed, what went wrong said. Which call it is, and how its result looks,
 * is left to action_command.c and call_command.c. */
#ifndef CPI_COMMAND_CALL_H
#define CPI_COMMAND_CALL_H

#include <stdbool.h>

#include "cpi/rpc/request.h"
#include "cpi/setup.h"

#define COMMAND_CALL_FAILED 1 /* exit statuses */
#define COMMAND_CALL_WRONG 2  /* arguments that cannot be right */

/* Appends what is printed of a result. A failure is one of memory, which out keeps. */
typedef void (*command_call_show)(void *self, const struct json *result, struct buf *out);

struct command_call {
	const char *config_path; /* NULL: none */
	struct request request;
	bool highest_version;    /* as run_call's */
	bool json_failure;       /* a failure also goes to standard output, as {"success": false, "error": …} */
	command_call_show show;  /* NULL: the result as one line of JSON */
	void *self;              /* show's */
};

/* The exit status: 0 once the result is on standard output; otherwise one of those above, and what went wrong is on standard
 * error. What a call has made whose result could not be printed is undone. setup is fresh, and closed afterwards. */
int command_call_run(struct setup *setup, const struct command_call *command);

#endif
