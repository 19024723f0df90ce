/* SPDX-License-Identifier: Apache-2.0 */
/* EC2 instances: DescribeInstances. (Making and ending them comes with the methods for VMs.) */
#ifndef CPI_EC2_INSTANCES_H
#define CPI_EC2_INSTANCES_H

#include "cpi/ec2/client.h"

struct instance_mapping {
	const char *device_name;
	const char *volume_id;
	const char *status;
	bool delete_on_termination;
};

struct instance {
	const char *id;
	const char *state; /* pending, running, shutting-down, terminated, stopping, stopped */
	const char *type;
	const char *image_id;
	const char *availability_zone;
	const char *architecture;
	const struct instance_mapping *mappings;
	size_t n_mappings;
	struct ec2_tags tags;
};

/* By ids (ERROR_AWS InvalidInstanceID.NotFound when one is missing; never paged then) or filters, paged to the end. */
int instance_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		      struct instance **ret_instances, size_t *ret_count, struct error *err);

#endif
