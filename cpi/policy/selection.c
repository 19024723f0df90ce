/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration says of features is here alone; their actions are the table's. */
#include "cpi/policy/selection.h"

#include <string.h>

#include "common/nearest.h"
#include "cpi/aws/endpoint.h"

#define MAX_QUOTED 80
/* that IAM has in names, paths and ARNs; nothing of it must be escaped in JSON */
#define ARN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_/:*-"

/* --- what the configuration says ---------------------------------------------------------------------------------- */

static bool has_text(const struct config *config, const char *property)
{
	const char *text = json_text(json_get(config->aws_properties, property));

	return text != NULL && *text != '\0';
}

/* All that the Director may ask for; what only people do is left out. */
static void choose_by_config(const struct config *config, struct policy_selection *selection)
{
	enum config_builder builder = config->stemcell.builder;
	bool *chosen = selection->chosen;

	for (size_t i = 0; i < AWS_N_FEATURES; i++)
		chosen[i] = true;
	chosen[AWS_FEATURE_WORKER] = chosen[AWS_FEATURE_DENIAL] = false;
	chosen[AWS_FEATURE_PROFILE] = has_text(config, "default_iam_instance_profile");
	chosen[AWS_FEATURE_ENCRYPTION] = selection->kms_key != NULL;
	chosen[AWS_FEATURE_ROLE] = config->aws.role_arn != NULL;
	chosen[AWS_FEATURE_HEAVY_STEMCELL] = builder != CONFIG_BUILDER_DIRECT;
	chosen[AWS_FEATURE_DIRECT_STEMCELL] = builder == CONFIG_BUILDER_DIRECT || builder == CONFIG_BUILDER_AUTO;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* --- what is typed ------------------------------------------------------------------------------------------------ */

static int unknown_feature(const char *name, size_t len, struct error *err)
{
	char typed[MAX_QUOTED + 1], question[NEAREST_QUESTION_SIZE];
	struct nearest nearest = NEAREST_INIT(typed);

	snprintf(typed, sizeof(typed), "%.*s", (int)(len < MAX_QUOTED ? len : MAX_QUOTED), name);
	for (size_t i = 0; i < AWS_N_FEATURES; i++)
		nearest_try(&nearest, aws_features[i].name);
	return error_set(err, ERROR_INVALID, "there is no feature '%s'%s", typed,
			 nearest_question(&nearest, "; did you mean ", question));
}

static int choose_one(bool chosen[], const char *name, size_t len, bool value, struct error *err)
{
	for (size_t i = 0; i < AWS_N_FEATURES; i++) {
		if (strlen(aws_features[i].name) == len && strncmp(aws_features[i].name, name, len) == 0) {
			chosen[i] = value;
			return 0;
		}
	}
	return unknown_feature(name, len, err);
}

/* "vm,disk"; NULL: nothing to do. */
static int choose_all(bool chosen[], const char *names, bool value, struct error *err)
{
	while (names != NULL && *names != '\0') {
		size_t len = strcspn(names, ",");
		if (choose_one(chosen, names, len, value, err) != 0)
			return -1;
		names += len;
		names += *names == ',';
	}
	return 0;
}

/* arn:PARTITION:SERVICE:…:RESOURCE…, with "*" for anything. */
static bool is_arn_of(const char *text, const char *service, const char *resource)
{
	const char *at = text;

	if (!starts_with(text, "arn:") || text[strspn(text, ARN_CHARACTERS)] != '\0')
		return false;
	for (unsigned colons = 0; colons < 5; colons++) {
		at = strchr(at, ':');
		if (at == NULL)
			return false;
		at++;
		if (colons == 1 && !(starts_with(at, service) && at[strlen(service)] == ':'))
			return false;
	}
	return starts_with(at, resource) && at[strlen(resource)] != '\0';
}

static int take_role(const char *role, struct arena *arena, struct policy_selection *selection, struct error *err)
{
	bool is_name = role == NULL || strchr(role, ':') == NULL;

	if (is_name)
		role = arena_printf(arena, "arn:%s:iam::*:role/%s", selection->partition, role == NULL ? "*" : role);
	if (role == NULL)
		return error_nomem(err);
	if (!is_arn_of(role, "iam", "role/"))
		return error_set(err, ERROR_INVALID, "'%.*s' is neither a role's name nor its ARN (arn:aws:iam::ACCOUNT:role/NAME)",
				 MAX_QUOTED, role);
	selection->role = role;
	return 0;
}

/* An alias is no resource of a policy. */
static int take_key(const char *key, struct policy_selection *selection, struct error *err)
{
	if (key != NULL && !is_arn_of(key, "kms", "key/"))
		return error_set(err, ERROR_INVALID,
				 "the KMS key '%.*s' is not given as a policy needs it: --kms-key "
				 "arn:aws:kms:REGION:ACCOUNT:key/ID says which it is", MAX_QUOTED, key);
	selection->kms_key = key;
	return 0;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static int check_known(const struct policy_selection *selection, struct error *err)
{
	if (selection->chosen[AWS_FEATURE_ENCRYPTION] && selection->kms_key == NULL)
		return error_set(err, ERROR_INVALID, "the feature encryption needs a KMS key: give --kms-key ARN. The key that AWS "
				 "keeps for the account (aws/ebs) needs no permission");
	if (selection->chosen[AWS_FEATURE_ROLE] &&
	    (selection->assumed == NULL || !is_arn_of(selection->assumed, "iam", "role/")))
		return error_set(err, ERROR_INVALID, "the feature role needs aws.role_arn in the configuration");
	for (size_t i = 0; i < AWS_N_FEATURES; i++) {
		if (selection->chosen[i])
			return 0;
	}
	return error_set(err, ERROR_INVALID, "no feature is left, and a policy without any is none");
}

int policy_select(const struct config *config, const struct policy_choice *choice, struct arena *arena,
		  struct policy_selection *ret_selection, struct error *err)
{
	struct policy_selection selection = {
		.region = choice->region != NULL ? choice->region : config->aws.region,
		.assumed = config->aws.role_arn,
		.instance_types = config->describe_instance_types,
	};

	if (selection.region != NULL && selection.region[strspn(selection.region, ARN_CHARACTERS)] != '\0')
		return error_set(err, ERROR_INVALID, "'%.*s' is no region", MAX_QUOTED, selection.region);
	selection.partition = endpoint_partition(selection.region != NULL ? selection.region : "");
	if (take_role(choice->role, arena, &selection, err) != 0 ||
	    take_key(choice->kms_key != NULL ? choice->kms_key : config->kms_key_arn, &selection, err) != 0)
		return -1;
	choose_by_config(config, &selection);
	if (choice->role != NULL)
		selection.chosen[AWS_FEATURE_PROFILE] = true;
	if (choice->only != NULL)
		memset(selection.chosen, 0, sizeof(selection.chosen));
	if (choose_all(selection.chosen, choice->only, true, err) != 0 ||
	    choose_all(selection.chosen, choice->with, true, err) != 0 ||
	    choose_all(selection.chosen, choice->without, false, err) != 0 || check_known(&selection, err) != 0)
		return -1;
	*ret_selection = selection;
	return 0;
}

bool policy_has(const struct policy_selection *selection, const struct aws_action *action)
{
	if (!selection->instance_types && strcmp(action->name, "DescribeInstanceTypes") == 0)
		return false;
	for (size_t i = 0; i < AWS_N_FEATURES; i++) {
		if (selection->chosen[i] && aws_action_serves(action, (enum aws_feature_id)i))
			return true;
	}
	return false;
}
