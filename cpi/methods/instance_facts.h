/* SPDX-License-Identifier: Apache-2.0 */
/* What this CPI must know of an instance type: from DescribeInstanceTypes, or from the built-in list where that call is
 * switched off (enable_describe_instance_types) or not allowed. */
#ifndef CPI_METHODS_INSTANCE_FACTS_H
#define CPI_METHODS_INSTANCE_FACTS_H

#include "cpi/methods/call.h"

struct instance_facts {
	const char *type;
	bool ebs_is_nvme;     /* EBS volumes show up as NVMe devices alone (Nitro) */
	bool storage_is_nvme; /* instance storage is named /dev/nvme…n1 */
	bool is_arm;
	uint64_t storage_disks;    /* disks of instance storage; 0: none */
	uint64_t storage_disk_mib; /* of one of them */
	uint64_t max_volumes; /* how many EBS volumes can be attached to it, the root and ephemeral disk counted, beside one
			       * interface and its instance storage */
	bool known;           /* false: neither EC2 nor the list has it */
};

/* For each of the types, in their order; one call at most. An unknown type is taken for Nitro without instance storage
 * when the list had to be used. A type that EC2 refuses to know is ERROR_CLOUD. */
int instance_facts_find(struct call *call, struct ec2_ids types, struct instance_facts *ret_facts, struct error *err);
/* Of the built-in list alone. */
void instance_facts_built_in(const char *type, struct instance_facts *ret_facts);
/* Size and number of the instance storage disks by the incumbent's fixed table; false for a type that is not in it. */
bool instance_facts_table(const char *type, uint64_t *ret_disk_gib, uint64_t *ret_disks);

#endif
