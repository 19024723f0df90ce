/* SPDX-License-Identifier: Apache-2.0 */
/* A new VM's disks by the incumbent's rules, so that a VM that is made anew has what it had. */
#include "cpi/methods/block_devices.h"

#include <stdio.h>
#include <string.h>

#define EPHEMERAL_NAME "/dev/sdb"
#define EPHEMERAL_DEFAULT_GIB 10
#define DISK_TYPE_DEFAULT "gp3"
#define NVME_PREFIX "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"

/* one letter names the disk, from 'a' or 'c' on */
#define RAW_MAX 24
/* beside the raw disks */
#define OTHER_DISKS 2

struct planning {
	const struct vm_spec *spec;
	const struct image *image;
	const struct instance_facts *facts;
	struct arena *arena;
	struct instance_disk *disks;
	struct block_devices devices;
};

static bool is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

static uint64_t to_gib(uint64_t mib)
{
	return mib / 1024 + (mib % 1024 != 0);
}

static bool is_paravirtual(const struct image *image)
{
	return is(image->virtualization_type, "paravirtual");
}

static void add(struct planning *planning, struct instance_disk disk)
{
	planning->disks[planning->devices.n_disks++] = disk;
}

/* --- ephemeral disk --- */

static int check_instance_storage(const struct planning *planning, struct error *err)
{
	const struct vm_ephemeral_disk *ephemeral = &planning->spec->ephemeral_disk;
	const struct vm_disk *disk = &ephemeral->disk;

	if (planning->spec->raw_instance_storage)
		return error_set(err, ERROR_CLOUD,
				 "ephemeral_disk.use_instance_storage and raw_instance_storage cannot both be true");
	if (disk->size_mib != 0 || disk->type != NULL || disk->iops != 0 || ephemeral->encrypted)
		return error_set(err, ERROR_CLOUD,
				 "use_instance_storage cannot be combined with additional ephemeral_disk properties");
	if (planning->facts->storage_disks == 0)
		return error_set(err, ERROR_CLOUD,
				 "use_instance_storage requested for instance type '%s' that does not have instance storage",
				 planning->facts->type);
	return 0;
}

static uint64_t ephemeral_gib(const struct planning *planning)
{
	const struct vm_disk *disk = &planning->spec->ephemeral_disk.disk;
	uint64_t gib, disks;

	if (disk->size_mib != 0)
		return to_gib(disk->size_mib);
	return instance_facts_table(planning->facts->type, &gib, &disks) ? gib : EPHEMERAL_DEFAULT_GIB;
}

static int plan_ephemeral(struct planning *planning, struct error *err)
{
	const struct vm_ephemeral_disk *ephemeral = &planning->spec->ephemeral_disk;
	const struct vm_disk *disk = &ephemeral->disk;

	if (ephemeral->use_root_disk)
		return 0;
	planning->devices.ephemeral_path = EPHEMERAL_NAME;
	if (ephemeral->use_instance_storage) {
		if (check_instance_storage(planning, err) != 0)
			return -1;
		add(planning, (struct instance_disk){ .device_name = EPHEMERAL_NAME, .virtual_name = "ephemeral0" });
		return 0;
	}
	/* what does not fit the type (iops of gp2 …) is sent all the same: EC2 says so, where leaving it out would be silent */
	add(planning, (struct instance_disk){
			      .device_name = EPHEMERAL_NAME,
			      .size_gib = ephemeral_gib(planning),
			      .type = disk->type != NULL ? disk->type : DISK_TYPE_DEFAULT,
			      .iops = disk->iops,
			      .throughput_mibs = disk->throughput_mibs,
			      .encrypted = ephemeral->encrypted,
			      .kms_key_id = ephemeral->kms_key_arn,
			      .delete_on_termination = true,
		      });
	return 0;
}

/* --- raw instance storage --- */

static const char *raw_path(const struct planning *planning, unsigned index)
{
	if (planning->facts->storage_is_nvme)
		return arena_printf(planning->arena, "/dev/nvme%un1", index);
	if (is_paravirtual(planning->image))
		return arena_printf(planning->arena, "/dev/sd%c", 'c' + (int)index);
	return arena_printf(planning->arena, "/dev/xvdb%c", 'a' + (int)index);
}

static int check_raw(const struct planning *planning, struct error *err)
{
	if (!planning->spec->raw_instance_storage || planning->facts->storage_disks > 0)
		return 0;
	return error_set(err, ERROR_CLOUD,
			 "raw_instance_storage requested for instance type '%s' that does not have instance storage",
			 planning->facts->type);
}

static int plan_raw(struct planning *planning, struct error *err)
{
	const struct instance_facts *facts = planning->facts;
	const unsigned count = facts->storage_disks < RAW_MAX ? (unsigned)facts->storage_disks : RAW_MAX;

	if (!planning->spec->raw_instance_storage || planning->spec->ephemeral_disk.use_root_disk)
		return 0;
	const char **paths = arena_array(planning->arena, count, sizeof(*paths));
	if (paths == NULL)
		return error_nomem(err);
	for (unsigned i = 0; i < count; i++) {
		const char *virtual_name = arena_printf(planning->arena, "ephemeral%u", i);
		paths[i] = raw_path(planning, i);
		if (virtual_name == NULL || paths[i] == NULL)
			return error_nomem(err);
		/* EC2 attaches NVMe storage by itself, and the agent finds it */
		if (!facts->storage_is_nvme)
			add(planning,
			    (struct instance_disk){ .device_name = paths[i], .virtual_name = virtual_name });
	}
	planning->devices.raw_paths = paths;
	planning->devices.n_raw = count;
	return 0;
}

/* --- root disk --- */

/* The AMI's mapping that is the root device, or the disk that it is a partition of. */
static const char *root_mapping_name(const struct image *image)
{
	const char *root = image->root_device_name;

	for (size_t i = 0; i < image->n_mappings; i++)
		if (is(image->mappings[i].device_name, root) && root[0] != '\0')
			return image->mappings[i].device_name;
	for (size_t i = 0; i < image->n_mappings; i++) {
		const char *name = image->mappings[i].device_name;
		if (name != NULL && name[0] != '\0' && strncmp(root, name, strlen(name)) == 0)
			return name;
	}
	return is_paravirtual(image) ? "/dev/sda" : "/dev/xvda";
}

static void plan_root(struct planning *planning)
{
	const struct vm_disk *disk = &planning->spec->root_disk;
	const char *type = disk->type != NULL ? disk->type : DISK_TYPE_DEFAULT;
	const bool is_gp3 = is(type, "gp3");
	const bool has_iops = is_gp3 || is(type, "io1") || is(type, "io2");

	add(planning, (struct instance_disk){
			      .device_name = root_mapping_name(planning->image),
			      .size_gib = to_gib(disk->size_mib),
			      .type = type,
			      .iops = has_iops ? disk->iops : 0,
			      .throughput_mibs = is_gp3 ? disk->throughput_mibs : 0,
			      .delete_on_termination = true,
		      });
}

/* --- */

int block_devices_plan(const struct vm_spec *spec, const struct image *image, const struct instance_facts *facts,
		       struct arena *arena, struct block_devices *ret_devices, struct error *err)
{
	struct planning planning = {
		.spec = spec,
		.image = image,
		.facts = facts,
		.arena = arena,
		.disks = arena_array(arena, RAW_MAX + OTHER_DISKS, sizeof(struct instance_disk)),
		.devices = { .system_path = image->root_device_name },
	};

	if (planning.disks == NULL)
		return error_nomem(err);
	planning.devices.disks = planning.disks;
	if (check_raw(&planning, err) != 0 || plan_ephemeral(&planning, err) != 0 || plan_raw(&planning, err) != 0)
		return -1;
	plan_root(&planning);
	*ret_devices = planning.devices;
	return 0;
}

const char *block_devices_hint(const struct instance_facts *facts, const char *volume_id, const char *device_name,
			       struct arena *arena)
{
	const char *dash = strchr(volume_id, '-');

	if (!facts->ebs_is_nvme)
		return arena_strdup(arena, device_name);
	/* the controller's serial number is the id without its dash */
	if (dash == NULL)
		return arena_printf(arena, NVME_PREFIX "%s", volume_id);
	return arena_printf(arena, NVME_PREFIX "%.*s%s", (int)(dash - volume_id), volume_id, dash + 1);
}
