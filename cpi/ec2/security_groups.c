/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeSecurityGroups. Which group a name means is the methods' to judge. */
#include "cpi/ec2/security_groups.h"

#include "cpi/ec2/action.h"

#define PAGE_SIZE 1000

static void read_group(struct fields *fields, void *item)
{
	struct security_group *group = item;

	group->id = fields_required(fields, "groupId");
	group->name = fields_text(fields, "groupName");
	group->vpc_id = fields_text(fields, "vpcId");
}

int security_group_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
			    struct security_group **ret_groups, size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeSecurityGroups",
		.id_name = "GroupId",
		.set = "securityGroupInfo",
		.what = ids.count == 1 ? "security group" : "security groups",
		.page_size = PAGE_SIZE,
		.item_size = sizeof(struct security_group),
		.read = read_group,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_groups = items;
	return 0;
}
