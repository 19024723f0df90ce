/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent disks, which are EBS volumes: made, deleted, asked after, tagged. Changed in place they are by disk_change,
 * attached by disk_attach. */
#ifndef CPI_METHODS_DISK_H
#define CPI_METHODS_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "cpi/ec2/client.h"
#include "cpi/methods/call.h"

/* A disk's cloud properties, with the configuration's encryption where they say nothing of it. */
struct disk_properties {
	const char *type;         /* NULL: not given */
	uint64_t iops;            /* 0: not given */
	uint64_t throughput_mibs; /* 0: not given */
	bool encrypted;
	bool encrypted_given;    /* by the properties themselves */
	const char *kms_key_arn; /* NULL: the account's default key */
	bool kms_key_arn_given;  /* by the properties themselves */
	struct ec2_tags tags;
};

struct disk_create_request {
	uint64_t size_mib;
	struct disk_properties properties;
	const char *vm_cid;            /* the VM that it is for, in whose zone it is made; NULL: not given */
	const char *availability_zone; /* the configuration's, where no VM is given; NULL: one that is available */
};

/* Available when this returns. What no volume of that type can be is ERROR_CLOUD before any call. */
int disk_create(struct call *call, const struct disk_create_request *request, const char **ret_disk_cid,
		struct error *err);
/* Waits until it is gone, but for fast_path_delete, with which it is renamed. ERROR_DISK_NOT_FOUND where there was none. */
int disk_delete(struct call *call, const char *disk_cid, struct error *err);
int disk_has(struct call *call, const char *disk_cid, bool *ret_has, struct error *err);
/* What EC2 refuses as too many or as values is logged, and is no error. */
int disk_set_metadata(struct call *call, const char *disk_cid, struct ec2_tags tags, struct error *err);

#endif
