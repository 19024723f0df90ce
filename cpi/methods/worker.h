/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker actions create: instances, volumes and snapshots with a name, attachments; each noted for undo. */
#ifndef CPI_METHODS_WORKER_H
#define CPI_METHODS_WORKER_H

#include "cpi/methods/call.h"

struct worker_request {
	const char *name;
	const char *instance_type;
	const char *image_id;
};

/* Asks EC2 for the instance, in the default VPC, and does not wait until it runs. The id is in the call's arena, here and below. */
int worker_launch(struct call *call, const struct worker_request *request, const char **ret_id, struct error *err);

struct worker_volume_request {
	uint64_t size_gib;
	const char *availability_zone;
	const char *type;
};

/* Waits until it is available. */
int worker_create_volume(struct call *call, const struct worker_volume_request *request, const char **ret_id,
			 struct error *err);
/* Does not wait until the device is there. Attached so already is success, and stays when the call fails later. */
int worker_attach_volume(struct call *call, const char *volume_id, const char *worker_id, const char *device, struct error *err);
/* Does not wait until it is completed. */
int worker_take_snapshot(struct call *call, const char *volume_id, const char *name, const char **ret_id, struct error *err);

#endif
