/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of a VPC's route tables that lead to an instance. */
#ifndef CPI_EC2_ROUTES_H
#define CPI_EC2_ROUTES_H

#include "cpi/ec2/client.h"

/* target_kind is the name of the parameter that ReplaceRoute takes for it ("GatewayId", "InstanceId",
 * "NetworkInterfaceId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId" …), "" for none that it takes. For
 * an instance it is the interface, where EC2 names that: by the instance, ReplaceRoute refuses one with several. */
struct route {
	const char *destination; /* CIDR, IPv4 or IPv6; or a prefix list's id */
	const char *target_kind;
	const char *target_id;
	const char *instance_id; /* that the target belongs to; "" for none */
	const char *state; /* active, blackhole, filtered */
};

struct route_table {
	const char *id;
	const char *vpc_id;
	const struct route *routes;
	size_t n_routes;
};

/* By ids (ERROR_AWS InvalidRouteTableID.NotFound when one is missing) or filters; paged to the end. */
int route_table_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
			 struct route_table **ret_tables, size_t *ret_count, struct error *err);
/* The route to that destination, however it is written ("10.1.2.3/8" is "10.0.0.0/8"); NULL where there is none. */
const struct route *route_find(const struct route_table *table, const char *destination);
/* Whether it leads to that target, or to the instance of that id. */
bool route_leads_to(const struct route *route, const char *target_id);
/* RouteAlreadyExists after a lost answer counts as success where the route leads to this target, which may have been
 * made a moment ago. destination is IPv4 or IPv6 in CIDR form. */
int route_create(struct ec2_client *ec2, const char *table_id, const char *destination, const char *target_kind,
		 const char *target_id, struct error *err);
int route_replace(struct ec2_client *ec2, const char *table_id, const char *destination, const char *target_kind,
		  const char *target_id, struct error *err);
/* Gone already counts as success: *ret_existed (may be NULL) tells. */
int route_delete(struct ec2_client *ec2, const char *table_id, const char *destination, bool *ret_existed,
		 struct error *err);

#endif
