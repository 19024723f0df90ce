/* SPDX-License-Identifier: Apache-2.0 */
/* onhost's options: what is on the command line, as a struct, and the help that lists them. */
#ifndef ONHOST_OPTIONS_H
#define ONHOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

#define OPTION_JSON 'j' /* its letter in the lists of what is allowed */

/* Texts are borrowed from argv; NULL when not given. */
struct options {
	const char *volume;      /* checked for form */
	const char *device;
	const char *device_name;
	const char *image;       /* "-": standard input */
	const char *lab_devices;
	int64_t timeout_ms;      /* 0: the default */
	bool lab;                /* also with lab_devices */
	bool fresh;
	bool blocks;
	bool encrypted;
	bool skip_zero_blocks;
	bool force;
	bool digest;
	bool json;
	bool verbose;
	bool help;
};

/* Reads argv[1] and what follows (argv[0] is the command's name). allowed is the list of the options' letters as
 * options.c's table has them. ERROR_INVALID_CALL for what is not allowed, malformed, or no option at all. */
int options_parse(int argc, char *const argv[], const char *allowed, struct options *ret_options, struct error *err);
/* One line for each allowed option. */
void options_print(FILE *out, const char *allowed);

#endif
