/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of ssh: from the configuration, and from what ssh.c has made for this session. Starts nothing. */
#ifndef CPI_BUILDER_SSH_COMMAND_H
#define CPI_BUILDER_SSH_COMMAND_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/builder/command.h"
#include "cpi/config.h"

/* What ssh.c has found or made. Paths without blanks, quotes, % and $, which ssh would read as something else. */
struct ssh_files {
	const char *known_hosts; /* NULL: the user's own files count */
	const char *ciphers;     /* option Ciphers; NULL: ssh's own choice */
	const char *agent;       /* socket of the agent with the configuration's key; NULL: there is none */
};

/* Where it goes: port, user and host, as far as the configuration has them. Behind the options. */
int ssh_command_add_place(struct builder_command *command, const struct config_ssh *ssh, struct arena *arena, struct error *err);
/* Texts in the arena, or the configuration's. Options of ssh: ssh(1), ssh_config(5) of OpenSSH 8.5 and later. */
int ssh_command(const struct config *config, const struct ssh_files *files, struct arena *arena,
		struct builder_command *ret_command, struct error *err);

#endif
