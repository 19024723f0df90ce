/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of the files that the AWS tools share, as Python's RawConfigParser and botocore's configloader take it:
 * "[section]", "key = value" or "key: value", keys in any case of letters; lines that are indented deeper than the key
 * continue its value; lines that begin with # or ; are comments, and nothing behind a value is; keys of [DEFAULT] are in
 * every section; where a value begins with an empty line, its other lines are keys of their own. Knows nothing of files
 * and profiles. */
#ifndef CPI_AWS_INI_H
#define CPI_AWS_INI_H

#include <stddef.h>

#include "common/arena.h"
#include "common/error.h"
#include "cpi/aws/profile.h"

/* The sections in their order, each with kind NULL and what stands between the brackets as its name; all in the arena.
 * ERROR_INVALID names the line and what is wrong with it, never its text: no UTF-8, a NUL, a line outside of a section,
 * one without "=", a section or key for the second time. */
int ini_parse(const char *text, size_t len, struct arena *arena, const struct profile_section **ret_sections,
	      struct error *err);

#endif
