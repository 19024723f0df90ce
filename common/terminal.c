/* SPDX-License-Identifier: Apache-2.0 */
#include "common/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/parse.h"

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

static const char *first_set(const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = getenv(names[i]);
		if (value != NULL && value[0] != '\0')
			return value;
	}
	return "";
}

bool terminal_is_unicode(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *locale = first_set(names, sizeof(names) / sizeof(names[0]));

	return strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL;
}

size_t terminal_columns(int fd)
{
	const char *text = getenv("COLUMNS");
	struct winsize window = { 0 };
	uint64_t columns = 0;

	if (!parse_u64(text, &columns) && ioctl(fd, TIOCGWINSZ, &window) == 0)
		columns = window.ws_col;
	return (size_t)columns;
}
