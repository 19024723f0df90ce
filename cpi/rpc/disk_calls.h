/* SPDX-License-Identifier: Apache-2.0 */
/* The methods about disks and their snapshots, from JSON arguments to a JSON result: entries of the dispatch table. */
#ifndef CPI_RPC_DISK_CALLS_H
#define CPI_RPC_DISK_CALLS_H

#include "common/error.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "cpi/methods/call.h"

int disk_calls_create_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int disk_calls_delete_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int disk_calls_has_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int disk_calls_resize_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int disk_calls_update_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int disk_calls_attach_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int disk_calls_detach_disk(struct call *call, const struct json *arguments, struct json_writer *result, struct error *err);
int disk_calls_set_disk_metadata(struct call *call, const struct json *arguments, struct json_writer *result,
				 struct error *err);
int disk_calls_snapshot_disk(struct call *call, const struct json *arguments, struct json_writer *result,
			     struct error *err);
int disk_calls_delete_snapshot(struct call *call, const struct json *arguments, struct json_writer *result,
			       struct error *err);

#endif
