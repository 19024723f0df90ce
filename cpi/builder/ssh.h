/* SPDX-License-Identifier: Apache-2.0 */
/* The SSH builder: the system's ssh starts onhost on another machine. What must live as long as the session is here: a private folder
 * with the configuration's host key in it, and an agent with its private key. */
#ifndef CPI_BUILDER_SSH_H
#define CPI_BUILDER_SSH_H

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/builder/command.h"
#include "cpi/config.h"

struct ssh;

/* config->stemcell.ssh.host must be set. *ret_command's texts live in the arena; it can be started until ssh_close, which takes
 * folder and agent away again and may be called with NULL. ERROR_CONFIG names what is wrong with a key. A kill leaves a folder
 * without secrets, and no agent. */
int ssh_open(struct runtime *runtime, const struct config *config, struct arena *arena, struct ssh **ret_ssh,
	     struct builder_command *ret_command, struct error *err);
void ssh_close(struct ssh *ssh);

#endif
