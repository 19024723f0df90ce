/* SPDX-License-Identifier: Apache-2.0 */
/* What it means when ssh, sudo on the other machine, or its shell ends a session: a sentence for each cause, with what to do. */
#ifndef CPI_BUILDER_SSH_WORDS_H
#define CPI_BUILDER_SSH_WORDS_H

#include "cpi/builder/command.h"

/* As builder_command.explain. Goes by the exit status (ssh's own failures are 255, else it is the remote command's) and by the
 * words of OpenSSH 8.0 to 10.0, sudo 1.8 and 1.9, and the shells. */
const char *ssh_words_explain(const struct builder_command *command, const struct builder_end *end);

#endif
