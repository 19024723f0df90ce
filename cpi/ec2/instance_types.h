/* SPDX-License-Identifier: Apache-2.0 */
/* What instance types can do: DescribeInstanceTypes. */
#ifndef CPI_EC2_INSTANCE_TYPES_H
#define CPI_EC2_INSTANCE_TYPES_H

#include "cpi/ec2/client.h"

struct instance_type {
	const char *name;
	const char *hypervisor;        /* "nitro", "xen"; "" for metal */
	bool bare_metal;
	const char *ebs_nvme;          /* EbsInfo.NvmeSupport: required, supported, unsupported; "" : not said */
	const char *storage_nvme;      /* InstanceStorageInfo.NvmeSupport, the same; "" without instance storage */
	uint64_t storage_disks;        /* how many disks of instance storage; 0: none */
	uint64_t storage_disk_gb;      /* of one of them, GB as EC2 counts */
	const char *const *architectures; /* "x86_64", "arm64", "i386" … */
	size_t n_architectures;
	uint64_t max_ebs_attachments;  /* 0: EC2 does not say */
	bool attachments_are_shared;   /* the limit counts network interfaces and instance storage too */
	uint64_t max_interfaces;       /* 0: not said */
};

/* Those of these names; one that EC2 does not know is ERROR_AWS InvalidInstanceType for all. Paged to the end. */
int instance_type_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names,
			   struct instance_type **ret_types, size_t *ret_count, struct error *err);

#endif
