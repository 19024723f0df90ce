/* SPDX-License-Identifier: Apache-2.0 */
/* The command that starts onhost, here (local.c) or elsewhere (ssh_command.c), and what is known of it: all that a session needs
 * to know of its builder. */
#ifndef CPI_BUILDER_COMMAND_H
#define CPI_BUILDER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/process.h"

#define BUILDER_MAX_ARGS 80

/* How a command ended before its time, and what it had said. */
struct builder_end {
	int exit_status;   /* -1: by a signal, or not known */
	const char *words; /* the last lines of its standard error */
	bool greeted;      /* onhost had answered before */
};

struct builder_command {
	char *argv[BUILDER_MAX_ARGS]; /* ends with NULL; texts in the arena */
	size_t count;
	const char *name;    /* "local", "ssh" */
	const char *machine; /* where onhost runs, for messages: "this machine" */
	const char *how;     /* for messages and the log: "sudo -n /path/onhost serve" */
	const char *advice;  /* what to do when it does not start; "" or "; …" */
	bool no_terminal;    /* it has none and can ask nothing */
	/* May be NULL. A sentence that says what the end means and what to do; NULL where nothing more is known than is said
	 * anyway. */
	const char *(*explain)(const struct builder_command *self, const struct builder_end *end);
	bool host_key_given; /* for explain: the other machine's key is the configuration's */
	bool through_sudo;   /* for explain */
};

/* Behind the others; nothing beyond BUILDER_MAX_ARGS. The text is borrowed. */
void builder_command_add(struct builder_command *command, const char *text);

/* How all programs of a builder's are started: they ask AWS nothing, so they get none of its secrets; and what they say is in
 * English. */
struct process_manner builder_manner(bool no_terminal);

#endif
