/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of EC2's instance types without asking EC2. Facts: DescribeInstanceTypes and the EC2 user guide's pages on
 * instance storage, Nitro and volume limits, as of 2026. A type's name is FAMILY.SIZE; any text may be asked for. */
#ifndef CPI_METHODS_INSTANCE_CATALOG_H
#define CPI_METHODS_INSTANCE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

struct instance_catalog_storage {
	uint64_t size; /* of one disk: GiB in the fixed table, GB elsewhere */
	uint64_t disks;
};

/* The incumbent's fixed table, which sizes ephemeral disks: it never changes, because a VM made anew must be as the old. */
bool instance_catalog_fixed(const char *type, struct instance_catalog_storage *ret_storage);
/* Instance storage of any type; false: the type has none, or is unknown. */
bool instance_catalog_storage(const char *type, struct instance_catalog_storage *ret_storage);
/* Its EBS volumes are NVMe devices alone. A family that is not known is a newer one, and every newer one is Nitro. */
bool instance_catalog_is_nitro(const char *type);
/* Its instance storage is named /dev/nvme…n1, if it has any. */
bool instance_catalog_nvme_storage(const char *type);
bool instance_catalog_is_arm(const char *type);
/* Whether the family is one of those listed. */
bool instance_catalog_knows(const char *type);
/* How many EBS volumes it takes beside one interface and these disks of instance storage. */
uint64_t instance_catalog_max_volumes(const char *type, uint64_t storage_disks);

#endif
