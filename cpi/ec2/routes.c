/* SPDX-License-Identifier: Apache-2.0 */
/* Route tables and their routes. Which route is to lead where, and what is led back, is the methods'. */
#include "cpi/ec2/routes.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/cidr.h"
#include "cpi/ec2/params.h"

#define PAGE_SIZE 100
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })

/* A route to an instance names its interface as well: the first that is there counts. */
static const struct {
	const char *field;
	const char *kind;
} targets[] = {
	{ "networkInterfaceId", "NetworkInterfaceId" },
	{ "instanceId", "InstanceId" },
	{ "gatewayId", "GatewayId" },
	{ "natGatewayId", "NatGatewayId" },
	{ "transitGatewayId", "TransitGatewayId" },
	{ "vpcPeeringConnectionId", "VpcPeeringConnectionId" },
	{ "egressOnlyInternetGatewayId", "EgressOnlyInternetGatewayId" },
	{ "localGatewayId", "LocalGatewayId" },
	{ "carrierGatewayId", "CarrierGatewayId" },
	{ "coreNetworkArn", "CoreNetworkArn" },
	{ "odbNetworkArn", "OdbNetworkArn" },
};

static void read_target(struct fields *fields, struct route *route)
{
	route->target_kind = "";
	route->target_id = "";
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]) && *route->target_id == '\0'; i++) {
		route->target_id = fields_text(fields, targets[i].field);
		route->target_kind = *route->target_id == '\0' ? "" : targets[i].kind;
	}
	/* both are shown as gateways, and replaced by parameters of their own */
	if (strcmp(route->target_id, "local") == 0) {
		route->target_kind = "LocalTarget";
		route->target_id = "true";
	} else if (strncmp(route->target_id, "vpce-", 5) == 0) {
		route->target_kind = "VpcEndpointId";
	}
}

static void read_route(struct fields *fields, void *item)
{
	struct route *route = item;

	route->destination = fields_text(fields, "destinationCidrBlock");
	if (*route->destination == '\0')
		route->destination = fields_text(fields, "destinationIpv6CidrBlock");
	if (*route->destination == '\0')
		route->destination = fields_text(fields, "destinationPrefixListId");
	read_target(fields, route);
	route->instance_id = fields_text(fields, "instanceId");
	route->state = fields_text(fields, "state");
}

static void read_table(struct fields *fields, void *item)
{
	struct route_table *table = item;

	table->id = fields_required(fields, "routeTableId");
	table->vpc_id = fields_text(fields, "vpcId");
	table->routes = fields_list(fields, "routeSet", sizeof(struct route), read_route, &table->n_routes);
}

int route_table_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
			 struct route_table **ret_tables, size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeRouteTables",
		.id_name = "RouteTableId",
		.set = "routeTableSet",
		.what = ids.count == 1 ? "route table" : "route tables",
		.page_size = PAGE_SIZE,
		.item_size = sizeof(struct route_table),
		.read = read_table,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_tables = items;
	return 0;
}

const struct route *route_find(const struct route_table *table, const char *destination)
{
	for (size_t i = 0; i < table->n_routes; i++) {
		if (cidr_equal(table->routes[i].destination, destination))
			return &table->routes[i];
	}
	return NULL;
}

bool route_leads_to(const struct route *route, const char *target_id)
{
	return strcmp(route->target_id, target_id) == 0 || strcmp(route->instance_id, target_id) == 0;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* One route of one table; the target is for those that set it. */
struct route_change {
	struct ec2_client *ec2;
	const char *table_id;
	const char *destination;
	const char *target_kind;
	const char *target_id;
};

static void change_params(struct aws_params *params, const struct route_change *change)
{
	aws_params_add(params, "RouteTableId", change->table_id);
	aws_params_add(params,
		       cidr_is_ipv6(change->destination) ? "DestinationIpv6CidrBlock" : "DestinationCidrBlock",
		       change->destination);
	if (change->target_kind != NULL)
		aws_params_add(params, change->target_kind, change->target_id);
}

/* 1 when the table has the route that a lost answer was about. */
static int settle_route(void *self, struct error *err)
{
	const struct route_change *change = self;
	struct arena *arena CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct ec2_ids ids = { &change->table_id, 1 };
	struct route_table *tables;
	size_t count;

	if (arena == NULL)
		return error_nomem(err);
	if (route_table_describe(change->ec2, arena, ids, NO_FILTERS, &tables, &count, err) != 0)
		return -1;
	const struct route *route = count > 0 ? route_find(&tables[0], change->destination) : NULL;
	return route != NULL && route_leads_to(route, change->target_id);
}

/* settle: NULL for what may simply be repeated. */
static int set_route(struct route_change *change, const char *action, int (*settle)(void *self, struct error *err),
		     struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[192];

	aws_params_init(&params);
	change_params(&params, change);
	snprintf(purpose, sizeof(purpose), "route %s of %s to %s", change->destination, change->table_id,
		 change->target_id);
	/* the target is a new VM's */
	struct aws_call call = {
		.action = action,
		.params = &params,
		.purpose = purpose,
		.created_by_us = true,
		.settle = settle,
		.settle_self = change,
	};
	return action_plain(change->ec2, call, err);
}

int route_create(struct ec2_client *ec2, const char *table_id, const char *destination, const char *target_kind,
		 const char *target_id, struct error *err)
{
	struct route_change change = { ec2, table_id, destination, target_kind, target_id };

	return set_route(&change, "CreateRoute", settle_route, err);
}

int route_replace(struct ec2_client *ec2, const char *table_id, const char *destination, const char *target_kind,
		  const char *target_id, struct error *err)
{
	struct route_change change = { ec2, table_id, destination, target_kind, target_id };

	return set_route(&change, "ReplaceRoute", NULL, err);
}

int route_delete(struct ec2_client *ec2, const char *table_id, const char *destination, bool *ret_existed,
		 struct error *err)
{
	struct route_change change = { .ec2 = ec2, .table_id = table_id, .destination = destination };
	struct aws_params params PARAMS_CLEANUP;
	char purpose[160];

	aws_params_init(&params);
	change_params(&params, &change);
	snprintf(purpose, sizeof(purpose), "route %s of %s", destination, table_id);
	struct aws_call call = { .action = "DeleteRoute", .params = &params, .purpose = purpose };
	return action_remove_by(ec2, call, ret_existed, err);
}
