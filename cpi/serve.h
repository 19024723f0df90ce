/* SPDX-License-Identifier: Apache-2.0 */
/* One request from its first byte to the last of its answer: reading, dispatching, undoing what a failed or
 * undelivered call has made, answering. */
#ifndef CPI_SERVE_H
#define CPI_SERVE_H

#include "cpi/setup.h"

struct serve_options {
	const char *config_path; /* NULL: the environment alone */
	int in_fd;
	int out_fd;
};

/* The process's exit status: 0 once an answer is out, errors included; 1 when none could be delivered. setup is fresh;
 * it is brought up as far as the method needs it, and closed. */
int serve_request(struct setup *setup, const struct serve_options *options);

#endif
