/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/vm.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/tags.h"
#include "cpi/methods/created.h"
#include "cpi/methods/found.h"
#include "cpi/methods/registry.h"

#define START_LIMIT_MS (10 * 60 * 1000) /* an instance that is stopping takes minutes */

static int pass_on(const struct error *failure, struct error *err)
{
	if (err != NULL)
		*err = *failure;
	return -1;
}

/* --- delete_vm --- */

/* The instance is going away in any case, so what goes wrong here does not count. */
static int mark_deleted(struct call *call, const char *vm_cid, struct error *err)
{
	static const struct ec2_tag name = { "Name", "to be deleted" };
	struct error failure;

	if (tags_create_if_there(call->ec2, (struct ec2_ids){ &vm_cid, 1 }, (struct ec2_tags){ &name, 1 }, &failure) == 0) {
		log_info(call->runtime->log, "Instance %s marked to deletion", vm_cid);
		return 0;
	}
	if (failure.kind == ERROR_CANCELLED)
		return pass_on(&failure, err);
	log_warn(call->runtime->log, "%s is being terminated, but could not be renamed: %s", vm_cid, failure.message);
	return 0;
}

int vm_delete(struct call *call, const char *vm_cid, struct error *err)
{
	const struct wait_options wait = { 0 };
	bool existed;

	log_info(call->runtime->log, "Deleting instance '%s'", vm_cid);
	if (instance_terminate(call->ec2, vm_cid, &existed, err) != 0)
		return -1;
	if (!existed)
		return found_no_vm(vm_cid, err);
	if (call->config->fast_path_delete) {
		if (mark_deleted(call, vm_cid, err) != 0)
			return -1;
	} else if (instance_wait_terminated(call->ec2, vm_cid, &wait, err) != 0) {
		return -1;
	}
	if (!registry_is_used(call))
		return 0;
	log_info(call->runtime->log, "Deleting instance settings for '%s'", vm_cid);
	return registry_delete(call, vm_cid, err);
}

/* --- has_vm --- */

int vm_has(struct call *call, const char *vm_cid, bool *ret_exists, struct error *err)
{
	struct instance instance;
	struct error failure;

	if (found_vm(call, vm_cid, &instance, &failure) == 0) {
		*ret_exists = strcmp(instance.state, "terminated") != 0;
		return 0;
	}
	if (failure.kind == ERROR_VM_NOT_FOUND) {
		*ret_exists = false;
		return 0;
	}
	return pass_on(&failure, err);
}

/* --- reboot_vm --- */

struct starting {
	struct call *call;
	const char *vm_cid;
};

static int start_once(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
		      struct error *err)
{
	struct starting *starting = self;
	struct error failure = { 0 };
	struct instance instance;

	(void)scratch;
	if (instance_start(starting->call->ec2, starting->vm_cid, &failure) == 0) {
		snprintf(seen, seen_size, "started");
		*ret_look = WAIT_DONE;
		return 0;
	}
	if (!ec2_is_wrong_state(&failure)) {
		*err = failure;
		return -1;
	}
	if (found_vm(starting->call, starting->vm_cid, &instance, err) != 0)
		return -1;
	if (instance_is_ending(instance.state))
		return error_set(err, ERROR_VM_NOT_FOUND, "VM '%s' is %s and cannot come back", starting->vm_cid,
				 instance.state);
	snprintf(seen, seen_size, "state %s", instance.state);
	*ret_look = WAIT_AGAIN;
	return 0;
}

static int start(struct call *call, const char *vm_cid, struct error *err)
{
	struct starting starting = { call, vm_cid };
	struct error failure = { 0 };
	const char *what = arena_printf(call->arena, "instance %s to start", vm_cid);

	if (what == NULL)
		return error_nomem(err);
	if (wait_until(call->ec2, what, START_LIMIT_MS, start_once, &starting, &failure) == 0)
		return 0;
	if (ec2_is_denied(&failure))
		(void)error_prefix(&failure, "VM '%s' is not running, so that it cannot be rebooted, and ec2:StartInstances is "
				   "not allowed: add it to the CPI's policy, or start the VM by hand", vm_cid);
	return pass_on(&failure, err);
}

int vm_reboot(struct call *call, const char *vm_cid, struct error *err)
{
	struct error failure = { 0 };

	if (instance_reboot(call->ec2, vm_cid, &failure) == 0)
		return 0;
	if (ec2_is_not_found(&failure))
		return found_no_vm(vm_cid, err);
	if (ec2_is_wrong_state(&failure)) {
		log_info(call->runtime->log, "VM '%s' is not running: it is started instead of rebooted", vm_cid);
		return start(call, vm_cid, err);
	}
	return pass_on(&failure, err);
}

/* --- set_vm_metadata --- */

/* NULL where nothing names the VM. */
static int make_name(struct arena *arena, struct ec2_tags metadata, const char **ret_name, struct error *err)
{
	const char *job = tags_get(metadata, "job"), *index = tags_get(metadata, "index");
	const char *compiling = tags_get(metadata, "compiling");
	const char *name = tags_get(metadata, "name");
	bool by_job = job != NULL && index != NULL;

	if (name == NULL && (by_job || compiling != NULL)) {
		name = by_job ? arena_printf(arena, "%s/%s", job, index) : arena_printf(arena, "compiling/%s", compiling);
		if (name == NULL)
			return error_nomem(err);
	}
	*ret_name = name;
	return 0;
}

static int make_tags(struct arena *arena, struct ec2_tags metadata, struct ec2_tags *ret_tags, struct error *err)
{
	struct ec2_tag *others = arena_array(arena, metadata.count + 1, sizeof(*others));
	struct ec2_tag name = { .key = "Name" };
	size_t count = 0;

	if (others == NULL)
		return error_nomem(err);
	if (make_name(arena, metadata, &name.value, err) != 0)
		return -1;
	for (size_t i = 0; i < metadata.count; i++) {
		if (strcmp(metadata.items[i].key, "name") != 0)
			others[count++] = metadata.items[i];
	}
	const struct ec2_tags lists[] = { { others, count }, { &name, name.value == NULL ? 0 : 1 } };
	return created_merge(arena, lists, 2, ret_tags, err);
}

/* One at a time: EC2 tags all of a call's resources or none, and only some of them are full, or gone. */
static int tag_separately(struct call *call, struct ec2_ids resources, struct ec2_tags tags, struct error *err)
{
	for (size_t i = 0; i < resources.count; i++) {
		struct error failure = { 0 };
		const struct ec2_ids one = { &resources.items[i], 1 };
		if (tags_create_if_there(call->ec2, one, tags, &failure) == 0)
			continue;
		if (!tags_are_refused(&failure))
			return pass_on(&failure, err);
		log_warn(call->runtime->log, "could not tag %s: %s", resources.items[i], failure.message);
	}
	return 0;
}

/* The VM's id first, then its volumes'. */
static int list_resources(struct call *call, const char *vm_cid, struct ec2_ids *ret_resources, struct error *err)
{
	struct ec2_ids volumes;

	if (vm_get_disks(call, vm_cid, &volumes, err) != 0)
		return -1;
	const char **ids = arena_array(call->arena, volumes.count + 1, sizeof(*ids));
	if (ids == NULL)
		return error_nomem(err);
	ids[0] = vm_cid;
	for (size_t i = 0; i < volumes.count; i++)
		ids[i + 1] = volumes.items[i];
	*ret_resources = (struct ec2_ids){ ids, volumes.count + 1 };
	return 0;
}

int vm_set_metadata(struct call *call, const char *vm_cid, struct ec2_tags metadata, struct error *err)
{
	struct error failure = { 0 };
	struct ec2_ids resources;
	struct ec2_tags tags;

	if (make_tags(call->arena, metadata, &tags, err) != 0 || list_resources(call, vm_cid, &resources, err) != 0)
		return -1;
	if (tags_create(call->ec2, resources, tags, &failure) == 0)
		return 0;
	if (ec2_is_not_found(&failure) || tags_are_refused(&failure))
		return tag_separately(call, resources, tags, err);
	return pass_on(&failure, err);
}

/* --- get_disks --- */

int vm_get_disks(struct call *call, const char *vm_cid, struct ec2_ids *ret_volume_ids, struct error *err)
{
	struct instance instance;
	size_t count = 0;

	if (found_vm(call, vm_cid, &instance, err) != 0)
		return -1;
	const char **ids = arena_array(call->arena, instance.n_mappings + 1, sizeof(*ids));
	if (ids == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < instance.n_mappings; i++) {
		if (instance.mappings[i].volume_id[0] != '\0')
			ids[count++] = instance.mappings[i].volume_id;
	}
	*ret_volume_ids = (struct ec2_ids){ ids, count };
	return 0;
}
