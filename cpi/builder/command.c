/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/builder/command.h"

#include <string.h>

void builder_command_add(struct builder_command *command, const char *text)
{
	if (command->count + 1 >= BUILDER_MAX_ARGS)
		return;
	/* argv's type is older than const */
	char *argument;
	memcpy(&argument, &text, sizeof(argument));
	command->argv[command->count++] = argument;
}
