/* SPDX-License-Identifier: Apache-2.0 */
/* Tagging what exists. Tags that a resource gets at its creation are in the creating calls. */
#include "cpi/ec2/tags.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

static int create(struct ec2_client *ec2, struct ec2_ids resources, struct ec2_tags tags, bool created_by_us,
		  struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[128];

	aws_params_init(&params);
	if (resources.count == 0 || tags.count == 0)
		return 0;
	params_ids(&params, "ResourceId", resources);
	params_tags(&params, "Tag", tags);
	snprintf(purpose, sizeof(purpose), "tags of %s", resources.items[0]);
	struct aws_call call = {
		.action = "CreateTags",
		.params = &params,
		.purpose = purpose,
		.created_by_us = created_by_us,
	};
	return action_plain(ec2, call, err);
}

int tags_create(struct ec2_client *ec2, struct ec2_ids resources, struct ec2_tags tags, struct error *err)
{
	/* what is tagged was made a moment ago as a rule, and the original waits for it too */
	return create(ec2, resources, tags, true, err);
}

int tags_create_if_there(struct ec2_client *ec2, struct ec2_ids resources, struct ec2_tags tags, struct error *err)
{
	struct error failure = { 0 };

	if (create(ec2, resources, tags, false, &failure) == 0 || ec2_is_not_found(&failure))
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

bool tags_are_refused(const struct error *failure)
{
	return failure->kind == ERROR_AWS && (strcmp(failure->aws_code, "TagLimitExceeded") == 0 ||
					      strcmp(failure->aws_code, "InvalidParameterValue") == 0);
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
