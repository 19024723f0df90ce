/* SPDX-License-Identifier: Apache-2.0 */
/* Classic load balancers and target groups, as far as an instance is entered in them. They are services of their own
 * (elasticloadbalancing, 2012-06-01 and 2015-12-01), called through the same client. */
#ifndef CPI_EC2_LOAD_BALANCERS_H
#define CPI_EC2_LOAD_BALANCERS_H

#include "cpi/ec2/client.h"

/* The names that do not exist are simply not among the found, which are in the arena. One call where all exist, none
 * where there are no names. */
int load_balancer_find(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names, struct ec2_ids *ret_found,
		       struct error *err);
/* Entered already counts as success: the call may be repeated, and is the caller's to repeat where the service does not
 * know the new instance yet (ERROR_AWS InvalidInstance). */
int load_balancer_register(struct ec2_client *ec2, const char *name, const char *instance_id, struct error *err);

struct target_group {
	const char *arn;
	const char *name;
};

/* By names or by ARNs, not both; one that does not exist is ERROR_AWS TargetGroupNotFound for all. Paged to the end; no
 * call where there is nothing to look for. */
int target_group_find(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names, struct ec2_ids arns,
		      struct target_group **ret_groups, size_t *ret_count, struct error *err);
/* The same for a target group, whose code is InvalidTarget: it takes none but running instances. */
int target_group_register(struct ec2_client *ec2, const char *arn, const char *instance_id, struct error *err);

#endif
