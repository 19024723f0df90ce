/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/actions/worker_action.h"

#include <string.h>

#include "cpi/actions/install_call.h"
#include "cpi/actions/snapshot_calls.h"
#include "cpi/actions/volume_calls.h"
#include "cpi/actions/worker_calls.h"

#define REQUIRED(parameter, text) { .name = (parameter), .description = (text), .required = true }
#define REGION                                                                                                           \
	{                                                                                                                \
		.name = "region", .description = "AWS region", .fallback = WORKER_ACTION_REGION,                         \
	}
#define MOST_GIB 65536 /* io2's; EC2 says what the others take */

static const struct worker_action actions[] = {
	{
		"test_install", "Test whether AWS takes the credentials, and which regions there are",
		{ REGION }, NULL, NULL, install_call_test,
	},
	{
		"list_workers", "List all EC2 instances",
		{ REGION }, "workers", "id name state instance_type public_ip private_ip", worker_calls_list,
	},
	{
		"create_worker", "Create an EC2 instance",
		{
			REQUIRED("worker_name", "Name of the instance"),
			{ .name = "instance_type", .description = "EC2 instance type", .fallback = "t2.micro" },
			{ .name = "ami", .description = "ID of the AMI; else worker_ami of the configuration" },
			REGION,
		},
		NULL, NULL, worker_calls_create,
	},
	{
		"delete_worker", "Terminate an EC2 instance",
		{ REQUIRED("worker_id", "ID of the instance"), REGION }, NULL, NULL, worker_calls_delete,
	},
	{
		"get_worker", "Show an EC2 instance",
		{ REQUIRED("worker_id", "ID of the instance"), REGION }, NULL, NULL, worker_calls_get,
	},
	{
		"has_worker", "Tell whether there is such an EC2 instance",
		{ REQUIRED("worker_id", "ID of the instance"), REGION }, NULL, NULL, worker_calls_has,
	},
	{
		"start_worker", "Start an EC2 instance that is stopped",
		{ REQUIRED("worker_id", "ID of the instance"), REGION }, NULL, NULL, worker_calls_start,
	},
	{
		"reboot_worker", "Reboot an EC2 instance",
		{ REQUIRED("worker_id", "ID of the instance"), REGION }, NULL, NULL, worker_calls_reboot,
	},
	{
		"get_volumes", "List all EBS volumes",
		{ REGION }, "volumes", "id size_mb state availability_zone attached_to", volume_calls_list,
	},
	{
		"has_volume", "Tell whether there is such an EBS volume",
		{ REQUIRED("volume_id", "ID of the volume"), REGION }, NULL, NULL, volume_calls_has,
	},
	{
		"create_volume", "Create an EBS volume",
		{
			{
				.name = "size_gb", .description = "Size in GiB", .type = WORKER_INTEGER, .required = true,
				.least = 1, .most = MOST_GIB,
			},
			REQUIRED("availability_zone", "Availability zone, such as us-east-1a"),
			{ .name = "volume_type", .description = "Volume type: gp2, gp3, io1 …", .fallback = "gp2" },
			REGION,
		},
		NULL, NULL, volume_calls_create,
	},
	{
		"delete_volume", "Delete an EBS volume",
		{ REQUIRED("volume_id", "ID of the volume"), REGION }, NULL, NULL, volume_calls_delete,
	},
	{
		"attach_volume", "Attach an EBS volume to an EC2 instance",
		{
			REQUIRED("worker_id", "ID of the instance"),
			REQUIRED("volume_id", "ID of the volume"),
			REQUIRED("device_name", "Device name, such as /dev/sdf"),
			REGION,
		},
		NULL, NULL, volume_calls_attach,
	},
	{
		"detach_volume", "Detach an EBS volume from its EC2 instance",
		{ REQUIRED("volume_id", "ID of the volume"), REGION }, NULL, NULL, volume_calls_detach,
	},
	{
		"create_snapshot", "Take a snapshot of an EBS volume",
		{ REQUIRED("volume_id", "ID of the volume"), REQUIRED("snapshot_name", "Name of the snapshot"), REGION },
		NULL, NULL, snapshot_calls_create,
	},
	{
		"snapshot_volume", "Take a snapshot of an EBS volume, and name the volume in the result",
		{
			REQUIRED("source_volume_id", "ID of the volume"),
			REQUIRED("snapshot_name", "Name of the snapshot"),
			REGION,
		},
		NULL, NULL, snapshot_calls_of_volume,
	},
	{
		"delete_snapshot", "Delete a snapshot",
		{ REQUIRED("snapshot_id", "ID of the snapshot"), REGION }, NULL, NULL, snapshot_calls_delete,
	},
	{
		"has_snapshot", "Tell whether there is such a snapshot",
		{ REQUIRED("snapshot_id", "ID of the snapshot"), REGION }, NULL, NULL, snapshot_calls_has,
	},
	{
		"set_worker_metadata", "Set a tag of an EC2 instance",
		{
			REQUIRED("worker_id", "ID of the instance"),
			REQUIRED("key", "The tag's key"),
			{ .name = "value", .description = "The tag's value", .required = true, .may_be_empty = true },
			REGION,
		},
		NULL, NULL, worker_calls_set_metadata,
	},
};

#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

const struct worker_action *worker_actions(size_t *ret_count)
{
	*ret_count = N_ACTIONS;
	return actions;
}

void worker_actions_try(struct nearest *nearest)
{
	for (size_t i = 0; i < N_ACTIONS; i++)
		nearest_try(nearest, actions[i].name);
}

const struct worker_action *worker_action_find(const char *name)
{
	for (size_t i = 0; i < N_ACTIONS; i++) {
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	}
	return NULL;
}

const struct worker_action *worker_action_meant(const char *name, const struct json *arguments)
{
	bool is_method_too = strcmp(name, "delete_snapshot") == 0;

	if (is_method_too && !json_is(json_at(arguments, 0), JSON_OBJECT))
		return NULL;
	return worker_action_find(name);
}

const struct worker_parameter *worker_action_parameter(const struct worker_action *action, const char *name)
{
	const struct worker_parameter *parameter = action->parameters;

	while (parameter->name != NULL && strcmp(parameter->name, name) != 0)
		parameter++;
	return parameter->name == NULL ? NULL : parameter;
}

void worker_action_define(const struct worker_action *action, struct json_writer *out)
{
	json_begin_object(out);
	json_member_string(out, "name", action->name);
	json_member_string(out, "description", action->description);
	json_key(out, "parameters");
	json_begin_array(out);
	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++) {
		json_begin_object(out);
		json_member_string(out, "name", parameter->name);
		json_member_string(out, "description", parameter->description);
		json_member_string(out, "type", parameter->type == WORKER_INTEGER ? "integer" : "string");
		json_member_boolean(out, "required", parameter->required);
		json_member_string(out, "default", parameter->fallback);
		json_end_object(out);
	}
	json_end_array(out);
	json_end_object(out);
}
