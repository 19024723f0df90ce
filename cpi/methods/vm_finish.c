/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/vm_finish.h"

#include <string.h>

#include "common/parallel.h"
#include "cpi/ec2/addresses.h"
#include "cpi/ec2/interfaces.h"
#include "cpi/ec2/load_balancers.h"
#include "cpi/ec2/routes.h"
#include "cpi/methods/created.h"

#define READY_LIMIT_MS ((int64_t)30 * 1000)
#define READY_DELAY_MS 1000

/* One thing to do; the first fields are for all. */
struct step {
	struct call *call;
	const struct vm_finish *finish;
	const char *name;                            /* of a load balancer, or a target group's ARN */
	const struct instance_interface *interface;
	const struct vm_route *route;
	const struct route *old_route; /* NULL: there is none yet */
	struct undo_step undo_step;    /* of a route */
	struct error failure;          /* EC2's, of leading it */
	bool leads;
};

struct steps {
	struct step *items;
	struct parallel_task *tasks;
	size_t count;
};

/* --- one step each --- */

static int end_interface_with_instance(void *self, struct error *err)
{
	struct step *step = self;
	const struct instance_interface *interface = step->interface;

	if (interface_set_delete_on_termination(step->call->ec2, interface->id, interface->attachment_id, err) != 0)
		return error_prefix(err, "cannot have network interface %s deleted with instance %s", interface->id,
				    step->finish->instance->id);
	return 0;
}

static int disable_source_dest_check(void *self, struct error *err)
{
	struct step *step = self;
	struct ec2_client *ec2 = step->call->ec2;
	const char *instance = step->finish->instance->id;

	if (step->interface == NULL && instance_disable_source_dest_check(ec2, instance, err) == 0)
		return 0;
	if (step->interface != NULL && interface_disable_source_dest_check(ec2, step->interface->id, err) == 0)
		return 0;
	return error_prefix(err, "cannot switch off the source/destination check of instance %s", instance);
}

/* --- what EC2 may refuse at first: it has shown the instance as running and does not mean it yet --- */

static bool is_not_ready(const struct error *err)
{
	static const char *const codes[] = {
		"IncorrectInstanceState", "InvalidInstanceID", "InvalidTarget", "InvalidInstance", "InvalidEndPoint",
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (err->kind == ERROR_AWS && strcmp(err->aws_code, codes[i]) == 0)
			return true;
	return false;
}

static int until_ready(struct step *step, int (*enter)(struct step *step, struct error *err), struct error *err)
{
	struct runtime *runtime = step->call->runtime;
	struct deadline deadline = deadline_in(runtime->clock, READY_LIMIT_MS);

	while (enter(step, err) != 0) {
		if (!is_not_ready(err) || deadline_passed(runtime->clock, deadline))
			return -1;
		if (deadline_sleep(runtime->clock, deadline, READY_DELAY_MS, runtime->cancel, err) != 0)
			return -1;
	}
	return 0;
}

static int lead(struct step *step, struct error *err)
{
	const struct vm_route *route = step->route;
	const char *kind = step->interface != NULL ? "NetworkInterfaceId" : "InstanceId";
	const char *target = step->interface != NULL ? step->interface->id : step->finish->instance->id;
	int (*set)(struct ec2_client *, const char *, const char *, const char *, const char *, struct error *) =
		step->old_route == NULL ? route_create : route_replace;

	step->leads = set(step->call->ec2, route->table_id, route->destination, kind, target, &step->failure) == 0;
	if (step->leads)
		return 0;
	*err = step->failure;
	return -1;
}

static int lead_route(void *self, struct error *err)
{
	struct step *step = self;

	if (until_ready(step, lead, err) == 0)
		return 0;
	return error_prefix(err, "cannot lead %s in route table %s to instance %s", step->route->destination,
			    step->route->table_id, step->finish->instance->id);
}

static int register_with_load_balancer(struct step *step, struct error *err)
{
	return load_balancer_register(step->call->ec2, step->name, step->finish->instance->id, err);
}

static int enter_load_balancer(void *self, struct error *err)
{
	struct step *step = self;

	if (until_ready(step, register_with_load_balancer, err) == 0)
		return 0;
	return error_prefix(err, "cannot register instance %s with load balancer %s", step->finish->instance->id, step->name);
}

static int register_with_target_group(struct step *step, struct error *err)
{
	return target_group_register(step->call->ec2, step->name, step->finish->instance->id, err);
}

static int enter_target_group(void *self, struct error *err)
{
	struct step *step = self;

	if (until_ready(step, register_with_target_group, err) == 0)
		return 0;
	return error_prefix(err, "cannot register instance %s with target group %s", step->finish->instance->id, step->name);
}

static int associate(struct step *step, struct error *err)
{
	return address_associate(step->call->ec2, step->finish->lookups->vip_allocation_id, step->interface->id, err);
}

static int associate_address(void *self, struct error *err)
{
	struct step *step = self;

	if (until_ready(step, associate, err) == 0)
		return 0;
	return error_prefix(err, "cannot associate elastic IP %s with network interface %s", step->finish->nics->vip->ip,
			    step->interface->id);
}

/* --- which of them --- */

static struct step *add(struct steps *steps, struct call *call, const struct vm_finish *finish,
			int (*run)(void *, struct error *))
{
	struct step *step = &steps->items[steps->count];

	step->call = call;
	step->finish = finish;
	steps->tasks[steps->count++] = (struct parallel_task){ .run = run, .self = step };
	return step;
}

static const struct instance_interface *interface_at(const struct instance *instance, size_t device_index)
{
	for (size_t i = 0; i < instance->n_interfaces; i++)
		if (instance->interfaces[i].device_index == device_index)
			return &instance->interfaces[i];
	return NULL;
}

static int add_interfaces(struct steps *steps, struct call *call, const struct vm_finish *finish, struct error *err)
{
	for (size_t i = 0; finish->own_interfaces && i < finish->nics->n_nics; i++) {
		const struct instance_interface *interface = interface_at(finish->instance, i);
		if (interface == NULL)
			return error_set(err, ERROR_CLOUD, "instance %s shows no network interface with device index %zu",
					 finish->instance->id, i);
		if (!interface->delete_on_termination)
			add(steps, call, finish, end_interface_with_instance)->interface = interface;
	}
	return 0;
}

/* Where EC2 wants an interface named, because the instance has several: the primary one. NULL: the instance will do. */
static const struct instance_interface *primary_of_several(const struct instance *instance)
{
	return instance->n_interfaces > 1 ? interface_at(instance, 0) : NULL;
}

static void add_source_dest_check(struct steps *steps, struct call *call, const struct vm_finish *finish)
{
	const struct instance *instance = finish->instance;

	if (finish->spec->source_dest_check)
		return;
	if (instance->n_interfaces <= 1)
		(void)add(steps, call, finish, disable_source_dest_check);
	for (size_t i = 0; instance->n_interfaces > 1 && i < instance->n_interfaces; i++)
		add(steps, call, finish, disable_source_dest_check)->interface = &instance->interfaces[i];
}

/* The journal's entry says where the route led before, if ReplaceRoute can lead it there again and that is of use. */
static int add_route(struct steps *steps, struct call *call, const struct vm_finish *finish, const struct vm_route *route,
		     struct error *err)
{
	const struct route *old = route_find(vm_lookups_table(finish->lookups, route->table_id), route->destination);
	bool restorable = old != NULL && *old->target_kind != '\0' && strcmp(old->state, "blackhole") != 0;
	const char *id = arena_printf(call->arena, "%s %s %s%s%s%s%s", route->table_id, route->destination,
				      finish->instance->id, restorable ? " " : "", restorable ? old->target_kind : "",
				      restorable ? " " : "", restorable ? old->target_id : "");

	if (id == NULL)
		return error_nomem(err);
	struct step *step = add(steps, call, finish, lead_route);
	step->route = route;
	step->interface = primary_of_several(finish->instance);
	step->old_route = old;
	return undo_intend_known(call->undo, UNDO_ROUTE, id, &step->undo_step, err);
}

static int add_address(struct steps *steps, struct call *call, const struct vm_finish *finish, struct error *err)
{
	size_t index = finish->nics->vip_nic;
	const struct instance_interface *interface;

	if (finish->nics->vip == NULL)
		return 0;
	interface = interface_at(finish->instance, index);
	if (interface == NULL)
		return error_set(err, ERROR_CLOUD,
				 "Could not find network interface with device_index %zu on instance '%s' for elastic IP %s", index,
				 finish->instance->id, finish->nics->vip->ip);
	add(steps, call, finish, associate_address)->interface = interface;
	return 0;
}

static int make_room(struct steps *steps, struct call *call, const struct vm_finish *finish, struct error *err)
{
	const struct vm_spec *spec = finish->spec;
	size_t most = finish->nics->n_nics + finish->instance->n_interfaces + spec->elbs.count +
		      finish->lookups->target_group_arns.count + spec->n_routes + 2;

	steps->items = arena_array(call->arena, most, sizeof(*steps->items));
	steps->tasks = arena_array(call->arena, most, sizeof(*steps->tasks));
	return steps->items == NULL || steps->tasks == NULL ? error_nomem(err) : 0;
}

int vm_finish_run(struct call *call, const struct vm_finish *finish, struct error *err)
{
	const struct vm_spec *spec = finish->spec;
	struct steps steps = { 0 };

	if (make_room(&steps, call, finish, err) != 0 || add_interfaces(&steps, call, finish, err) != 0)
		return -1;
	add_source_dest_check(&steps, call, finish);
	for (size_t i = 0; i < finish->lookups->target_group_arns.count; i++)
		add(&steps, call, finish, enter_target_group)->name = finish->lookups->target_group_arns.items[i];
	for (size_t i = 0; i < spec->elbs.count; i++)
		add(&steps, call, finish, enter_load_balancer)->name = spec->elbs.items[i];
	for (size_t i = 0; i < spec->n_routes; i++)
		if (add_route(&steps, call, finish, &spec->routes[i], err) != 0)
			return -1;
	size_t others = steps.count;
	if (add_address(&steps, call, finish, err) != 0)
		return -1;
	int result = parallel_run(steps.tasks, others, err);
	for (size_t i = 0; i < others; i++)
		if (steps.items[i].route != NULL && !steps.items[i].leads)
			created_not(call->undo, &steps.items[i].undo_step, &steps.items[i].failure);
	return result == 0 ? parallel_run(steps.tasks + others, steps.count - others, err) : -1;
}
