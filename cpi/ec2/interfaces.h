/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces that are made before the instance, because its user data carries their MAC addresses. */
#ifndef CPI_EC2_INTERFACES_H
#define CPI_EC2_INTERFACES_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/wait.h"

struct interface_create_request {
	const char *subnet_id;
	const char *private_ip; /* NULL: EC2 picks one */
	const char *ipv6;       /* NULL: none */
	struct ec2_ids security_group_ids;
	const char *client_token; /* at most 64 ASCII characters; required */
	struct ec2_tags tags;
};

struct interface {
	const char *id;
	const char *status; /* available, associated, attaching, in-use, detaching, pending */
	const char *mac_address;
	const char *subnet_id;
	const char *vpc_id;
	const char *availability_zone;
	const char *private_ip;
	const char *attachment_id; /* "" when it is not attached */
	const char *attachment_status; /* attaching, attached, detaching, detached, "" */
	const char *instance_id;   /* "" when it is not attached to one */
	bool delete_on_termination;
	struct ec2_ids ipv4_prefixes; /* in CIDR form */
	struct ec2_ids ipv6_prefixes;
	/* whose it is, where it is not ours */
	const char *description;  /* "Interface for NAT Gateway nat-…" */
	const char *type;         /* interface, nat_gateway, network_load_balancer, lambda … */
	const char *owner_id;     /* account */
	const char *requester_id; /* account or service that made it for the owner */
	struct ec2_tags tags;
};

/* The token makes it one interface however often the call is repeated. An address that somebody has is ERROR_AWS
 * InvalidIPAddress.InUse. */
int interface_create(struct ec2_client *ec2, struct arena *arena, const struct interface_create_request *request,
		     struct interface *ret_interface, struct error *err);
/* By ids (ERROR_AWS InvalidNetworkInterfaceID.NotFound when one is missing) or filters ("subnet-id",
 * "addresses.private-ip-address", "ipv6-addresses.ipv6-address" in EC2's own spelling …); paged to the end. */
int interface_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		       struct interface **ret_interfaces, size_t *ret_count, struct error *err);
/* Until status "available", whatever it is before: also after an instance that had it. */
int interface_wait_available(struct ec2_client *ec2, const char *interface_id, const struct wait_options *wait,
			     struct error *err);
/* The next three are for an interface that this request made: NotFound is not the answer yet. */
/* A prefix in CIDR form ("10.0.1.16/28", "2600:1f18::/80"): AssignPrivateIpAddresses or AssignIpv6Addresses. After a
 * lost answer, the prefix being there counts as success. */
int interface_assign_prefix(struct ec2_client *ec2, const char *interface_id, const char *prefix, struct error *err);
int interface_associate_public_ip(struct ec2_client *ec2, const char *interface_id, struct error *err);
/* Of an instance that has several: instance_disable_source_dest_check takes only those with one. */
int interface_disable_source_dest_check(struct ec2_client *ec2, const char *interface_id, struct error *err);
int interface_set_delete_on_termination(struct ec2_client *ec2, const char *interface_id, const char *attachment_id,
					struct error *err);
/* Gone already counts as success: *ret_existed (may be NULL) tells. InvalidNetworkInterface.InUse and
 * InvalidParameterValue ("is currently in use") are the caller's to repeat. */
int interface_delete(struct ec2_client *ec2, const char *interface_id, bool *ret_existed, struct error *err);

#endif
