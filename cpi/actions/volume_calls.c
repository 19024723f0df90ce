/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/actions/volume_calls.h"

#include <string.h>

#include "cpi/actions/worker_values.h"
#include "cpi/ec2/volumes.h"
#include "cpi/methods/worker.h"

#define NO_IDS ((struct ec2_ids){ NULL, 0 })
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })
#define MIB_PER_GIB 1024

static void write_volume(const struct volume *volume, struct json_writer *result)
{
	const struct volume_attachment *attachment = volume_attachment_to(volume, NULL);

	json_begin_object(result);
	json_member_string(result, "id", volume->id);
	json_member_string(result, "path", volume->id);
	json_member_unsigned(result, "size_mb", volume->size_gib * MIB_PER_GIB);
	json_member_string(result, "state", volume->state);
	json_member_string(result, "availability_zone", volume->availability_zone);
	json_member_string(result, "attached_to", attachment == NULL ? NULL : attachment->instance_id);
	json_end_object(result);
}

int volume_calls_list(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	struct volume *volumes;
	size_t count;

	(void)values;
	if (volume_describe(call->ec2, call->arena, NO_IDS, NO_FILTERS, &volumes, &count, err) != 0)
		return -1;
	json_key(result, "volumes");
	json_begin_array(result);
	for (size_t i = 0; i < count; i++)
		write_volume(&volumes[i], result);
	json_end_array(result);
	return 0;
}

int volume_calls_has(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	struct volume *volume;

	if (volume_find(call->ec2, call->arena, worker_values_text(values, "volume_id"), &volume, err) != 0)
		return -1;
	json_member_boolean(result, "exists", volume != NULL && strcmp(volume->state, "deleted") != 0);
	return 0;
}

int volume_calls_create(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	const struct worker_volume_request request = {
		.size_gib = (uint64_t)worker_values_number(values, "size_gb"),
		.availability_zone = worker_values_text(values, "availability_zone"),
		.type = worker_values_text(values, "volume_type"),
	};
	const char *id;

	if (worker_create_volume(call, &request, &id, err) != 0)
		return -1;
	json_member_string(result, "id", id);
	json_member_string(result, "path", id);
	return 0;
}

int volume_calls_delete(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	bool existed;

	(void)result;
	if (volume_delete(call->ec2, worker_values_text(values, "volume_id"), &existed, err) != 0)
		return -1;
	return existed ? 0 : -1;
}

int volume_calls_attach(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	(void)result;
	return worker_attach_volume(call, worker_values_text(values, "volume_id"), worker_values_text(values, "worker_id"),
				    worker_values_text(values, "device_name"), err);
}

int volume_calls_detach(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	(void)result;
	return volume_detach_attached(call->ec2, worker_values_text(values, "volume_id"), err);
}
