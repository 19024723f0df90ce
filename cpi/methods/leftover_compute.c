/* SPDX-License-Identifier: Apache-2.0 */
/* Instances are terminated, network interfaces deleted once their instance has let go of them. */
#include "cpi/methods/leftover_compute.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/instances.h"
#include "cpi/ec2/interfaces.h"

#define INSTANCE_LIMIT_MS ((int64_t)15 * 60 * 1000) /* its volumes are detached first, and its system may take its time */
#define INTERFACE_LIMIT_MS ((int64_t)50 * 10 * 1000)
#define NO_FILTERS ((struct ec2_filters){ 0 })

static bool is_code(const struct error *err, const char *code)
{
	return err->kind == ERROR_AWS && strcmp(err->aws_code, code) == 0;
}

/* --- instances --- */

static int find_instances(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
			  struct leftover_list *list, struct error *err)
{
	struct instance *instances;
	size_t count;

	if (instance_describe(ec2, arena, query->ids, query->filters, &instances, &count, err) != 0 ||
	    leftover_kind_room(list, arena, count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(instances[i].state, "terminated") != 0)
			leftover_kind_add(list, instances[i].id, instances[i].state, instances[i].tags);
	return 0;
}

/* Its state, "terminated" also where EC2 does not know it. */
static int instance_state(struct ec2_client *ec2, struct arena *arena, const char *id, const char **ret_state,
			  struct error *err)
{
	struct instance *instance;

	if (instance_find(ec2, arena, id, &instance, err) != 0)
		return -1;
	*ret_state = instance != NULL ? instance->state : "terminated";
	return 0;
}

struct ending {
	struct ec2_client *ec2;
	const char *id;
	bool accepted; /* EC2 has taken the request to terminate it */
};

static int terminate(struct ending *ending, struct error *err)
{
	struct error why;

	if (instance_terminate(ending->ec2, ending->id, &ending->accepted, &why) == 0)
		return 0;
	if (is_code(&why, "OperationNotPermitted"))
		(void)error_prefix(&why, "it is protected from termination; set its disableApiTermination to false");
	if (err != NULL)
		*err = why;
	return -1;
}

/* EC2 may not know for TerminateInstances yet what it shows already: asked until it is accepted. */
static int look_instance(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			 struct error *err)
{
	struct ending *ending = self;
	const char *state;

	if (!ending->accepted) {
		if (terminate(ending, err) != 0)
			return -1;
		snprintf(seen, seen_size, "asked to terminate");
		*ret_look = WAIT_AGAIN;
		if (ending->accepted)
			return 0;
	}
	if (instance_state(ending->ec2, scratch, ending->id, &state, err) != 0)
		return -1;
	snprintf(seen, seen_size, "state %s", state);
	*ret_look = strcmp(state, "terminated") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

static int remove_instance(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	struct ending ending = { .ec2 = ec2, .id = id };
	const struct leftover_goal goal = {
		.name = leftover_compute_instance.name,
		.id = id,
		.limit_ms = INSTANCE_LIMIT_MS,
		.look = look_instance,
		.self = &ending,
	};

	return leftover_kind_until_gone(ec2, &goal, hurry, err);
}

const struct leftover_kind leftover_compute_instance = { "instance", find_instances, remove_instance };

/* --- network interfaces --- */

static int find_interfaces(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
			   struct leftover_list *list, struct error *err)
{
	struct interface *interfaces;
	size_t count;

	if (interface_describe(ec2, arena, query->ids, query->filters, &interfaces, &count, err) != 0 ||
	    leftover_kind_room(list, arena, count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		leftover_kind_add(list, interfaces[i].id, interfaces[i].status, interfaces[i].tags);
	return 0;
}

struct deletion {
	struct ec2_client *ec2;
	const char *id;
	bool comes_free; /* its instance is on its way out */
};

/* It comes free when its instance ends, and not while that runs on: then it is no use waiting. What cannot be looked up is
 * no reason to give up. */
static int check_holder(struct deletion *deletion, struct arena *scratch, struct error *err)
{
	struct ec2_ids ids = { .items = &deletion->id, .count = 1 };
	struct interface *interfaces;
	const char *state;
	size_t count;

	if (deletion->comes_free ||
	    interface_describe(deletion->ec2, scratch, ids, NO_FILTERS, &interfaces, &count, NULL) != 0 || count == 0 ||
	    interfaces[0].instance_id[0] == '\0' || strcmp(interfaces[0].attachment_status, "detaching") == 0 ||
	    instance_state(deletion->ec2, scratch, interfaces[0].instance_id, &state, NULL) != 0)
		return 0;
	deletion->comes_free = instance_is_ending(state);
	if (deletion->comes_free)
		return 0;
	return error_set(err, ERROR_CLOUD, "it is attached to instance %s, which is %s: terminate that, or detach it",
			 interfaces[0].instance_id, state);
}

static int look_interface(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			  struct error *err)
{
	static const char *const in_use[] = { "InvalidNetworkInterface.InUse", "InvalidParameterValue", NULL };
	struct deletion *deletion = self;
	struct error why;

	*ret_look = WAIT_DONE;
	int result = interface_delete(deletion->ec2, deletion->id, NULL, &why);
	if (result == 0)
		return 0;
	snprintf(seen, seen_size, "%.200s", why.message);
	*ret_look = WAIT_AGAIN;
	if (leftover_kind_unless(result, &why, in_use, err) != 0)
		return -1;
	return check_holder(deletion, scratch, err);
}

static int remove_interface(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	struct deletion deletion = { .ec2 = ec2, .id = id };
	const struct leftover_goal goal = {
		.name = leftover_compute_interface.name,
		.id = id,
		.limit_ms = INTERFACE_LIMIT_MS,
		.look = look_interface,
		.self = &deletion,
	};

	return leftover_kind_until_gone(ec2, &goal, hurry, err);
}

const struct leftover_kind leftover_compute_interface = { "network interface", find_interfaces, remove_interface };
