/* SPDX-License-Identifier: Apache-2.0 */
/* The disks of a new VM: what RunInstances is told, and what the agent is told. Makes no call. */
#ifndef CPI_METHODS_BLOCK_DEVICES_H
#define CPI_METHODS_BLOCK_DEVICES_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/ec2/images.h"
#include "cpi/ec2/instances.h"
#include "cpi/methods/instance_facts.h"
#include "cpi/methods/vm_spec.h"

struct block_devices {
	const struct instance_disk *disks;
	size_t n_disks;
	/* for the agent */
	const char *system_path;    /* the AMI's root device */
	const char *ephemeral_path; /* NULL with use_root_disk */
	const char *const *raw_paths;
	size_t n_raw;
};

/* ERROR_CLOUD in the incumbent's words for what does not go together, or with the type; iops or throughput out of a
 * volume type's range is left to EC2. */
int block_devices_plan(const struct vm_spec *spec, const struct image *image, const struct instance_facts *facts,
		       struct arena *arena, struct block_devices *ret_devices, struct error *err);
/* The hint for a persistent disk: /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol… on Nitro, else the device name. In
 * the arena; NULL when memory runs out. */
const char *block_devices_hint(const struct instance_facts *facts, const char *volume_id, const char *device_name,
			       struct arena *arena);

#endif
