/* SPDX-License-Identifier: Apache-2.0 */
/* The load balancers: they know no dry run, so the cheapest reading calls are made, and the lines say what was not tried. */
#include "cpi/check/checks.h"

#define ANSWER_ARENA ((size_t)16 * 1024 * 1024)

struct reading {
	struct aws_service service;
	const char *name;   /* the finding's */
	const char *action;
	const char *untried;
	const char *used_by;
};

static void check_reading(struct check *check, const struct reading *reading)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ANSWER_ARENA);
	struct aws_params params __attribute__((cleanup(aws_params_free)));
	const struct aws_call call = {
		.service = &reading->service,
		.action = reading->action,
		.params = &params,
		.purpose = "to see whether it is allowed",
	};
	const struct xml_node *root;
	struct error why;

	aws_params_init(&params);
	aws_params_add(&params, "PageSize", "1");
	if (scratch == NULL) {
		check->findings->incomplete = true;
		return;
	}
	if (aws_call(check->ec2->aws, &call, scratch, &root, &why) == 0) {
		findings_ok(check->findings, reading->name,
			    "elasticloadbalancing:%s works; not tried: elasticloadbalancing:%s, which has no dry run",
			    reading->action, reading->untried);
		return;
	}
	if (ec2_is_denied(&why)) {
		findings_failed(check->findings, reading->name,
				arena_printf(check->arena,
					     "allow elasticloadbalancing:%s and elasticloadbalancing:%s on * (needed for %s)",
					     reading->action, reading->untried, reading->used_by),
				"%s", why.message);
		return;
	}
	const char *advice = check_call_advice(&why);
	findings_unknown(check->findings, reading->name,
			 advice != NULL ? advice :
					  arena_printf(check->arena, "see the message, and try again; needed for %s alone",
						       reading->used_by),
			 "%s", why.message);
}

void check_load_balancers(struct check *check)
{
	static const struct reading classic = {
		.service = { .name = "elasticloadbalancing", .version = "2012-06-01" },
		.name = "classic load balancer permissions",
		.action = "DescribeLoadBalancers",
		.untried = "RegisterInstancesWithLoadBalancer",
		.used_by = "VMs with elbs",
	};
	static const struct reading groups = {
		.service = { .name = "elasticloadbalancing", .version = "2015-12-01", .endpoint = "elasticloadbalancingv2" },
		.name = "target group permissions",
		.action = "DescribeTargetGroups",
		.untried = "RegisterTargets",
		.used_by = "VMs with lb_target_groups",
	};

	if (check->balancers_answer)
		check_reading(check, &classic);
	if (check->target_groups_answer)
		check_reading(check, &groups);
}
