/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the dry runs, a few at a time, and sorts the answers. */
#include "cpi/check/dry_run.h"

#include <stdatomic.h>
#include <string.h>

#include "common/parallel.h"
#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"
#include "cpi/ec2/zones.h"

#define N_WORKERS 4 /* an account's bucket is shared with the Director's calls */

struct crew {
	struct check *check;
	struct dry_run *runs;
	size_t count;
	bool reads; /* this round's */
	const char *zone;
	atomic_size_t next;
};

/* --- one ---------------------------------------------------------------------------------------------------------- */

static void add_profile(struct aws_params *params, const struct config *config)
{
	const char *profile = feature_instance_profile(config);
	bool is_arn = profile != NULL && strncmp(profile, "arn:", 4) == 0;

	aws_params_add(params, is_arn ? "IamInstanceProfile.Arn" : "IamInstanceProfile.Name", profile);
}

static void add_params(struct aws_params *params, const struct crew *crew, const struct feature_action *action)
{
	const struct config *config = crew->check->config;

	for (const struct feature_param *param = action->params; param->name != NULL; param++) {
		const char *value = param->value;
		if (strcmp(value, FEATURE_PROFILE) == 0) {
			add_profile(params, config);
			continue;
		}
		if (strcmp(value, FEATURE_ZONE) == 0)
			value = crew->zone;
		else if (strcmp(value, FEATURE_REGION) == 0)
			value = config->aws.region;
		else if (strcmp(value, FEATURE_KMS_KEY) == 0)
			value = config->kms_key_arn;
		aws_params_add(params, param->name, value);
	}
	aws_params_add(params, "DryRun", "true");
}

/* "… is not authorized to perform: iam:PassRole on resource: …": a call can need more than its own action. */
static const char *missing_permission(struct arena *arena, const struct feature_action *action, const char *message)
{
	static const char before[] = "authorized to perform: ";
	const char *at = strstr(message, before);

	if (at != NULL) {
		at += strlen(before);
		size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:");
		if (len > 0 && len < 100 && memchr(at, ':', len) != NULL)
			return arena_strndup(arena, at, len);
	}
	return arena_printf(arena, "ec2:%s", action->name);
}

static void sort_answer(struct dry_run *run, struct arena *arena, const struct error *failure)
{
	bool from_aws = failure->kind == ERROR_AWS;

	run->code = arena_strdup(arena, from_aws ? failure->aws_code : error_kind_name(failure->kind));
	run->message = arena_strdup(arena, failure->message);
	if (from_aws && strcmp(failure->aws_code, "DryRunOperation") == 0) {
		run->outcome = DRY_RUN_PERMITTED;
	} else if (ec2_is_denied(failure)) {
		run->outcome = DRY_RUN_DENIED;
		run->permission = missing_permission(arena, run->action, failure->message);
		run->explicit_deny = strstr(failure->message, "explicit deny") != NULL;
	} else if (from_aws && (ec2_is_not_found(failure) || strstr(failure->aws_code, ".Malformed") != NULL)) {
		/* EC2 calls some well-formed ids malformed that it has never given out */
		run->outcome = DRY_RUN_NOT_FOUND;
	} else {
		run->outcome = DRY_RUN_UNCLEAR;
	}
}

static int try_action(struct crew *crew, struct dry_run *run, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	struct error failure = { .kind = ERROR_NONE };

	aws_params_init(&params);
	add_params(&params, crew, run->action);
	struct aws_call call = {
		.action = run->action->name,
		.params = &params,
		.purpose = "dry run, to see whether it is allowed",
	};
	if (action_plain(crew->check->ec2, call, &failure) == 0)
		run->outcome = DRY_RUN_CARRIED_OUT;
	else
		sort_answer(run, crew->check->arena, &failure);
	if (failure.kind != ERROR_CANCELLED && failure.kind != ERROR_NOMEM)
		return 0;
	*err = failure;
	return -1;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static int work(void *self, struct error *err)
{
	struct crew *crew = self;

	for (;;) {
		size_t number = crew->next++;
		if (number >= crew->count)
			return 0;
		struct dry_run *run = &crew->runs[number];
		if (run->declared->reads == crew->reads && try_action(crew, run, err) != 0)
			return -1;
	}
}

static int round_of(struct crew *crew, bool reads, struct error *err)
{
	struct parallel_task tasks[N_WORKERS];

	crew->reads = reads;
	crew->next = 0;
	for (size_t i = 0; i < N_WORKERS; i++)
		tasks[i] = (struct parallel_task){ work, crew };
	return parallel_run(tasks, N_WORKERS, err);
}

/* That a changing call is not carried out is known only from AWS's answer to one that could do no harm. */
static bool dry_runs_are_known(const struct crew *crew)
{
	bool known = false;

	for (size_t i = 0; i < crew->count; i++) {
		if (crew->runs[i].outcome == DRY_RUN_CARRIED_OUT)
			return false;
		known = known || crew->runs[i].outcome == DRY_RUN_PERMITTED;
	}
	return known;
}

static size_t list_runs(const struct config *config, struct dry_run *runs)
{
	size_t count = 0;

	for (size_t f = 0; f < feature_count; f++) {
		const struct feature *feature = &feature_list[f];
		if (feature->is_configured != NULL && !feature->is_configured(config))
			continue;
		for (size_t a = 0; a < feature->n_actions; a++) {
			if (!feature_action_is_needed(&feature->actions[a], config))
				continue;
			if (runs != NULL)
				runs[count] = (struct dry_run){
					.feature = feature,
					.action = &feature->actions[a],
					.declared = aws_action_find("ec2", feature->actions[a].name),
				};
			count++;
		}
	}
	return count;
}

/* One that exists, where EC2 says so: CreateVolume looks at its name first. */
static const char *find_zone(struct check *check)
{
	struct ec2_ids zones;
	const char *region = check->config->aws.region;

	if (zone_describe(check->ec2, check->arena, &zones, NULL) == 0 && zones.count > 0)
		return zones.items[0];
	return arena_printf(check->arena, "%sa", region == NULL ? "us-east-1" : region);
}

int dry_run_all(struct check *check, struct dry_run **ret_runs, size_t *ret_count, struct error *err)
{
	size_t count = list_runs(check->config, NULL);
	struct crew crew = {
		.check = check,
		.runs = arena_array(check->arena, count, sizeof(struct dry_run)),
		.count = count,
		.zone = find_zone(check),
	};

	if (crew.runs == NULL || crew.zone == NULL)
		return error_nomem(err);
	list_runs(check->config, crew.runs);
	if (round_of(&crew, true, err) != 0)
		return -1;
	if (dry_runs_are_known(&crew) && round_of(&crew, false, err) != 0)
		return -1;
	*ret_runs = crew.runs;
	*ret_count = count;
	return 0;
}
