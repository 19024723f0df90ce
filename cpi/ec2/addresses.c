/* SPDX-License-Identifier: Apache-2.0 */
/* Elastic IP addresses: looked up, and led to an interface. They are the operator's: none is allocated or released. */
#include "cpi/ec2/addresses.h"

#include <stdio.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

#define NO_IDS ((struct ec2_ids){ NULL, 0 })

static void read_address(struct fields *fields, void *item)
{
	struct address *address = item;

	address->allocation_id = fields_text(fields, "allocationId");
	address->public_ip = fields_text(fields, "publicIp");
	address->association_id = fields_text(fields, "associationId");
	address->instance_id = fields_text(fields, "instanceId");
	address->interface_id = fields_text(fields, "networkInterfaceId");
}

int address_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_filters filters,
		     struct address **ret_addresses, size_t *ret_count, struct error *err)
{
	static const struct action_describe describe = {
		.action = "DescribeAddresses",
		.set = "addressesSet",
		.what = "elastic IP addresses",
		.item_size = sizeof(struct address),
		.read = read_address,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, NO_IDS, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_addresses = items;
	return 0;
}

int address_associate(struct ec2_client *ec2, const char *allocation_id, const char *interface_id, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[160];

	aws_params_init(&params);
	aws_params_add(&params, "AllocationId", allocation_id);
	aws_params_add(&params, "NetworkInterfaceId", interface_id);
	params_true(&params, "AllowReassociation", true);
	snprintf(purpose, sizeof(purpose), "elastic IP address %s of network interface %s", allocation_id,
		 interface_id);
	/* the interface is a new VM's */
	struct aws_call call = {
		.action = "AssociateAddress",
		.params = &params,
		.purpose = purpose,
		.created_by_us = true,
	};
	return action_plain(ec2, call, err);
}
