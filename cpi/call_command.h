/* SPDX-License-Identifier: Apache-2.0 */
/* `cpi call METHOD [ARGUMENT...]`: a method of the CPI by hand. Arguments are JSON; what a Director would say besides is made
 * up. */
#ifndef CPI_CALL_COMMAND_H
#define CPI_CALL_COMMAND_H

#include "cpi/command_line.h"
#include "cpi/rpc/request.h"
#include "cpi/setup.h"

struct call_command {
	struct request request;
	bool highest_version; /* no --api-version */
};

/* An argument that neither is JSON nor begins as an object, an array or a string does is the text that it is: i-0123…, /dev/sdf.
 * ERROR_INVALID for a method that does not exist (with the nearest), for broken JSON with its place, for a version that is none.
 * All is in the arena, and of the line's texts. */
int call_command_read(const struct command_line *line, struct arena *arena, struct call_command *ret_command,
		      struct error *err);
/* The exit status; everything has been said. setup is fresh, and closed afterwards. */
int call_command_run(struct setup *setup, const struct command_line *line, const struct call_command *command);
/* What `cpi call --help` prints. */
void call_command_help(struct buf *out);

#endif
