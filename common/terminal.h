/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal's user wants of it, by the variables that all programs heed. Whether there is one is isatty's to say.
 * Fact: no-color.org for NO_COLOR. */
#ifndef COMMON_TERMINAL_H
#define COMMON_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether TERM names one that knows more than plain lines. */
bool terminal_is_able(void);
/* Whether NO_COLOR leaves colours on. */
bool terminal_colour_is_wanted(void);
/* Whether LC_ALL, else LC_CTYPE, else LANG says UTF-8: by the variables, so that it does not matter which locales are installed. */
bool terminal_is_unicode(void);
/* How wide its user wants it: COLUMNS, else what the terminal at fd says; 0 where nobody does. */
size_t terminal_columns(int fd);

#endif
