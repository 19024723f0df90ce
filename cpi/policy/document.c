/* SPDX-License-Identifier: Apache-2.0 */
/* What is certain is narrowed: the region, the key, the role. Resources of EC2 are not: tags and names of them are not known when
 * a policy is written, and whoever wants less knows better which. */
#include "cpi/policy/document.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ACTIONS 80 /* more than the table has; a test counts */

struct statement {
	const struct policy_selection *selection;
	enum aws_feature_id feature;
	size_t actions[MAX_ACTIONS]; /* places in the table */
	size_t count;
	struct buf *out;
};

/* --- what stands where -------------------------------------------------------------------------------------------- */

static bool stands_in(const struct policy_selection *selection, const struct aws_action *action, enum aws_feature_id feature)
{
	if (!policy_has(selection, action) || !aws_action_serves(action, feature))
		return false;
	if (action->feature == feature || selection->chosen[action->feature])
		return action->feature == feature;
	for (size_t i = 0; i < (size_t)feature; i++) {
		if (selection->chosen[i] && aws_action_serves(action, (enum aws_feature_id)i))
			return false;
	}
	return true;
}

static int compare_actions(const void *left, const void *right)
{
	const struct aws_action *a = &aws_actions[*(const size_t *)left], *b = &aws_actions[*(const size_t *)right];
	int services = strcmp(a->service, b->service);

	return services != 0 ? services : strcmp(a->name, b->name);
}

static void gather(struct statement *statement)
{
	for (size_t i = 0; i < aws_action_count && statement->count < MAX_ACTIONS; i++) {
		if (stands_in(statement->selection, &aws_actions[i], statement->feature))
			statement->actions[statement->count++] = i;
	}
	qsort(statement->actions, statement->count, sizeof(statement->actions[0]), compare_actions);
}

static int compare_sids(const void *left, const void *right)
{
	const enum aws_feature_id *a = left, *b = right;

	return strcmp(aws_features[*a].sid, aws_features[*b].sid);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void put_actions(const struct statement *statement)
{
	buf_str(statement->out, "            \"Action\": [\n");
	for (size_t i = 0; i < statement->count; i++) {
		const struct aws_action *action = &aws_actions[statement->actions[i]];
		buf_printf(statement->out, "                \"%s:%s\"%s\n", action->service, action->name,
			   i + 1 < statement->count ? "," : "");
	}
	buf_str(statement->out, "            ],\n");
}

static void put_condition(struct buf *out, const char *kind, const char *key, const char *value)
{
	buf_printf(out, ",\n            \"Condition\": {\n                \"%s\": {\n                    \"%s\": \"%s\"\n"
			"                }\n            }", kind, key, value);
}

static void put_resource(struct buf *out, const char *resource)
{
	buf_printf(out, "            \"Resource\": \"%s\"", resource);
}

static void put_limits(const struct statement *statement)
{
	const struct policy_selection *selection = statement->selection;
	struct buf *out = statement->out;

	switch (statement->feature) {
	case AWS_FEATURE_PROFILE:
		put_resource(out, selection->role);
		put_condition(out, "StringEquals", "iam:PassedToService",
			      strcmp(selection->partition, "aws-cn") == 0 ? "ec2.amazonaws.com.cn" : "ec2.amazonaws.com");
		return;
	case AWS_FEATURE_SPOT:
		buf_printf(out, "            \"Resource\": \"arn:%s:iam::*:role/aws-service-role/spot.amazonaws.com/*\"",
			   selection->partition);
		put_condition(out, "StringEquals", "iam:AWSServiceName", "spot.amazonaws.com");
		return;
	case AWS_FEATURE_ENCRYPTION:
		put_resource(out, selection->kms_key);
		return;
	case AWS_FEATURE_ROLE:
		put_resource(out, selection->assumed);
		return;
	case AWS_FEATURE_DENIAL:
		put_resource(out, "*");
		return;
	default:
		put_resource(out, "*");
		if (selection->region != NULL)
			put_condition(out, "StringEquals", "aws:RequestedRegion", selection->region);
	}
}

static void put_statement(struct statement *statement, bool first)
{
	buf_printf(statement->out, "%s\n        {\n            \"Sid\": \"%s\",\n            \"Effect\": \"Allow\",\n", first ? "" : ",",
		   aws_features[statement->feature].sid);
	put_actions(statement);
	put_limits(statement);
	buf_str(statement->out, "\n        }");
}

void policy_document_write(const struct policy_selection *selection, struct buf *out)
{
	enum aws_feature_id order[AWS_N_FEATURES];
	bool first = true;

	for (size_t i = 0; i < AWS_N_FEATURES; i++)
		order[i] = (enum aws_feature_id)i;
	qsort(order, AWS_N_FEATURES, sizeof(order[0]), compare_sids);
	buf_str(out, "{\n    \"Version\": \"2012-10-17\",\n    \"Statement\": [");
	for (size_t i = 0; i < AWS_N_FEATURES; i++) {
		struct statement statement = { .selection = selection, .feature = order[i], .out = out };
		if (selection->chosen[order[i]])
			gather(&statement);
		if (statement.count == 0)
			continue;
		put_statement(&statement, first);
		first = false;
	}
	buf_str(out, "\n    ]\n}\n");
}
