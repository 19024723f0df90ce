/* SPDX-License-Identifier: Apache-2.0 */
/* info and ping: what this CPI is, without network, credentials, or anything else that takes time: the Director asks
 * in a process of its own before most calls. */
#ifndef CPI_METHODS_INFO_H
#define CPI_METHODS_INFO_H

#include <stddef.h>

#include "cpi/methods/call.h"

struct info {
	const char *const *stemcell_formats;
	size_t n_stemcell_formats;
	int api_version; /* the highest on offer */
};

void info_get(const struct call *call, struct info *ret_info);
/* "pong" */
const char *info_ping(void);

#endif
