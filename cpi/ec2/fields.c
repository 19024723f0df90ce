/* SPDX-License-Identifier: Apache-2.0 */
/* Strict readers for EC2's fields. Which fields an element has is left to the typed calls. */
#include "cpi/ec2/fields.h"

#include <string.h>

#include "common/parse.h"

static void fail(struct fields *fields, const char *name, enum fields_failure failure)
{
	if (fields->failed != NULL)
		return;
	fields->failed = name;
	fields->failure = failure;
}

const char *fields_text(struct fields *fields, const char *name)
{
	const char *text = xml_text(fields->node, name);

	if (text == NULL || *text == '\0')
		return "";
	const char *copy = arena_strdup(fields->arena, text);
	if (copy == NULL)
		fail(fields, name, FIELDS_NOMEM);
	return copy == NULL ? "" : copy;
}

const char *fields_optional(struct fields *fields, const char *name)
{
	const char *text = fields_text(fields, name);

	return *text == '\0' ? NULL : text;
}

const char *fields_required(struct fields *fields, const char *name)
{
	const char *text = fields_text(fields, name);

	if (*text == '\0')
		fail(fields, name, FIELDS_MISSING);
	return text;
}

uint64_t fields_u64(struct fields *fields, const char *name)
{
	const char *text = xml_text(fields->node, name);
	uint64_t value = 0;

	if (text == NULL || *text == '\0')
		return 0;
	if (!parse_u64(text, &value))
		fail(fields, name, FIELDS_NO_NUMBER);
	return value;
}

bool fields_bool(struct fields *fields, const char *name)
{
	const char *text = xml_text(fields->node, name);

	return text != NULL && strcmp(text, "true") == 0;
}

void *fields_array(struct fields *fields, const struct xml_node *list, size_t size, size_t *ret_count)
{
	size_t count = xml_count_items(list);

	*ret_count = 0;
	if (count == 0)
		return NULL;
	void *array = arena_array(fields->arena, count, size);
	if (array == NULL)
		fail(fields, list->name, FIELDS_NOMEM);
	else
		*ret_count = count;
	return array;
}

void fields_inherit(struct fields *fields, const struct fields *inner)
{
	if (inner->failed != NULL)
		fail(fields, inner->failed, inner->failure);
}

struct ec2_tags fields_tags(struct fields *fields)
{
	const struct xml_node *list = xml_child(fields->node, "tagSet");
	struct ec2_tags tags = { NULL, 0 };
	struct ec2_tag *items = fields_array(fields, list, sizeof(*items), &tags.count);
	const struct xml_node *item = xml_item(list);

	for (size_t i = 0; i < tags.count; i++, item = xml_next_item(item)) {
		struct fields tag = { .arena = fields->arena, .node = item };
		items[i] = (struct ec2_tag){ .key = fields_text(&tag, "key"), .value = fields_text(&tag, "value") };
		fields_inherit(fields, &tag);
	}
	tags.items = items;
	return tags;
}

int fields_check(const struct fields *fields, const char *action, struct error *err)
{
	if (fields->failed == NULL)
		return 0;
	if (fields->failure == FIELDS_NOMEM)
		return error_nomem(err);
	return error_set(err, ERROR_INVALID, "%s: EC2's answer %s %s", action,
			 fields->failure == FIELDS_MISSING ? "lacks" : "has something that is no number as",
			 fields->failed);
}
