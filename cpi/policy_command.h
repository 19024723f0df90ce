/* SPDX-License-Identifier: Apache-2.0 */
/* `cpi policy`: the IAM policy for what a configuration uses, on standard output. Makes no call, needs no credentials and no
 * network. What is in it is policy/'s. */
#ifndef CPI_POLICY_COMMAND_H
#define CPI_POLICY_COMMAND_H

#include "common/error.h"
#include "cpi/command_line.h"
#include "cpi/setup.h"

/* 0 once it is written. ERROR_CONFIG for the configuration, ERROR_INVALID for a choice that cannot be, as policy_select. */
int policy_command_run(struct setup *setup, const struct command_line *line, int out_fd, struct error *err);
/* What `cpi policy --help` prints. */
void policy_command_help(struct buf *out);

#endif
