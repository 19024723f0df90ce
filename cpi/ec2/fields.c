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

static const char *keep(struct fields *fields, const char *name, const char *text)
{
	if (text == NULL || *text == '\0')
		return "";
	const char *copy = arena_strdup(fields->arena, text);
	if (copy == NULL)
		fail(fields, name, FIELDS_NOMEM);
	return copy == NULL ? "" : copy;
}

const char *fields_text(struct fields *fields, const char *name)
{
	return keep(fields, name, xml_text(fields->node, name));
}

const char *fields_own_text(struct fields *fields)
{
	return fields->node == NULL ? "" : keep(fields, fields->node->name, fields->node->text);
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

/* Zeroed, for as many structs as the list has items. */
static void *make_room(struct fields *fields, const struct xml_node *list, size_t size, size_t *ret_count)
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

void *fields_list(struct fields *fields, const char *name, size_t item_size,
		  void (*read)(struct fields *fields, void *item), size_t *ret_count)
{
	const struct xml_node *list = xml_child(fields->node, name);
	char *items = make_room(fields, list, item_size, ret_count);
	const struct xml_node *node = xml_item(list);

	for (size_t i = 0; i < *ret_count; i++, node = xml_next_item(node)) {
		struct fields inner = { .arena = fields->arena, .node = node };
		read(&inner, items + i * item_size);
		fields_inherit(fields, &inner);
	}
	return items;
}

static void read_tag(struct fields *fields, void *item)
{
	*(struct ec2_tag *)item = (struct ec2_tag){ fields_text(fields, "key"), fields_text(fields, "value") };
}

struct ec2_tags fields_tags(struct fields *fields)
{
	struct ec2_tags tags = { NULL, 0 };

	tags.items = fields_list(fields, "tagSet", sizeof(struct ec2_tag), read_tag, &tags.count);
	return tags;
}

int fields_check(const struct fields *fields, const char *action, struct error *err)
{
	if (fields->failed == NULL)
		return 0;
	if (fields->failure == FIELDS_NOMEM)
		return error_nomem(err);
	return error_set(err, ERROR_INVALID, "%s: AWS's answer %s %s", action,
			 fields->failure == FIELDS_MISSING ? "lacks" : "has something that is no number as",
			 fields->failed);
}
