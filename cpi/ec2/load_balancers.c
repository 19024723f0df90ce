/* SPDX-License-Identifier: Apache-2.0 */
/* Classic load balancers and target groups. When an instance is entered, and again, is the methods'. */
#include "cpi/ec2/load_balancers.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

#define PAGE_SIZE 400
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })
#define NO_IDS ((struct ec2_ids){ NULL, 0 })

static const struct action_service classic = {
	.aws = { .name = "elasticloadbalancing", .version = "2012-06-01" },
	.page_size = "PageSize",
	.token = "Marker",
	.next = "NextMarker",
	.wrapped = true,
};
static const struct action_service v2 = {
	.aws = { .name = "elasticloadbalancing", .version = "2015-12-01", .endpoint = "elasticloadbalancingv2" },
	.page_size = "PageSize",
	.token = "Marker",
	.next = "NextMarker",
	.wrapped = true,
};

struct registration {
	const struct aws_service *service;
	const char *action;
	const char *where_name;    /* the parameter that says in what */
	const char *instance_name; /* and the one that says which instance */
	const char *what;          /* for the log */
};

static int enter(struct ec2_client *ec2, const struct registration *registration, const char *where,
		 const char *instance_id, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[256];

	aws_params_init(&params);
	aws_params_add(&params, registration->where_name, where);
	aws_params_add(&params, registration->instance_name, instance_id);
	snprintf(purpose, sizeof(purpose), "instance %s in %s %s", instance_id, registration->what, where);
	struct aws_call call = {
		.service = registration->service,
		.action = registration->action,
		.params = &params,
		.purpose = purpose,
	};
	return action_plain(ec2, call, err);
}

/* --- classic load balancers --------------------------------------------------------------------------------------- */

static void read_name(struct fields *fields, void *item)
{
	const char **name = item;

	*name = fields_required(fields, "LoadBalancerName");
}

static int describe_names(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names,
			  const char *const **ret_names, size_t *ret_count, struct error *err)
{
	static const struct action_describe describe = {
		.service = &classic,
		.action = "DescribeLoadBalancers",
		.id_name = "LoadBalancerNames.member",
		.set = "LoadBalancerDescriptions",
		.what = "load balancers",
		.page_size = PAGE_SIZE,
		.item_size = sizeof(const char *),
		.read = read_name,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, names, NO_FILTERS, &items, ret_count, err) != 0)
		return -1;
	*ret_names = items;
	return 0;
}

static bool is_unknown_balancer(const struct error *failure)
{
	return failure->kind == ERROR_AWS && (strcmp(failure->aws_code, "LoadBalancerNotFound") == 0 ||
					      strcmp(failure->aws_code, "AccessPointNotFound") == 0);
}

/* By all load balancers: a call by names says of one that is missing, and not always which. */
static int find_among_all(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names, struct ec2_ids *ret_found,
			  struct error *err)
{
	const char **found = arena_array(arena, names.count, sizeof(*found));
	struct ec2_ids all;
	size_t count = 0;

	if (found == NULL)
		return error_nomem(err);
	if (describe_names(ec2, arena, NO_IDS, &all.items, &all.count, err) != 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		if (ec2_ids_have(all, names.items[i]))
			found[count++] = names.items[i];
	}
	*ret_found = (struct ec2_ids){ found, count };
	return 0;
}

int load_balancer_find(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names, struct ec2_ids *ret_found,
		       struct error *err)
{
	struct error failure = { 0 };
	struct ec2_ids found = NO_IDS;

	if (names.count == 0 || describe_names(ec2, arena, names, &found.items, &found.count, &failure) == 0) {
		*ret_found = found;
		return 0;
	}
	if (is_unknown_balancer(&failure))
		return find_among_all(ec2, arena, names, ret_found, err);
	if (err != NULL)
		*err = failure;
	return -1;
}

int load_balancer_register(struct ec2_client *ec2, const char *name, const char *instance_id, struct error *err)
{
	static const struct registration registration = {
		.service = &classic.aws,
		.action = "RegisterInstancesWithLoadBalancer",
		.where_name = "LoadBalancerName",
		.instance_name = "Instances.member.1.InstanceId",
		.what = "load balancer",
	};

	return enter(ec2, &registration, name, instance_id, err);
}

/* --- target groups ------------------------------------------------------------------------------------------------ */

static void read_group(struct fields *fields, void *item)
{
	struct target_group *group = item;

	group->arn = fields_required(fields, "TargetGroupArn");
	group->name = fields_text(fields, "TargetGroupName");
}

int target_group_find(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names, struct ec2_ids arns,
		      struct target_group **ret_groups, size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.service = &v2,
		.action = "DescribeTargetGroups",
		.id_name = arns.count > 0 ? "TargetGroupArns.member" : "Names.member",
		.set = "TargetGroups",
		.what = "target groups",
		.page_size = PAGE_SIZE,
		.item_size = sizeof(struct target_group),
		.read = read_group,
	};
	struct ec2_ids ids = arns.count > 0 ? arns : names;
	void *items = NULL;
	size_t count = 0;

	if (ids.count > 0 && action_describe(ec2, arena, &describe, ids, NO_FILTERS, &items, &count, err) != 0)
		return -1;
	*ret_groups = items;
	*ret_count = count;
	return 0;
}

int target_group_register(struct ec2_client *ec2, const char *arn, const char *instance_id, struct error *err)
{
	static const struct registration registration = {
		.service = &v2.aws,
		.action = "RegisterTargets",
		.where_name = "TargetGroupArn",
		.instance_name = "Targets.member.1.Id",
		.what = "target group",
	};

	return enter(ec2, &registration, arn, instance_id, err);
}
