/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of create_stemcell to the struct that the method takes. */
#ifndef CPI_RPC_STEMCELL_ARGS_H
#define CPI_RPC_STEMCELL_ARGS_H

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "cpi/config.h"
#include "cpi/methods/stemcell.h"

/* arguments: image_path, cloud_properties, and env where it is given. The configuration's stemcell properties win over
 * cloud_properties. ERROR_INVALID_CALL for a wrong type in the request, ERROR_CONFIG for one in the configuration;
 * ERROR_CLOUD for tags that are none and for a disk size below 1. Texts live as long as the request, the configuration
 * and the arena. */
int stemcell_args_create(const struct json *arguments, const struct config *config, struct arena *arena,
			 struct stemcell_create_request *ret_request, struct error *err);

#endif
