/* SPDX-License-Identifier: Apache-2.0 */
/* create_stemcell and delete_stemcell. Knows neither the request's JSON (the dispatcher reads it into the structs below) nor
 * how the image reaches the volume (cpi/builder). */
#ifndef CPI_METHODS_STEMCELL_H
#define CPI_METHODS_STEMCELL_H

#include <stdbool.h>
#include <stdint.h>

#include "cpi/ec2/client.h"
#include "cpi/methods/call.h"

/* One entry of a light stemcell's cloud_properties.ami. */
struct stemcell_ami {
	const char *region;
	const char *image_id;
};

/* The stemcell's cloud properties, the configuration's overrides already in them. NULL: not given. */
struct stemcell_properties {
	const struct stemcell_ami *amis; /* any: the stemcell is a light one */
	size_t n_amis;
	const char *name, *version, *architecture, *virtualization_type, *root_device_name, *kernel_id, *boot_mode;
	/* What is not set is taken from the global configuration. */
	bool encrypted_set, encrypted;
	bool kms_key_arn_set;
	const char *kms_key_arn;
	uint64_t disk_mib; /* 0: 2048 */
	struct ec2_tags tags;
};

struct stemcell_create_request {
	const char *image_path;
	struct stemcell_properties properties;
	struct ec2_tags env_tags; /* env.tags; win over the properties' */
};

/* Everything that can be refused is refused before anything is created. On success the AMI is available and its id is in
 * *ret_stemcell_cid ("ami-…", or "ami-… light" for one that was there before), owned by the call's arena. On failure
 * call->undo names what was created; undoing it is the caller's. */
int stemcell_create(struct call *call, const struct stemcell_create_request *request, const char **ret_stemcell_cid,
		    struct error *err);
/* Deregisters the AMI and deletes the snapshots behind it. A light stemcell and a missing AMI are success. */
int stemcell_delete(struct call *call, const char *stemcell_cid, struct error *err);

#endif
