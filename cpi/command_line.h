/* SPDX-License-Identifier: Apache-2.0 */
/* The command line to a struct. What a command does is left to main. */
#ifndef CPI_COMMAND_LINE_H
#define CPI_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "cpi/actions/worker_action.h"

enum command {
	COMMAND_SERVE, /* a request on standard input */
	COMMAND_CHECK,
	COMMAND_POLICY,
	COMMAND_SWEEP,
	COMMAND_TIMELINE,
	COMMAND_UPLOAD_IMAGE,
	COMMAND_ACTION,   /* a worker action, by its name */
	COMMAND_CALL,
	COMMAND_COMPLETE, /* for the shells' completion */
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

/* policy; NULL: not given. The lists are read by policy/selection.c. Its --kms-key is upload's. */
struct command_policy {
	const char *only, *with, *without, *role;
	bool list;
};

/* An action's parameter as it was typed; action_command.c knows whether there is one of that name. */
struct command_parameter {
	const char *option; /* "--worker-id" */
	size_t option_len;  /* without "=VALUE" */
	const char *value;  /* NULL: none was given */
};

/* More than any action takes: what is too much is unknown, or there twice. */
#define COMMAND_MAX_PARAMETERS 32

/* Texts are argv's. */
struct command_line {
	enum command command;
	enum command topic;        /* help's; COMMAND_SERVE: all */
	const struct worker_action *action; /* of COMMAND_ACTION, also where it is help's topic */
	const char *config;        /* NULL: none given */
	const char *director_uuid; /* sweep --director */
	const char *const *ids;    /* sweep's, behind CONFIG; into argv */
	size_t n_ids;
	const char *log;           /* timeline's FILE; NULL: none given */
	const char *request_id;    /* timeline --request */
	const char *slowest;       /* timeline --slowest */
	struct command_upload upload;
	struct command_policy policy;
	const char *region;        /* an action's, call's and policy's --region */
	const char *profile;       /* and --profile */
	struct command_parameter parameters[COMMAND_MAX_PARAMETERS]; /* an action's others */
	size_t n_parameters;
	const char *method;        /* call's */
	const char *const *arguments; /* of that method; complete's words; what an action does not take; into argv */
	size_t n_arguments;
	const char *api_version;   /* call --api-version */
	bool json;    /* check, policy --list, timeline, upload-image and actions --json */
	bool delete;  /* sweep --delete */
	bool by_tag;  /* sweep --by-tag */
	bool svg;     /* timeline --svg */
};

/* A word that stands for a command, and an option: for help and completion. */
struct command_word {
	const char *name;
	enum command command;
	const char *description; /* one line without a stop */
};

struct command_option {
	const char *name;
	unsigned commands; /* for which it is allowed, a bit each */
	size_t flag;       /* what it sets, an offset in struct command_line; 0: it takes a value */
	size_t value;      /* where that goes; 0: to a list */
	const char *description;
};

/* Reserved words win over a configuration of that name (./check is the file), and in the names of actions and their parameters
 * dashes and underscores are the same. Options may stand anywhere before "--", an action's parameters behind its name.
 * argv's positional arguments are moved to its front, behind argv[0]. ERROR_INVALID says what is wrong with the line. */
int command_line_parse(int argc, char **argv, struct command_line *ret_line, struct error *err);
/* What --help prints, but for the list of actions. */
const char *command_line_help(void);

/* All of them; complete, which is nobody's to type, is left out. */
const struct command_word *command_line_words(size_t *ret_count);
const struct command_option *command_line_options(size_t *ret_count);
bool command_option_fits(const struct command_option *option, enum command command);
/* The command that a word stands for, COMMAND_SERVE where it is none; for an action also which. */
enum command command_line_meaning(const char *word, const struct worker_action **ret_action);
/* Whether two names are the same but for dashes and underscores. */
bool command_line_same(const char *name, const char *typed, size_t typed_len);

#endif
