/* SPDX-License-Identifier: Apache-2.0 */
/* Spot first where it is asked for, then on demand where that may take its place; within each, the types in their order. A
 * type without capacity leads to the next one, a death at birth to the same again. */
#include "cpi/methods/vm_launch.h"

#include <string.h>

#include "cpi/methods/created.h"
#include "cpi/methods/taken_address.h"

#define BIRTHS 3 /* of one VM: two retries */

enum outcome { RUNNING, NO_CAPACITY, NO_SPOT, DIED, FAILED };

struct attempt {
	struct call *call;
	const struct vm_launch *launch;
	const struct vm_candidate *candidate;
	const char *user_data;
	size_t user_data_len;
	bool spot;
	struct undo_step step;
	struct error failure; /* of RunInstances */
	bool refused;         /* for certain: it has made nothing */
	struct instance instance; /* its id NULL: none is known */
};

/* --- what failures mean --- */

static bool speaks_of_no_capacity(const char *code)
{
	static const char *const codes[] = {
		"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientReservedInstanceCapacity",
		"InsufficientCapacity",		"UnfulfillableCapacity",
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strstr(code, codes[i]) != NULL)
			return true;
	return false;
}

static enum outcome judge(const struct attempt *attempt, const struct error *err)
{
	if (err->kind != ERROR_AWS)
		return FAILED;
	if (strcmp(err->aws_code, "IdempotentInstanceTerminated") == 0)
		return DIED;
	if (speaks_of_no_capacity(err->aws_code))
		return NO_CAPACITY;
	return attempt->spot ? NO_SPOT : FAILED;
}

/* --- one attempt --- */

static void fill_request(const struct attempt *attempt, struct instance_run_request *request)
{
	const struct vm_launch *launch = attempt->launch;
	const struct vm_spec *spec = launch->spec;

	*request = (struct instance_run_request){
		.image_id = spec->stemcell_cid,
		.type = attempt->candidate->type,
		.key_name = spec->key_name,
		.iam_instance_profile = spec->iam_instance_profile,
		.user_data = attempt->user_data,
		.user_data_len = attempt->user_data_len,
		.availability_zone = launch->lookups->availability_zone,
		.placement_group = spec->placement_group,
		.tenancy = spec->tenancy,
		.disks = attempt->candidate->devices.disks,
		.n_disks = attempt->candidate->devices.n_disks,
		.metadata_options = spec->metadata_options,
		.n_metadata_options = spec->n_metadata_options,
		.spot_max_price = attempt->spot ? spec->spot_max_price : NULL,
		.client_token = attempt->step.token,
	};
	if (launch->interfaces != NULL) {
		request->own_interfaces = launch->interfaces->items;
		request->n_own_interfaces = launch->interfaces->count;
	}
}

/* Only what an operator's manifest says, and nothing of it that may be secret. */
static void log_launch(const struct attempt *attempt)
{
	const struct vm_spec *spec = attempt->launch->spec;

	log_info(attempt->call->runtime->log, "launching %s instance: %s in %s from %s, %zu network interface(s)",
		 attempt->spot ? "a spot" : "an on-demand", attempt->candidate->type,
		 attempt->launch->lookups->availability_zone, spec->stemcell_cid, attempt->launch->nics->n_nics);
}

static int run(struct attempt *attempt, struct error *err)
{
	struct call *call = attempt->call;
	const struct vm_launch *launch = attempt->launch;
	const struct nic *nic = &launch->nics->nics[0];
	const struct instance_new_interface interface = {
		.subnet_id = nic->subnet,
		.private_ip = nic->ipv4,
		.ipv6 = nic->ipv6,
		.security_group_ids = launch->lookups->security_group_ids,
		.public_ip = launch->spec->auto_assign_public_ip,
	};
	struct taken_address address = { .subnet = nic->subnet, .ipv4 = nic->ipv4, .ipv6 = nic->ipv6 };
	struct instance_run_request request;

	fill_request(attempt, &request);
	if (launch->interfaces == NULL)
		request.new_interface = &interface;
	if (created_tags(call->arena, launch->spec->tags, &attempt->step, &request.tags, err) != 0)
		return -1;
	log_launch(attempt);
	taken_address_begin(call, &address);
	while (instance_run(call->ec2, call->arena, &request, &attempt->instance, &attempt->failure) != 0) {
		*err = attempt->failure;
		if (launch->interfaces != NULL || !taken_address_is(err) ||
		    taken_address_wait(call, &address, &attempt->failure, err) != 0)
			return -1;
	}
	return 0;
}

static enum outcome wait_running(struct attempt *attempt, struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	struct call *call = attempt->call;
	const char *id = attempt->instance.id;

	if (instance_wait_running(call->ec2, call->arena, id, &wait, &attempt->instance, err) != 0) {
		if (err->kind == ERROR_TIMEOUT) {
			err->kind = ERROR_VM_CREATION_FAILED;
			err->retryable = true;
		}
		return FAILED;
	}
	const struct instance *instance = &attempt->instance;
	if (strcmp(instance->state, "running") == 0)
		return RUNNING;
	if (!instance_is_ending(instance->state)) {
		(void)error_set(err, ERROR_VM_CREATION_FAILED, "instance %s is %s instead of running (%s)", id, instance->state,
				instance->state_reason);
		return FAILED;
	}
	(void)error_set(err, ERROR_VM_CREATION_FAILED, "instance %s was terminated while it was starting: %s", id,
			*instance->state_reason == '\0' ? "EC2 gives no reason" : instance->state_reason);
	return speaks_of_no_capacity(instance->state_reason) ? NO_CAPACITY : DIED;
}

/* No capacity may come as a server's error, and says for certain that there is no instance all the same. */
static enum outcome note_failure(struct attempt *attempt, const struct error *err)
{
	struct undo *undo = attempt->call->undo;
	enum outcome outcome = judge(attempt, err);

	attempt->refused = outcome == NO_CAPACITY || (outcome != DIED && attempt->failure.not_done);
	if (outcome == NO_CAPACITY)
		undo_forget(undo, &attempt->step);
	else
		created_not(undo, &attempt->step, &attempt->failure);
	return outcome;
}

static enum outcome try(struct attempt *attempt, struct error *err)
{
	struct call *call = attempt->call;

	if (undo_intend(call->undo, UNDO_INSTANCE, &attempt->step, err) != 0)
		return FAILED;
	if (run(attempt, err) != 0)
		return note_failure(attempt, err);
	undo_created(call->undo, &attempt->step, attempt->instance.id);
	log_info(call->runtime->log, "created instance '%s' (%s)", attempt->instance.id, attempt->candidate->type);
	return wait_running(attempt, err);
}

/* Makes room for the next attempt. A dead instance keeps its address, and the interfaces that were made for it, until it is
 * terminated; one that may be there although RunInstances failed must not be left beside the next. */
static int clear_away(struct attempt *attempt, struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	struct call *call = attempt->call;

	if (attempt->refused)
		return 0;
	if (attempt->instance.id == NULL) {
		if (undo_now(call->undo, &attempt->step, err) != 0)
			return -1;
	} else {
		if (instance_wait_terminated(call->ec2, attempt->instance.id, &wait, err) != 0)
			return -1;
		undo_forget(call->undo, &attempt->step);
	}
	if (attempt->launch->interfaces == NULL)
		return 0;
	return vm_interfaces_wait_free(call, attempt->launch->interfaces, err);
}

/* --- all attempts --- */

struct launching {
	struct call *call;
	const struct vm_launch *launch;
	unsigned deaths;
	struct instance instance;
	const struct vm_candidate *candidate;
};

/* There is no next attempt, as this one is still in its way. */
static enum outcome stuck(const struct attempt *attempt, const struct error *why, struct error *err)
{
	if (why->kind == ERROR_CANCELLED) {
		*err = *why;
		return FAILED;
	}
	log_warn(attempt->call->runtime->log, "not tried any further: %s", why->message);
	err->kind = ERROR_VM_CREATION_FAILED;
	err->retryable = false;
	return FAILED;
}

/* One type, until it runs or is not going to. */
static enum outcome launch_type(struct launching *launching, const struct vm_candidate *candidate, bool spot,
				struct error *err)
{
	struct call *call = launching->call;
	struct agent_settings settings = launching->launch->settings;
	bool fallback = launching->launch->spec->spot_ondemand_fallback;
	CLEANUP_BUF struct buf user_data = BUF_INIT(AGENT_SETTINGS_MAX);

	settings.devices = &candidate->devices;
	if (agent_settings_user_data(&settings, launching->launch->whole_settings, &user_data, err) != 0)
		return FAILED;
	for (;;) {
		struct attempt attempt = {
			.call = call,
			.launch = launching->launch,
			.candidate = candidate,
			.user_data = buf_text(&user_data),
			.user_data_len = user_data.len,
			.spot = spot,
		};
		enum outcome outcome = try(&attempt, err);
		if (outcome == RUNNING) {
			launching->instance = attempt.instance;
			launching->candidate = candidate;
		}
		if (outcome == RUNNING || outcome == FAILED || (outcome == NO_SPOT && !fallback))
			return outcome;
		struct error why = { 0 };
		if (clear_away(&attempt, &why) != 0)
			return stuck(&attempt, &why, err);
		if (outcome != DIED || ++launching->deaths >= BIRTHS)
			return outcome;
		log_warn(call->runtime->log, "%s; trying again", err->message);
	}
}

/* The types in turn. */
static enum outcome launch_types(struct launching *launching, bool spot, struct error *err)
{
	const struct vm_launch *launch = launching->launch;
	enum outcome outcome = FAILED;

	for (size_t i = 0; i < launch->n_candidates; i++) {
		outcome = launch_type(launching, &launch->candidates[i], spot, err);
		if (outcome != NO_CAPACITY)
			return outcome;
		(void)error_prefix(err, "EC2 has no capacity for %s%s in %s", spot ? "spot instances of type " : "",
				   launch->candidates[i].type, launch->lookups->availability_zone);
		if (i + 1 < launch->n_candidates)
			log_warn(launching->call->runtime->log, "%s; trying %s", err->message, launch->candidates[i + 1].type);
	}
	return outcome;
}

static int give_up(const struct vm_launch *launch, enum outcome outcome, struct error *err)
{
	if (outcome == FAILED)
		return -1;
	err->kind = ERROR_VM_CREATION_FAILED;
	err->retryable = false;
	if (outcome == NO_CAPACITY && launch->n_candidates > 1)
		return error_prefix(err, "none of %zu instance types could be launched", launch->n_candidates);
	return -1;
}

int vm_launch_run(struct call *call, const struct vm_launch *launch, struct instance *ret_instance,
		  const struct vm_candidate **ret_candidate, struct error *err)
{
	struct launching launching = { .call = call, .launch = launch };
	enum outcome outcome = NO_SPOT;
	struct error why = { 0 };

	if (launch->spec->spot_max_price != NULL) {
		outcome = launch_types(&launching, true, &why);
		if (outcome == NO_SPOT || outcome == NO_CAPACITY)
			(void)error_prefix(&why, "Spot instance creation failed");
	}
	if (launch->spec->spot_max_price == NULL ||
	    ((outcome == NO_SPOT || outcome == NO_CAPACITY) && launch->spec->spot_ondemand_fallback)) {
		if (launch->spec->spot_max_price != NULL)
			log_warn(call->runtime->log, "%s; creating an on-demand instance, as spot_ondemand_fallback says", why.message);
		outcome = launch_types(&launching, false, &why);
	}
	if (outcome != RUNNING) {
		*err = why;
		return give_up(launch, outcome, err);
	}
	*ret_instance = launching.instance;
	*ret_candidate = launching.candidate;
	return 0;
}
