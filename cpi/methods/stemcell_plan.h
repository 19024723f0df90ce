/* SPDX-License-Identifier: Apache-2.0 */
/* What create_stemcell will make: the stemcell's properties with all defaults in, checked before anything is created. */
#ifndef CPI_METHODS_STEMCELL_PLAN_H
#define CPI_METHODS_STEMCELL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "cpi/methods/stemcell.h"

/* NULL: not said. Texts live in the call's arena, or where the request has them. */
struct stemcell_plan {
	const char *description;  /* "<name> <version>", NULL where one of them is missing */
	const char *source_image; /* light, encrypted: the AMI to copy */
	const char *architecture;
	const char *kernel_id;
	const char *boot_mode;
	const char *root_device_name;
	bool paravirtual;
	bool encrypted;
	const char *kms_key_arn;
	uint64_t disk_gib;
	struct ec2_tags tags;
};

/* Encryption, description and tags: for light and heavy stemcells alike. */
int stemcell_plan_common(struct call *call, const struct stemcell_create_request *request, struct stemcell_plan *plan,
			 struct error *err);
/* Disk and machine of a heavy one. ERROR_CLOUD names the property that EC2 would refuse later. */
int stemcell_plan_heavy(struct call *call, const struct stemcell_properties *properties, struct stemcell_plan *plan,
			struct error *err);

#endif
