/* SPDX-License-Identifier: Apache-2.0 */
/* Subnets: where they are. */
#ifndef CPI_EC2_SUBNETS_H
#define CPI_EC2_SUBNETS_H

#include "cpi/ec2/client.h"

struct subnet {
	const char *id;
	const char *vpc_id;
	const char *availability_zone;
};

/* By ids (ERROR_AWS InvalidSubnetID.NotFound when one is missing) or filters; paged to the end. */
int subnet_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		    struct subnet **ret_subnets, size_t *ret_count, struct error *err);

#endif
