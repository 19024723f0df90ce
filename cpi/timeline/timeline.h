/* SPDX-License-Identifier: Apache-2.0 */
/* The command `cpi timeline`: reads a log with cpi's lines in it, and draws where the time went. Makes no call. */
#ifndef CPI_TIMELINE_TIMELINE_H
#define CPI_TIMELINE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define TIMELINE_MAX_SLOWEST 100000

struct timeline_options {
	const char *path;    /* NULL or "-": standard input */
	const char *only_id; /* NULL: all requests */
	const char *slowest; /* a number in decimal, NULL: as many as fit on a few pages */
	bool svg;
	bool json;
};

/* To standard output. ERROR_INVALID for options that make no sense and for a log in which there is nothing to draw. */
int timeline_run(const struct timeline_options *options, struct error *err);

#endif
