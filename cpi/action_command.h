/* SPDX-License-Identifier: Apache-2.0 */
/* `cpi ACTION`: its options to a request, and its result as a table or lines on a terminal, as JSON elsewhere. What an action
 * does is in cpi/actions. */
#ifndef CPI_ACTION_COMMAND_H
#define CPI_ACTION_COMMAND_H

#include "cpi/command_line.h"
#include "cpi/setup.h"

/* The action's arguments: an array with one object, in the arena and of the line's texts. ERROR_INVALID names the option that is
 * unknown (with the nearest), missing, there twice or no right value, and what is expected. */
int action_command_read(const struct command_line *line, struct arena *arena, const struct json **ret_arguments,
			struct error *err);
/* The exit status; everything has been said. setup is fresh, and closed afterwards. */
int action_command_run(struct setup *setup, const struct command_line *line, const struct json *arguments);

#endif
