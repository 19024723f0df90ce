/* SPDX-License-Identifier: Apache-2.0 */
/* The order of work: plan and look up, make interfaces where they must be there first, launch, finish, tell the registry. */
#include "cpi/methods/vm_create.h"

#include <string.h>

#include "common/digest.h"
#include "cpi/methods/agent_settings.h"
#include "cpi/methods/block_devices.h"
#include "cpi/methods/nic_plan.h"
#include "cpi/methods/registry.h"
#include "cpi/methods/vm_finish.h"
#include "cpi/methods/vm_interfaces.h"
#include "cpi/methods/vm_launch.h"
#include "cpi/methods/vm_lookups.h"

/* As long as any: the size of the user data is known before there is an interface. */
#define SOME_MAC "00:00:00:00:00:00"

struct making {
	struct call *call;
	const struct vm_spec *spec;
	struct nic_plan nics;
	struct vm_lookups lookups;
	struct vm_candidate *candidates;
	struct agent_settings settings;
	bool whole_settings;
};

/* --- before anything is made --- */

static int plan_candidates(struct making *making, struct error *err)
{
	const struct vm_lookups *lookups = &making->lookups;
	struct arena *arena = making->call->arena;

	making->candidates = arena_array(arena, lookups->types.count, sizeof(*making->candidates));
	if (making->candidates == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < lookups->types.count; i++) {
		making->candidates[i].type = lookups->types.items[i];
		if (block_devices_plan(making->spec, &lookups->image, &lookups->facts[i], arena,
				       &making->candidates[i].devices, err) != 0)
			return -1;
	}
	return 0;
}

static int plan_settings(struct making *making, struct error *err)
{
	struct call *call = making->call;
	char uuid[UUID_SIZE];

	if (digest_uuid(uuid, err) != 0)
		return -1;
	making->whole_settings = !registry_is_used(call);
	making->settings = (struct agent_settings){
		.spec = making->spec,
		.nics = &making->nics,
		.vm_name = arena_printf(call->arena, "vm-%s", uuid),
		.agent = call->config->agent,
	};
	if (making->settings.vm_name == NULL)
		return error_nomem(err);
	return registry_agent_endpoint(call, &making->settings.registry_endpoint, err);
}

static void set_macs(struct nic_plan *nics, const char *mac)
{
	for (size_t i = 0; i < nics->n_nics; i++)
		nics->nics[i].mac = mac;
}

/* User data over EC2's limit is refused while there is nothing to undo. */
static int check_user_data(struct making *making, struct error *err)
{
	set_macs(&making->nics, making->nics.simple ? "" : SOME_MAC);
	for (size_t i = 0; i < making->lookups.types.count; i++) {
		CLEANUP_BUF struct buf text = BUF_INIT(AGENT_SETTINGS_MAX);
		making->settings.devices = &making->candidates[i].devices;
		if (agent_settings_user_data(&making->settings, making->whole_settings, &text, err) != 0)
			return -1;
	}
	set_macs(&making->nics, "");
	return 0;
}

static int plan(struct making *making, struct error *err)
{
	struct call *call = making->call;

	if (registry_require(call, err) != 0 || nic_plan_make(making->spec, call->arena, &making->nics, err) != 0 ||
	    vm_lookups_make(call, making->spec, &making->nics, &making->lookups, err) != 0)
		return -1;
	if (plan_candidates(making, err) != 0 || plan_settings(making, err) != 0)
		return -1;
	return check_user_data(making, err);
}

/* --- making --- */

static int tell_registry(struct making *making, const char *instance_id, const struct vm_candidate *candidate,
			 struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(AGENT_SETTINGS_MAX);

	if (making->whole_settings)
		return 0;
	making->settings.devices = &candidate->devices;
	if (agent_settings_registry(&making->settings, &text, err) != 0)
		return -1;
	if (registry_put(making->call, instance_id, buf_text(&text), err) == 0)
		return 0;
	/* it may have arrived all the same, and the instance goes again */
	struct error why;
	(void)registry_delete(making->call, instance_id, &why);
	return -1;
}

static int make(struct making *making, const char **ret_vm_cid, struct error *err)
{
	struct call *call = making->call;
	const struct vm_candidate *candidate;
	struct vm_interfaces interfaces;
	struct instance instance;

	if (!making->nics.simple &&
	    vm_interfaces_create(call, making->spec, &making->nics, &making->lookups, &interfaces, err) != 0)
		return -1;
	const struct vm_launch launch = {
		.spec = making->spec,
		.nics = &making->nics,
		.lookups = &making->lookups,
		.candidates = making->candidates,
		.n_candidates = making->lookups.types.count,
		.settings = making->settings,
		.whole_settings = making->whole_settings,
		.interfaces = making->nics.simple ? NULL : &interfaces,
	};
	if (vm_launch_run(call, &launch, &instance, &candidate, err) != 0)
		return -1;
	const struct vm_finish finish = {
		.spec = making->spec,
		.nics = &making->nics,
		.lookups = &making->lookups,
		.instance = &instance,
		.own_interfaces = !making->nics.simple,
	};
	if (vm_finish_run(call, &finish, err) != 0 || tell_registry(making, instance.id, candidate, err) != 0)
		return -1;
	*ret_vm_cid = instance.id;
	return 0;
}

int vm_create(struct call *call, const struct vm_spec *spec, const char **ret_vm_cid, struct error *err)
{
	struct making making = { .call = call, .spec = spec };

	if (plan(&making, err) != 0)
		return -1;
	return make(&making, ret_vm_cid, err);
}
