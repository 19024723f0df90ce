/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of create_disk and update_disk to the structs that the methods take. Texts live as long as the request, the
 * configuration and the arena. */
#ifndef CPI_RPC_DISK_ARGS_H
#define CPI_RPC_DISK_ARGS_H

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "cpi/config.h"
#include "cpi/methods/disk.h"

/* A size: an integer of MiB from 1 on. ERROR_INVALID_CALL for anything else. */
int disk_args_size(const struct json *arguments, size_t index, const char *name, uint64_t *ret_mib, struct error *err);
/* cloud_properties, with the configuration's encryption where they are silent; encrypted is Ruby's truth. null and empty texts
 * are not given. ERROR_INVALID_CALL for a wrong type, ERROR_CLOUD for tags that are none and numbers out of all range. */
int disk_args_properties(const struct json *arguments, size_t index, const struct config *config, struct arena *arena,
			 struct disk_properties *ret_properties, struct error *err);
/* size, cloud_properties, and vm_cid where it is given; the zone is the configuration's availability_zone. */
int disk_args_create(const struct json *arguments, const struct config *config, struct arena *arena,
		     struct disk_create_request *ret_request, struct error *err);

#endif
