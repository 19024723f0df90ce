/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what EC2 says of instance types. What follows from it for disks and devices is the methods'. */
#include "cpi/ec2/instance_types.h"

#include <string.h>

#include "cpi/ec2/action.h"

#define PAGE_SIZE 100
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })

struct storage_disk {
	uint64_t count;
	uint64_t size_gb;
};

static void read_storage_disk(struct fields *fields, void *item)
{
	struct storage_disk *disk = item;

	disk->count = fields_u64(fields, "count");
	disk->size_gb = fields_u64(fields, "sizeInGB");
}

/* A list, because EC2 could mix sizes; no type has more than one. */
static void read_storage(struct fields *fields, struct instance_type *type)
{
	struct fields storage = { .arena = fields->arena, .node = xml_child(fields->node, "instanceStorageInfo") };
	size_t count;
	const struct storage_disk *disks =
		fields_list(&storage, "disks", sizeof(*disks), read_storage_disk, &count);

	type->storage_nvme = fields_text(&storage, "nvmeSupport");
	for (size_t i = 0; i < count; i++)
		type->storage_disks += disks[i].count;
	type->storage_disk_gb = count == 0 ? 0 : disks[0].size_gb;
	fields_inherit(fields, &storage);
}

static void read_ebs(struct fields *fields, struct instance_type *type)
{
	struct fields ebs = { .arena = fields->arena, .node = xml_child(fields->node, "ebsInfo") };

	type->ebs_nvme = fields_text(&ebs, "nvmeSupport");
	type->max_ebs_attachments = fields_u64(&ebs, "maximumEbsAttachments");
	type->attachments_are_shared = strcmp(fields_text(&ebs, "attachmentLimitType"), "shared") == 0;
	fields_inherit(fields, &ebs);
}

static void read_name(struct fields *fields, void *item)
{
	*(const char **)item = fields_own_text(fields);
}

static void read_type(struct fields *fields, void *item)
{
	struct instance_type *type = item;
	struct fields processor = { .arena = fields->arena, .node = xml_child(fields->node, "processorInfo") };
	struct fields network = { .arena = fields->arena, .node = xml_child(fields->node, "networkInfo") };

	type->name = fields_required(fields, "instanceType");
	type->hypervisor = fields_text(fields, "hypervisor");
	type->bare_metal = fields_bool(fields, "bareMetal");
	read_ebs(fields, type);
	read_storage(fields, type);
	type->architectures = fields_list(&processor, "supportedArchitectures", sizeof(const char *), read_name,
					  &type->n_architectures);
	type->max_interfaces = fields_u64(&network, "maximumNetworkInterfaces");
	fields_inherit(fields, &processor);
	fields_inherit(fields, &network);
}

int instance_type_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids names,
			   struct instance_type **ret_types, size_t *ret_count, struct error *err)
{
	static const struct action_describe describe = {
		.action = "DescribeInstanceTypes",
		.id_name = "InstanceType",
		.set = "instanceTypeSet",
		.what = "instance type",
		.page_size = PAGE_SIZE,
		.item_size = sizeof(struct instance_type),
		.read = read_type,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, names, NO_FILTERS, &items, ret_count, err) != 0)
		return -1;
	*ret_types = items;
	return 0;
}
