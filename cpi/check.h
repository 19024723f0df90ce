/* SPDX-License-Identifier: Apache-2.0 */
/* `cpi check`: a person's first stop when something is wrong. Looks at the configuration, the credentials and who they are,
 * the endpoints, the clock, the permissions, the builder and the registry; says for each what it found, and what to do where
 * that is not right. */
#ifndef CPI_CHECK_H
#define CPI_CHECK_H

#include <stdbool.h>

#include "common/error.h"
#include "cpi/setup.h"

struct check_options {
	const char *config_path; /* NULL: the environment alone */
	bool json;               /* one JSON object instead of lines */
	bool terminal;           /* the output is one: ticks and colours, if it wants them */
	int out_fd;
};

/* Creates nothing in the account. setup is fresh; the caller closes it. *ret_fine: nothing was found to be wrong. -1
 * only when the findings cannot be told (memory, output, a signal). */
int check_run(struct setup *setup, const struct check_options *options, bool *ret_fine, struct error *err);

#endif
