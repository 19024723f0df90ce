/* SPDX-License-Identifier: Apache-2.0 */
/* Elastic IP addresses of the account, in VPCs. */
#ifndef CPI_EC2_ADDRESSES_H
#define CPI_EC2_ADDRESSES_H

#include "cpi/ec2/client.h"

struct address {
	const char *allocation_id;
	const char *public_ip;
	const char *association_id; /* "" when it is not associated */
	const char *instance_id;
	const char *interface_id;
};

/* By filters ("public-ip", "instance-id", "allocation-id", "domain" …). Addresses are not paged. */
int address_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_filters filters,
		     struct address **ret_addresses, size_t *ret_count, struct error *err);
/* Takes it from whatever has it, so that it may be repeated. IncorrectInstanceState and InvalidInstanceID are the
 * caller's to repeat. */
int address_associate(struct ec2_client *ec2, const char *allocation_id, const char *interface_id, struct error *err);

#endif
