/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: where agents that are older than version 2 of the API find their settings. */
#ifndef CPI_METHODS_REGISTRY_H
#define CPI_METHODS_REGISTRY_H

#include <stdbool.h>

#include "common/buf.h"
#include "cpi/methods/call.h"

/* Whether this call has to keep the registry: unless Director, CPI and stemcell are all at version 2 or more. */
bool registry_is_used(const struct call *call);
/* ERROR_CLOUD when it has to and none is configured; said before anything is created. */
int registry_require(const struct call *call, struct error *err);
/* The endpoint as agents get it, with the credentials inside; in the arena. NULL where none is configured. */
int registry_agent_endpoint(const struct call *call, const char **ret_url, struct error *err);

/* Replaces the instance's settings by this JSON text. */
int registry_put(struct call *call, const char *instance_id, const char *settings, struct error *err);
/* Gone already is success. */
int registry_delete(struct call *call, const char *instance_id, struct error *err);
/* Reads the settings, sets disks.persistent[disk_cid] (hint NULL: takes it out), writes them. */
int registry_set_disk(struct call *call, const char *instance_id, const char *disk_cid, const char *hint,
		      struct error *err);

/* Whether it answers and lets us in: asks for an instance that does not exist. *ret_endpoint: where it is, without
 * credentials; in the arena. */
int registry_probe(struct call *call, const char **ret_endpoint, struct error *err);

#endif
