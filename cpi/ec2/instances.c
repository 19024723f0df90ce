/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at instances. Making and ending them is not here. */
#include "cpi/ec2/instances.h"

#include "cpi/ec2/action.h"

#define PAGE_SIZE 1000

static void read_mapping(struct fields *fields, struct instance_mapping *mapping)
{
	struct fields ebs = { .arena = fields->arena, .node = xml_child(fields->node, "ebs") };

	mapping->device_name = fields_text(fields, "deviceName");
	mapping->volume_id = fields_text(&ebs, "volumeId");
	mapping->status = fields_text(&ebs, "status");
	mapping->delete_on_termination = fields_bool(&ebs, "deleteOnTermination");
	fields_inherit(fields, &ebs);
}

static void read_mappings(struct fields *fields, struct instance *instance)
{
	const struct xml_node *list = xml_child(fields->node, "blockDeviceMapping");
	struct instance_mapping *items = fields_array(fields, list, sizeof(*items), &instance->n_mappings);
	const struct xml_node *node = xml_item(list);

	for (size_t i = 0; i < instance->n_mappings; i++, node = xml_next_item(node)) {
		struct fields inner = { .arena = fields->arena, .node = node };
		read_mapping(&inner, &items[i]);
		fields_inherit(fields, &inner);
	}
	instance->mappings = items;
}

static void read_instance(struct fields *fields, void *item)
{
	struct instance *instance = item;
	struct fields state = { .arena = fields->arena, .node = xml_child(fields->node, "instanceState") };
	struct fields placement = { .arena = fields->arena, .node = xml_child(fields->node, "placement") };

	instance->id = fields_required(fields, "instanceId");
	instance->state = fields_text(&state, "name");
	instance->type = fields_text(fields, "instanceType");
	instance->image_id = fields_text(fields, "imageId");
	instance->availability_zone = fields_text(&placement, "availabilityZone");
	instance->architecture = fields_text(fields, "architecture");
	read_mappings(fields, instance);
	instance->tags = fields_tags(fields);
	fields_inherit(fields, &state);
	fields_inherit(fields, &placement);
}

int instance_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		      struct instance **ret_instances, size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeInstances",
		.id_name = "InstanceId",
		.set = "reservationSet",
		.inner_set = "instancesSet",
		.what = ids.count == 1 ? "instance" : "instances",
		.page_size = PAGE_SIZE,
		.item_size = sizeof(struct instance),
		.read = read_instance,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_instances = items;
	return 0;
}
