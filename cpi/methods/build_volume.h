/* SPDX-License-Identifier: Apache-2.0 */
/* The volume on which a heavy stemcell is built: made, attached to the builder's instance, filled, detached, deleted. Each
 * function is one act of stemcell.c's story. */
#ifndef CPI_METHODS_BUILD_VOLUME_H
#define CPI_METHODS_BUILD_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "cpi/builder/builder.h"
#include "cpi/ec2/instances.h"
#include "cpi/methods/call.h"
#include "cpi/methods/undo.h"

struct build_volume {
	const char *id; /* texts live in the call's arena */
	const char *instance_id;
	const char *device_name;
	uint64_t size_gib;
	bool encrypted; /* as EC2 says: the account's default counts */
	struct undo_step step;
};

struct build_volume_spec {
	uint64_t size_gib;
	const char *availability_zone;
	bool encrypted;
	const char *kms_key_arn; /* NULL: the account's default key */
	struct ec2_tags tags;    /* the request's tag comes on top */
};

/* An empty gp3 volume, available. */
int build_volume_create(struct call *call, const struct build_volume_spec *spec, struct build_volume *ret_volume,
			struct error *err);
/* Attached under the first name of /dev/sdf to /dev/sdp that is free as instance was read; one that another call took
 * meanwhile leads to the next. */
int build_volume_attach(struct call *call, struct build_volume *volume, const struct instance *instance,
			struct error *err);
/* The image at image_fd on the volume, with progress in the log. */
int build_volume_write(struct call *call, struct builder *builder, const struct build_volume *volume, int image_fd,
		       const char *image_path, struct error *err);
int build_volume_detach(struct call *call, const struct build_volume *volume, struct error *err);
/* Asks for it to go, and later waits until it is gone: other things can be done meanwhile. */
int build_volume_delete(struct call *call, const struct build_volume *volume, struct error *err);
int build_volume_wait_gone(struct call *call, const struct build_volume *volume, struct error *err);

#endif
