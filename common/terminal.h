/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal's user wants of it, by the variables that all programs heed. Whether there is one is isatty's to say.
 * Fact: no-color.org for NO_COLOR. */
#ifndef COMMON_TERMINAL_H
#define COMMON_TERMINAL_H

#include <stdbool.h>

/* Whether TERM names one that knows more than plain lines. */
bool terminal_is_able(void);
/* Whether NO_COLOR leaves colours on. */
bool terminal_colour_is_wanted(void);

#endif
