/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/actions/snapshot_calls.h"

#include "cpi/actions/worker_values.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/methods/worker.h"

#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })

static int take(struct call *call, const struct worker_values *values, const char *volume_id, struct json_writer *result,
		struct error *err)
{
	const char *id;

	if (worker_take_snapshot(call, volume_id, worker_values_text(values, "snapshot_name"), &id, err) != 0)
		return -1;
	json_member_string(result, "id", id);
	return 0;
}

int snapshot_calls_create(struct call *call, const struct worker_values *values, struct json_writer *result,
			  struct error *err)
{
	return take(call, values, worker_values_text(values, "volume_id"), result, err);
}

int snapshot_calls_of_volume(struct call *call, const struct worker_values *values, struct json_writer *result,
			     struct error *err)
{
	const char *volume_id = worker_values_text(values, "source_volume_id");

	if (take(call, values, volume_id, result, err) != 0)
		return -1;
	json_member_string(result, "source_volume_id", volume_id);
	return 0;
}

int snapshot_calls_delete(struct call *call, const struct worker_values *values, struct json_writer *result,
			  struct error *err)
{
	bool existed;

	(void)result;
	if (snapshot_delete(call->ec2, worker_values_text(values, "snapshot_id"), &existed, err) != 0)
		return -1;
	return existed ? 0 : -1;
}

int snapshot_calls_has(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	const char *id = worker_values_text(values, "snapshot_id");
	struct snapshot *snapshots;
	struct error failure = { 0 };
	size_t count = 0;

	if (snapshot_describe(call->ec2, call->arena, (struct ec2_ids){ &id, 1 }, NO_FILTERS, &snapshots, &count, &failure) != 0 &&
	    !ec2_is_not_found(&failure)) {
		*err = failure;
		return -1;
	}
	json_member_boolean(result, "exists", count > 0);
	return 0;
}
