/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeSubnets. Which subnets go together is the methods' to judge. */
#include "cpi/ec2/subnets.h"

#include "cpi/ec2/action.h"

#define PAGE_SIZE 1000

static void read_subnet(struct fields *fields, void *item)
{
	struct subnet *subnet = item;

	subnet->id = fields_required(fields, "subnetId");
	subnet->vpc_id = fields_text(fields, "vpcId");
	subnet->availability_zone = fields_text(fields, "availabilityZone");
}

int subnet_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		    struct subnet **ret_subnets, size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeSubnets",
		.id_name = "SubnetId",
		.set = "subnetSet",
		.what = ids.count == 1 ? "subnet" : "subnets",
		.page_size = PAGE_SIZE,
		.item_size = sizeof(struct subnet),
		.read = read_subnet,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_subnets = items;
	return 0;
}
