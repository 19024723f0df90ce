/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/actions/worker_calls.h"

#include <string.h>

#include "cpi/actions/worker_values.h"
#include "cpi/ec2/instances.h"
#include "cpi/ec2/tags.h"
#include "cpi/methods/worker.h"

#define NO_IDS ((struct ec2_ids){ NULL, 0 })
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })
#define UNNAMED "unnamed"

/* --- showing them --- */

/* null where EC2 gives none. */
static void write_text(struct json_writer *result, const char *key, const char *text)
{
	json_member_string(result, key, *text == '\0' ? NULL : text);
}

/* The members of one, in an object that has been begun. */
static void write_worker(const struct instance *instance, struct json_writer *result)
{
	const char *name = tags_get(instance->tags, "Name");

	json_member_string(result, "id", instance->id);
	json_member_string(result, "name", name == NULL || *name == '\0' ? UNNAMED : name);
	json_member_string(result, "state", instance->state);
	write_text(result, "instance_type", instance->type);
	write_text(result, "public_ip", instance->public_ip);
	write_text(result, "private_ip", instance->private_ip);
}

int worker_calls_list(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	struct instance *instances;
	size_t count;

	(void)values;
	if (instance_describe(call->ec2, call->arena, NO_IDS, NO_FILTERS, &instances, &count, err) != 0)
		return -1;
	json_key(result, "workers");
	json_begin_array(result);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(result);
		write_worker(&instances[i], result);
		json_end_object(result);
	}
	json_end_array(result);
	return 0;
}

int worker_calls_get(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	const char *id = worker_values_text(values, "worker_id");
	struct instance *instances;
	size_t count;

	if (instance_describe(call->ec2, call->arena, (struct ec2_ids){ &id, 1 }, NO_FILTERS, &instances, &count, err) != 0)
		return -1;
	if (count == 0)
		return error_set(err, ERROR_VM_NOT_FOUND, "EC2 shows no instance %s", id);
	json_key(result, "vm");
	json_begin_object(result);
	write_worker(&instances[0], result);
	write_text(result, "availability_zone", instances[0].availability_zone);
	json_end_object(result);
	return 0;
}

int worker_calls_has(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	struct instance *instance;

	if (instance_find(call->ec2, call->arena, worker_values_text(values, "worker_id"), &instance, err) != 0)
		return -1;
	/* EC2 shows what is terminated for an hour or so */
	json_member_boolean(result, "exists", instance != NULL && strcmp(instance->state, "terminated") != 0);
	return 0;
}

/* --- changing them --- */

int worker_calls_create(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	struct worker_request request = {
		.name = worker_values_text(values, "worker_name"),
		.instance_type = worker_values_text(values, "instance_type"),
		.image_id = worker_values_text(values, "ami"),
	};
	const char *id;

	if (request.image_id == NULL)
		request.image_id = call->config->worker_ami;
	if (request.image_id == NULL)
		return error_set(err, ERROR_INVALID_CALL,
				 "Arguments are not correct, got: nothing as ami. Give the ID of an AMI of region %s (AMIs are a "
				 "region's own), or set aws.worker_ami in the configuration", call->config->aws.region);
	if (worker_launch(call, &request, &id, err) != 0)
		return -1;
	json_member_string(result, "id", id);
	json_member_string(result, "name", request.name);
	return 0;
}

int worker_calls_delete(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	bool existed;

	(void)result;
	if (instance_terminate(call->ec2, worker_values_text(values, "worker_id"), &existed, err) != 0)
		return -1;
	return existed ? 0 : -1;
}

int worker_calls_start(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	const char *id = worker_values_text(values, "worker_id");

	if (instance_start(call->ec2, id, err) != 0)
		return -1;
	json_member_string(result, "started", id);
	return 0;
}

int worker_calls_reboot(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	(void)result;
	return instance_reboot(call->ec2, worker_values_text(values, "worker_id"), err);
}

int worker_calls_set_metadata(struct call *call, const struct worker_values *values, struct json_writer *result,
			      struct error *err)
{
	const char *id = worker_values_text(values, "worker_id");
	const struct ec2_tag tag = {
		.key = worker_values_text(values, "key"),
		.value = worker_values_text(values, "value"),
	};

	(void)result;
	return tags_create(call->ec2, (struct ec2_ids){ &id, 1 }, (struct ec2_tags){ &tag, 1 }, err);
}
