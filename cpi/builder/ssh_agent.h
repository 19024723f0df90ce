/* SPDX-License-Identifier: Apache-2.0 */
/* An ssh-agent of our own with one key in it: how a key of the configuration reaches ssh without a file, an argument or a variable
 * that others could read. The agent ends when we do, however that happens. */
#ifndef CPI_BUILDER_SSH_AGENT_H
#define CPI_BUILDER_SSH_AGENT_H

#include "common/error.h"
#include "common/process.h"
#include "common/runtime.h"

#define SSH_AGENT_SOCKET_SIZE 108 /* as sun_path's */

/* Starts as all zeros. */
struct ssh_agent {
	struct process process; /* waits at the end of our pipe, and then ends the agent */
	const struct clock *clock;
	char socket[SSH_AGENT_SOCKET_SIZE];
};

/* Starts it on that socket, which must not be there yet (its path at most as long as sun_path), and hands it the key (text in PEM or
 * OpenSSH's form; line breaks of Windows, and a missing last one, are mended). ERROR_CONFIG that says what is wrong with the key:
 * malformed, or protected by a passphrase. ERROR_IO where a program is not there or fails. */
int ssh_agent_start(struct ssh_agent *agent, struct runtime *runtime, const char *socket, const char *key,
		    struct error *err);
/* Ends it, so that nobody has the key any more; waits for that, at most some seconds. Safe on one that is not running. */
void ssh_agent_close(struct ssh_agent *agent);

#endif
