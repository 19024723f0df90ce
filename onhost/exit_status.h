/* SPDX-License-Identifier: Apache-2.0 */
/* onhost's exit statuses: one table for the program, its help, and (kept equal by a test) its man page. */
#ifndef ONHOST_EXIT_STATUS_H
#define ONHOST_EXIT_STATUS_H

#include <stdio.h>

#include "common/error.h"

#define EXIT_STATUS_DONE 0
#define EXIT_STATUS_OTHER 1
#define EXIT_STATUS_USAGE 2
#define EXIT_STATUS_SIGNAL 128 /* and the signal's number */

/* signal is the one that stopped us, for ERROR_CANCELLED. */
int exit_status_of(enum error_kind kind, int signal);
/* One line for each. */
void exit_status_print(FILE *out);

#endif
