/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vm_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

const struct json *vm_kit_json(struct arena *arena, const char *text)
{
	char *quoted = arena_strdup(arena, text);
	const struct json *root = NULL;
	struct error err = { 0 };

	assert_non_null(quoted);
	for (char *at = quoted; *at != '\0'; at++)
		if (*at == '\'')
			*at = '"';
	if (json_parse(arena, quoted, strlen(quoted), 1 << 20, &root, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	return root;
}

struct config vm_kit_config(struct arena *arena, const char *aws)
{
	return (struct config){
		.aws_properties = vm_kit_json(arena, arena_printf(arena, "{%s}", aws)),
		.describe_instance_types = true,
	};
}

struct vm_spec vm_kit_spec(struct arena *arena, const char *cloud_properties, const char *networks, const char *aws)
{
	const struct config config = vm_kit_config(arena, aws);
	const char *text = arena_printf(arena,
					"['agent-1','ami-1',{'instance_type':'m5.large','availability_zone':'us-east-1a'%s%s},"
					"{%s}]",
					cloud_properties[0] == '\0' ? "" : ",", cloud_properties, networks);
	struct vm_spec spec = { 0 };
	struct error err = { 0 };

	if (vm_args_create(vm_kit_json(arena, text), &config, arena, &spec, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	return spec;
}

void vm_kit_expect_names(struct ec2_ids names, const char *wanted)
{
	CLEANUP_BUF struct buf text = BUF_INIT(4096);

	for (size_t i = 0; i < names.count; i++)
		buf_printf(&text, "%s%s", i == 0 ? "" : " ", names.items[i]);
	assert_string_equal(buf_text(&text), wanted);
}
