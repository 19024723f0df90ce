/* SPDX-License-Identifier: Apache-2.0 */
/* An interface is made, waited for and furnished by a task of its own; the journal is written before and after them. That
 * they are deleted with their instance is set when they are attached (vm_finish.c). */
#include "cpi/methods/vm_interfaces.h"

#include "common/parallel.h"
#include "cpi/ec2/interfaces.h"
#include "cpi/methods/created.h"
#include "cpi/methods/taken_address.h"

struct making {
	struct call *call;
	struct nic *nic;
	bool public_ip;
	struct interface_create_request request;
	struct undo_step step;
	bool made;
	struct interface interface;
	struct error failure; /* of the creating call */
};

/* An address that its last holder has not given back yet is waited for. */
static int create(struct making *making, struct error *err)
{
	struct call *call = making->call;
	struct taken_address address = {
		.subnet = making->nic->subnet,
		.ipv4 = making->nic->ipv4,
		.ipv6 = making->nic->ipv6,
	};

	taken_address_begin(call, &address);
	for (;;) {
		struct error *failure = &making->failure;
		*failure = (struct error){ 0 };
		if (interface_create(call->ec2, call->arena, &making->request, &making->interface, failure) == 0) {
			making->made = true;
			return 0;
		}
		*err = *failure;
		if (!taken_address_is(failure) || taken_address_wait(call, &address, failure, err) != 0)
			return -1;
	}
}

/* Its last holder may be on its way out too. */
static int assign(struct making *making, const char *prefix, struct error *err)
{
	struct taken_address address = { .subnet = making->nic->subnet, .prefix = prefix };
	struct call *call = making->call;
	const char *id = making->interface.id;
	struct error failure;

	taken_address_begin(call, &address);
	while (prefix != NULL && interface_assign_prefix(call->ec2, id, prefix, &failure) != 0) {
		*err = failure;
		if (!taken_address_is(&failure) || taken_address_wait(call, &address, &failure, err) != 0)
			return error_prefix(err, "cannot give network interface %s the prefix %s", id, prefix);
	}
	return 0;
}

static int furnish(struct making *making, struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	const char *id = making->interface.id;
	struct ec2_client *ec2 = making->call->ec2;

	if (interface_wait_available(ec2, id, &wait, err) != 0 || assign(making, making->nic->ipv4_prefix, err) != 0 ||
	    assign(making, making->nic->ipv6_prefix, err) != 0)
		return -1;
	if (making->public_ip && interface_associate_public_ip(ec2, id, err) != 0)
		return error_prefix(err, "Failed to associate public IP address with network interface %s", id);
	return 0;
}

static int make(void *self, struct error *err)
{
	struct making *making = self;

	if (create(making, err) != 0 || furnish(making, err) != 0)
		return error_prefix(err, "Failed to create network interface for nic_group '%s'", making->nic->group);
	return 0;
}

static int prepare(struct making *making, const struct vm_spec *spec, const struct vm_lookups *lookups,
		   struct error *err)
{
	struct call *call = making->call;

	if (undo_intend(call->undo, UNDO_INTERFACE, &making->step, err) != 0)
		return -1;
	making->request = (struct interface_create_request){
		.subnet_id = making->nic->subnet,
		.private_ip = making->nic->ipv4,
		.ipv6 = making->nic->ipv6,
		.security_group_ids = lookups->security_group_ids,
		.client_token = making->step.token,
	};
	return created_tags(call->arena, spec->tags, &making->step, &making->request.tags, err);
}

static void note(struct making *making)
{
	struct call *call = making->call;

	if (!making->made) {
		created_not(call->undo, &making->step, &making->failure);
		return;
	}
	undo_created(call->undo, &making->step, making->interface.id);
	log_info(call->runtime->log, "created network interface %s in %s (nic_group '%s', %s)", making->interface.id,
		 making->nic->subnet, making->nic->group, making->interface.private_ip);
	making->nic->mac = making->interface.mac_address;
}

int vm_interfaces_create(struct call *call, const struct vm_spec *spec, const struct nic_plan *nics,
			 const struct vm_lookups *lookups, struct vm_interfaces *ret_interfaces, struct error *err)
{
	struct making *makings = arena_array(call->arena, nics->n_nics, sizeof(*makings));
	struct parallel_task *tasks = arena_array(call->arena, nics->n_nics, sizeof(*tasks));
	struct instance_own_interface *interfaces = arena_array(call->arena, nics->n_nics, sizeof(*interfaces));

	if (makings == NULL || tasks == NULL || interfaces == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < nics->n_nics; i++) {
		makings[i] = (struct making){
			.call = call,
			.nic = &nics->nics[i],
			.public_ip = spec->auto_assign_public_ip,
		};
		if (prepare(&makings[i], spec, lookups, err) != 0)
			return -1;
		tasks[i] = (struct parallel_task){ .run = make, .self = &makings[i] };
	}
	int result = parallel_run(tasks, nics->n_nics, err);
	for (size_t i = 0; i < nics->n_nics; i++) {
		note(&makings[i]);
		interfaces[i].id = makings[i].interface.id;
	}
	if (result != 0)
		return -1;
	*ret_interfaces = (struct vm_interfaces){ .items = interfaces, .count = nics->n_nics };
	return 0;
}

int vm_interfaces_wait_free(struct call *call, const struct vm_interfaces *interfaces, struct error *err)
{
	const struct wait_options wait = { 0 };

	for (size_t i = 0; i < interfaces->count; i++)
		if (interface_wait_available(call->ec2, interfaces->items[i].id, &wait, err) != 0)
			return -1;
	return 0;
}
