/* SPDX-License-Identifier: Apache-2.0 */
#include "common/terminal.h"

#include <stdlib.h>
#include <string.h>

bool terminal_is_able(void)
{
	const char *terminal = getenv("TERM");

	return terminal != NULL && *terminal != '\0' && strcmp(terminal, "dumb") != 0;
}

bool terminal_colour_is_wanted(void)
{
	const char *none = getenv("NO_COLOR");

	return none == NULL || *none == '\0';
}
