/* SPDX-License-Identifier: Apache-2.0 */
/* create_vm's arguments, with the configuration's defaults. Whether they go together is the methods' to say. */
#ifndef CPI_RPC_VM_ARGS_H
#define CPI_RPC_VM_ARGS_H

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "cpi/config.h"
#include "cpi/methods/vm_spec.h"

/* arguments: [agent_id, stemcell_cid, cloud_properties, networks, disk_cids, env], the last two optional. ERROR_INVALID_CALL
 * "Arguments are not correct, got: …" for a wrong type, ERROR_CONFIG for one in the configuration, ERROR_CLOUD for what is
 * missing (in the incumbent's words) or cannot be. Texts live as long as arguments, configuration and arena. */
int vm_args_create(const struct json *arguments, const struct config *config, struct arena *arena,
		   struct vm_spec *ret_spec, struct error *err);

#endif
