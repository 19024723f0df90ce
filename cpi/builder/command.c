/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/builder/command.h"

#include <string.h>

#include "cpi/aws/environment.h"

void builder_command_add(struct builder_command *command, const char *text)
{
	if (command->count + 1 >= BUILDER_MAX_ARGS)
		return;
	/* argv's type is older than const */
	char *argument;
	memcpy(&argument, &text, sizeof(argument));
	command->argv[command->count++] = argument;
}

/* The environment can be read by whoever runs as the same user; ssh hands the language on. */
static const char *const not_for_builders[] = {
	ENVIRONMENT_CREDENTIALS, "LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", NULL,
};

struct process_manner builder_manner(bool no_terminal)
{
	return (struct process_manner){ .without = not_for_builders, .no_terminal = no_terminal };
}
