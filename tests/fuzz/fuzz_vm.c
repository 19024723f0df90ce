/* SPDX-License-Identifier: Apache-2.0 */
/* create_vm's arguments, any JSON: what is accepted gives a plan, disks and user data; no crash, and user data that is JSON
 * and within EC2's limit. */
#include <stdint.h>
#include <stdlib.h>

#include "common/json_read.h"
#include "cpi/methods/agent_settings.h"
#include "cpi/methods/block_devices.h"
#include "cpi/methods/nic_plan.h"
#include "cpi/rpc/vm_args.h"

#define MAX_TEXT ((size_t)256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void plan(const struct vm_spec *spec, const struct json *agent, struct arena *arena)
{
	const struct image_mapping mapping = { .device_name = "/dev/sda", .snapshot_id = "snap-1" };
	const struct image image = {
		.id = "ami-1",
		.root_device_name = "/dev/sda1",
		.virtualization_type = "hvm",
		.mappings = &mapping,
		.n_mappings = 1,
	};
	struct buf text = BUF_INIT(AGENT_SETTINGS_MAX);
	struct instance_facts facts = { 0 };
	struct block_devices devices;
	const struct json *root;
	struct nic_plan nics;
	struct error err;

	instance_facts_built_in(spec->instance_type, &facts);
	if (nic_plan_make(spec, arena, &nics, &err) == 0 &&
	    block_devices_plan(spec, &image, &facts, arena, &devices, &err) == 0) {
		const struct agent_settings settings = {
			.spec = spec,
			.nics = &nics,
			.devices = &devices,
			.vm_name = "vm-1",
			.agent = agent,
		};
		if (agent_settings_user_data(&settings, true, &text, &err) == 0)
			require(text.len <= AGENT_SETTINGS_USER_DATA_MAX &&
				json_parse(arena, buf_text(&text), text.len, AGENT_SETTINGS_MAX, &root, &err) == 0);
	}
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)512 * 1024 * 1024);
	const struct json *root;
	struct vm_spec spec;
	struct error err;

	require(arena != NULL);
	if (json_parse(arena, (const char *)data, size, MAX_TEXT, &root, &err) == 0 && json_is(root, JSON_ARRAY)) {
		/* the configuration is foreign as well: the seventh element, where there is one */
		const struct json *aws = json_at(root, 6);
		const struct config config = { .aws_properties = json_is(aws, JSON_OBJECT) ? aws : NULL };
		if (vm_args_create(root, &config, arena, &spec, &err) == 0)
			plan(&spec, config.aws_properties, arena);
	}
	arena_free(arena);
	return 0;
}
