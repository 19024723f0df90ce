/* SPDX-License-Identifier: Apache-2.0 */
/* Help on the actions, made from their table. */
#ifndef CPI_ACTION_HELP_H
#define CPI_ACTION_HELP_H

#include "common/buf.h"
#include "cpi/actions/worker_action.h"

#define ACTION_OPTION_SIZE 40

/* "worker_id" as an option: "--worker-id". */
void action_option_name(const struct worker_parameter *parameter, char ret_name[static ACTION_OPTION_SIZE]);
/* What `cpi ACTION --help` prints: usage, parameters, common options, exit statuses, an example. */
void action_help_write(const struct worker_action *action, struct buf *out);
/* The actions, a line each. */
void action_help_list(struct buf *out);

#endif
