/* SPDX-License-Identifier: Apache-2.0 */
/* The command line to a struct. What a command does is left to main. */
#ifndef CPI_COMMAND_LINE_H
#define CPI_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

enum command {
	COMMAND_SERVE, /* a request on standard input */
	COMMAND_CHECK,
	COMMAND_SWEEP,
	COMMAND_TIMELINE,
	COMMAND_UPLOAD_IMAGE,
	COMMAND_HELP,
	COMMAND_VERSION,
};

#define COMMAND_MAX_TAGS 50 /* that EC2 takes */

/* upload-image; NULL: not given. Numbers and pairs are read by upload_command.c. */
struct command_upload {
	const char *image;
	const char *name, *description, *size, *architecture, *boot_mode, *kms_key, *connections;
	const char *tags[COMMAND_MAX_TAGS]; /* "KEY=VALUE" */
	size_t n_tags;
	bool make_ami, encrypted, skip_zero_blocks, no_resume;
};

/* Texts are argv's. */
struct command_line {
	enum command command;
	const char *config;        /* NULL: none given */
	const char *director_uuid; /* sweep --director */
	const char *const *ids;    /* sweep's, behind CONFIG; into argv */
	size_t n_ids;
	const char *log;           /* timeline's FILE; NULL: none given */
	const char *request_id;    /* timeline --request */
	const char *slowest;       /* timeline --slowest */
	struct command_upload upload;
	bool json;    /* check, timeline and upload-image --json */
	bool delete;  /* sweep --delete */
	bool by_tag;  /* sweep --by-tag */
	bool svg;     /* timeline --svg */
};

/* Reserved words win over a configuration of that name (./check is the file). Options may stand anywhere before "--".
 * argv's positional arguments are moved to its front, behind argv[0]. ERROR_INVALID says what is wrong with the line. */
int command_line_parse(int argc, char **argv, struct command_line *ret_line, struct error *err);
/* What --help prints. */
const char *command_line_help(void);

#endif
