/* SPDX-License-Identifier: Apache-2.0 */
/* onhost's subcommands: a table of names, options and functions. */
#ifndef ONHOST_COMMANDS_H
#define ONHOST_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/runtime.h"
#include "onhost/options.h"

struct command {
	const char *name;
	const char *usage;   /* behind the name, in the help */
	const char *summary; /* one line */
	const char *details; /* more for the command's own help; "" or ends with a line break */
	const char *example; /* a command line */
	const char *options; /* letters of what it allows, see options.c */
	bool http;           /* runtime.http is needed */
	bool log_info;       /* speaks to a program: its log says more */
	/* Results go to standard output. ERROR_INVALID_CALL for a misuse that only the command sees. */
	int (*run)(struct runtime *runtime, const struct options *options, struct error *err);
};

/* The whole table. */
const struct command *commands_list(size_t *ret_count);
/* NULL when there is none of that name. */
const struct command *commands_find(const char *name);

#endif
