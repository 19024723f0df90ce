/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/actions/install_call.h"

#include "common/parallel.h"
#include "cpi/aws/sts.h"
#include "cpi/ec2/regions.h"

struct install {
	struct call *call;
	struct sts_identity identity;
	struct ec2_ids regions;
};

static int look_at_identity(void *self, struct error *err)
{
	struct install *install = self;

	return sts_get_caller_identity(install->call->ec2->aws, install->call->arena, &install->identity, err);
}

static int look_at_regions(void *self, struct error *err)
{
	struct install *install = self;

	return region_describe(install->call->ec2, install->call->arena, &install->regions, err);
}

int install_call_test(struct call *call, const struct worker_values *values, struct json_writer *result, struct error *err)
{
	struct install install = { .call = call };
	const struct parallel_task tasks[] = { { look_at_identity, &install }, { look_at_regions, &install } };

	(void)values;
	if (parallel_run(tasks, sizeof(tasks) / sizeof(tasks[0]), err) != 0)
		return -1;
	json_member_string(result, "version", CPI_VERSION);
	json_key(result, "identity");
	json_begin_object(result);
	json_member_string(result, "account", install.identity.account);
	json_member_string(result, "arn", install.identity.arn);
	json_end_object(result);
	json_key(result, "regions");
	json_begin_array(result);
	for (size_t i = 0; i < install.regions.count; i++)
		json_string(result, install.regions.items[i]);
	json_end_array(result);
	return 0;
}
