/* SPDX-License-Identifier: Apache-2.0 */
/* A disk's way to a VM and back. Which names there are is device_names.c's, where the agent finds it block_devices.h's. */
#include "cpi/methods/disk_attach.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/parallel.h"
#include "cpi/ec2/volumes.h"
#include "cpi/ec2/wait.h"
#include "cpi/methods/block_devices.h"
#include "cpi/methods/device_names.h"
#include "cpi/methods/found.h"
#include "cpi/methods/instance_facts.h"
#include "cpi/methods/registry.h"
#include "cpi/methods/undo.h"

#define IN_USE_LIMIT_MS ((int64_t)10 * 60 * 1000)
#define MAX_WRONG_STATES 15 /* tries */

struct attachment {
	struct call *call;
	const char *vm_cid;
	const char *disk_cid;
	struct instance instance;
	struct instance_facts facts;
	struct device_names names;
	char name[DEVICE_NAME_SIZE]; /* of those that are tried */
	const char *device_name;
	bool more_names; /* than those that every type has */
	bool attached;
	bool unsure; /* EC2 may have attached it although it did not say so */
};

/* --- one name --- */

struct attempt {
	const struct attachment *attachment;
	unsigned wrong_states;
	bool failed;
	struct error failure;
};

static bool is_in_use(const struct error *failure)
{
	return failure->kind == ERROR_AWS && strcmp(failure->aws_code, "VolumeInUse") == 0;
}

/* EC2 goes on saying VolumeInUse for a while after the VM that had the disk is gone, and may have shown a new one as
 * available too early. Any other failure has been repeated below as often as it should be. */
static int look_attached(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			 struct error *err)
{
	struct attempt *attempt = self;
	const struct attachment *attachment = attempt->attachment;
	struct error *failure = &attempt->failure;

	(void)scratch;
	(void)err;
	attempt->failed = volume_attach(attachment->call->ec2, attachment->disk_cid, attachment->vm_cid,
					attachment->device_name, failure) != 0;
	bool passing = attempt->failed && (is_in_use(failure) || (ec2_is_wrong_state(failure) &&
								  ++attempt->wrong_states < MAX_WRONG_STATES));
	if (passing)
		snprintf(seen, seen_size, "%s", failure->message);
	*ret_look = passing ? WAIT_AGAIN : WAIT_DONE;
	return 0;
}

static int attach_as(struct attachment *attachment, struct attempt *attempt, struct error *err)
{
	char what[256];

	snprintf(what, sizeof(what), "disk '%s' to be free for VM '%s'", attachment->disk_cid, attachment->vm_cid);
	if (wait_until(attachment->call->ec2, what, IN_USE_LIMIT_MS, look_attached, attempt, err) != 0)
		return -1;
	if (!attempt->failed)
		return 0;
	*err = attempt->failure;
	return -1;
}

/* --- the first name that nobody else takes --- */

static int explain(const struct attachment *attachment, struct error *err)
{
	if (ec2_is_not_found(err) && strncmp(err->aws_code, "InvalidVolume", strlen("InvalidVolume")) == 0)
		err->kind = ERROR_DISK_NOT_FOUND;
	else if (ec2_is_not_found(err) && strncmp(err->aws_code, "InvalidInstance", strlen("InvalidInstance")) == 0)
		err->kind = ERROR_VM_NOT_FOUND;
	return error_prefix(err, "cannot attach disk '%s' to VM '%s' as %s", attachment->disk_cid, attachment->vm_cid,
			    attachment->device_name);
}

/* Another call may take a name between our look and our attempt. */
static int attach_somewhere(struct attachment *attachment, struct error *err)
{
	struct device_names *names = &attachment->names;

	attachment->device_name = attachment->name;
	while (device_names_next(names, attachment->more_names, attachment->name)) {
		struct attempt attempt = { .attachment = attachment };
		if (attach_as(attachment, &attempt, err) == 0) {
			attachment->attached = true;
			return 0;
		}
		/* VolumeInUse may be the answer to a repetition */
		attachment->unsure = !err->not_done || is_in_use(err);
		if (!device_names_lost(err))
			return explain(attachment, err);
		log_info(attachment->call->runtime->log, "'%s' on '%s' is taken", attachment->name, attachment->vm_cid);
		device_names_take(names, attachment->name);
	}
	return 0;
}

static int attach_and_wait(void *self, struct error *err)
{
	struct attachment *attachment = self;
	const struct wait_options wait = { 0 };

	if (!attachment->attached && attach_somewhere(attachment, err) != 0)
		return -1;
	if (!attachment->attached)
		return 0;
	return volume_wait_attached(attachment->call->ec2, attachment->disk_cid, attachment->vm_cid, &wait, err);
}

static int find_facts(void *self, struct error *err)
{
	struct attachment *attachment = self;
	const char *type = attachment->instance.type;

	return instance_facts_find(attachment->call, (struct ec2_ids){ .items = &type, .count = 1 }, &attachment->facts, err);
}

/* The names that every type has are used up, and the facts are known. */
static int allow_more_names(struct attachment *attachment, struct error *err)
{
	const struct instance *instance = &attachment->instance;
	const struct instance_facts *facts = &attachment->facts;
	size_t n_volumes = 0;

	if (!facts->ebs_is_nvme)
		return error_set(err, ERROR_CLOUD,
				 "VM '%s' (%s) has too many disks attached: none of the names /dev/sdf to /dev/sdp is free; detach "
				 "disks that are not needed, or use a Nitro instance type, which can have more",
				 attachment->vm_cid, instance->type);
	for (size_t i = 0; i < instance->n_mappings; i++)
		n_volumes += instance->mappings[i].volume_id[0] != '\0' ? 1 : 0;
	if (facts->max_volumes != 0 && n_volumes >= facts->max_volumes)
		return error_set(err, ERROR_CLOUD,
				 "VM '%s' has too many disks attached: instance type %s takes %" PRIu64 " volumes, and %zu are "
				 "attached; detach disks that are not needed, or use a larger instance type",
				 attachment->vm_cid, instance->type, facts->max_volumes, n_volumes);
	attachment->more_names = true;
	return 0;
}

/* The type's facts matter for the hint, and for the name only where the usual ones are used up. */
static int attach(struct attachment *attachment, struct error *err)
{
	const struct parallel_task tasks[] = { { attach_and_wait, attachment }, { find_facts, attachment } };

	if (parallel_run(tasks, 2, err) != 0)
		return -1;
	if (attachment->attached)
		return 0;
	if (allow_more_names(attachment, err) != 0 || attach_and_wait(attachment, err) != 0)
		return -1;
	if (attachment->attached)
		return 0;
	return error_set(err, ERROR_CLOUD, "VM '%s' has too many disks attached: no device name is free; detach disks that are not "
			 "needed", attachment->vm_cid);
}

/* --- attach_disk --- */

static const struct instance_mapping *mapping_of(const struct instance *instance, const char *disk_cid)
{
	for (size_t i = 0; i < instance->n_mappings; i++)
		if (strcmp(instance->mappings[i].volume_id, disk_cid) == 0)
			return &instance->mappings[i];
	return NULL;
}

static int find_vm(struct attachment *attachment, struct error *err)
{
	struct instance *instance = &attachment->instance;

	if (found_vm(attachment->call, attachment->vm_cid, instance, err) != 0)
		return -1;
	if (strcmp(instance->state, "terminated") == 0)
		return error_set(err, ERROR_VM_NOT_FOUND, "VM '%s' is terminated", attachment->vm_cid);
	device_names_of(instance, &attachment->names);
	const struct instance_mapping *mapping = mapping_of(instance, attachment->disk_cid);
	if (mapping != NULL && strncmp(mapping->status, "detach", strlen("detach")) != 0) {
		log_info(attachment->call->runtime->log, "VM '%s' has disk '%s' as %s already", attachment->vm_cid,
			 attachment->disk_cid, mapping->device_name);
		attachment->device_name = mapping->device_name;
		attachment->attached = true;
	}
	return 0;
}

static int attach_undoably(struct attachment *attachment, struct error *err)
{
	struct undo *undo = attachment->call->undo;
	const char *id = arena_printf(attachment->call->arena, "%s %s", attachment->disk_cid, attachment->vm_cid);
	struct undo_step step;

	if (attachment->attached)
		return attach(attachment, err);
	if (id == NULL)
		return error_nomem(err);
	if (undo_intend_known(undo, UNDO_ATTACHMENT, id, &step, err) != 0)
		return -1;
	if (attach(attachment, err) == 0)
		return 0;
	if (!attachment->attached && !attachment->unsure)
		undo_forget(undo, &step);
	return -1;
}

int disk_attach(struct call *call, const char *vm_cid, const char *disk_cid, const char **ret_hint, struct error *err)
{
	struct attachment attachment = { .call = call, .vm_cid = vm_cid, .disk_cid = disk_cid };

	if (registry_require(call, err) != 0 || find_vm(&attachment, err) != 0 || attach_undoably(&attachment, err) != 0)
		return -1;
	const char *hint = block_devices_hint(&attachment.facts, disk_cid, attachment.device_name, call->arena);
	if (hint == NULL)
		return error_nomem(err);
	if (registry_is_used(call) && registry_set_disk(call, vm_cid, disk_cid, hint, err) != 0)
		return -1;
	log_info(call->runtime->log, "attached disk '%s' to VM '%s' as %s (%s for the agent)", disk_cid, vm_cid,
		 attachment.device_name, hint);
	*ret_hint = hint;
	return 0;
}

/* --- detach_disk --- */

static int not_attached(struct call *call, const char *vm_cid, const char *disk_cid, struct error *err)
{
	struct instance instance;

	if (found_vm(call, vm_cid, &instance, err) != 0)
		return -1;
	(void)error_set(err, ERROR_DISK_NOT_ATTACHED, "Disk '%s' is not attached to VM '%s'", disk_cid, vm_cid);
	err->retryable = true;
	return -1;
}

static int detach(struct call *call, const char *vm_cid, const char *disk_cid, struct error *err)
{
	const struct wait_options wait = { 0 };
	struct volume volume;

	if (found_disk(call, disk_cid, &volume, err) != 0)
		return -1;
	const struct volume_attachment *attachment = volume_attachment_to(&volume, vm_cid);
	if (attachment == NULL)
		return not_attached(call, vm_cid, disk_cid, err);
	if (strcmp(attachment->state, "detaching") != 0 && volume_detach(call->ec2, disk_cid, vm_cid, false, err) != 0)
		return error_prefix(err, "cannot detach disk '%s' from VM '%s'", disk_cid, vm_cid);
	return volume_wait_detached(call->ec2, disk_cid, &wait, err);
}

int disk_detach(struct call *call, const char *vm_cid, const char *disk_cid, struct error *err)
{
	struct error why;

	if (registry_require(call, err) != 0)
		return -1;
	if (detach(call, vm_cid, disk_cid, &why) == 0) {
		log_info(call->runtime->log, "detached disk '%s' from VM '%s'", disk_cid, vm_cid);
	} else if (why.kind == ERROR_DISK_NOT_FOUND) {
		log_warn(call->runtime->log, "disk '%s' does not exist, so that VM '%s' does not have it", disk_cid, vm_cid);
	} else {
		*err = why;
		return -1;
	}
	return registry_is_used(call) ? registry_set_disk(call, vm_cid, disk_cid, NULL, err) : 0;
}
