/* SPDX-License-Identifier: Apache-2.0 */
/* How onhost is started on this machine. */
#ifndef CPI_BUILDER_LOCAL_H
#define CPI_BUILDER_LOCAL_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/builder/command.h"
#include "cpi/config.h"

/* aws.stemcell.onhost_path, else the file beside cpi's own, else the first in PATH. ERROR_CONFIG when there is none, with the
 * places that were looked at. */
int local_onhost(const struct config *config, struct arena *arena, const char **ret_path, struct error *err);
/* That onhost, as root or for the lab itself, otherwise through sudo. */
int local_command(const struct config *config, struct arena *arena, struct builder_command *ret_command,
		  struct error *err);

#endif
