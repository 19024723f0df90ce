/* SPDX-License-Identifier: Apache-2.0 */
/* Tagging what exists. Tags that a resource gets at its creation are in the creating calls. */
#include "cpi/ec2/tags.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

int tags_create(struct ec2_client *ec2, struct ec2_ids resources, struct ec2_tags tags, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[128];

	aws_params_init(&params);
	if (resources.count == 0 || tags.count == 0)
		return 0;
	params_ids(&params, "ResourceId", resources);
	params_tags(&params, "Tag", tags);
	snprintf(purpose, sizeof(purpose), "tags of %s", resources.items[0]);
	/* what is tagged was made a moment ago as a rule, and the original waits for it too */
	struct aws_call call = {
		.action = "CreateTags",
		.params = &params,
		.purpose = purpose,
		.created_by_us = true,
	};
	return action_plain(ec2, call, err);
}

const char *tags_cut(struct arena *arena, const char *text, size_t max)
{
	size_t characters = 0;
	const char *end = text;

	/* a character's first byte is any but 10xxxxxx */
	for (; *end != '\0'; end++) {
		if (((unsigned char)*end & 0xC0) != 0x80 && characters++ == max)
			break;
	}
	return arena_strndup(arena, text, (size_t)(end - text));
}

const char *tags_get(struct ec2_tags tags, const char *key)
{
	for (size_t i = 0; i < tags.count; i++) {
		if (strcmp(tags.items[i].key, key) == 0)
			return tags.items[i].value;
	}
	return NULL;
}
