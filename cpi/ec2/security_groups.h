/* SPDX-License-Identifier: Apache-2.0 */
/* Security groups: their names and where they are. */
#ifndef CPI_EC2_SECURITY_GROUPS_H
#define CPI_EC2_SECURITY_GROUPS_H

#include "cpi/ec2/client.h"

struct security_group {
	const char *id;
	const char *name;
	const char *vpc_id;
};

/* By ids or filters; paged to the end. */
int security_group_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
			    struct security_group **ret_groups, size_t *ret_count, struct error *err);

#endif
