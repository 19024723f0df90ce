/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/args.h"

#include <stdbool.h>
#include <string.h>

#include "common/buf.h"
#include "common/json_write.h"
#include "cpi/ec2/tags.h"

/* longer values are cut to TAG_VALUE_MAX anyway */
#define TAG_JSON_MAX ((size_t)1024 * 1024)

const char *args_type_name(const struct json *value)
{
	if (value == NULL)
		return "nothing";
	switch (value->type) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return value->boolean ? "true" : "false";
	case JSON_NUMBER:
		return "a number";
	case JSON_STRING:
		return json_text(value) == NULL ? "a string with a NUL character in it" : "a string";
	case JSON_ARRAY:
		return "an array";
	case JSON_OBJECT:
		return "an object";
	}
	return "something unknown";
}

static int wrong_type(const struct json *value, size_t index, const char *name, const char *wanted, struct error *err)
{
	return error_set(err, ERROR_INVALID_CALL,
			 "Arguments are not correct, got: %s as %s (argument %zu), which should be %s",
			 args_type_name(value), name, index + 1, wanted);
}

int args_string(const struct json *arguments, size_t index, const char *name, const char **ret_text, struct error *err)
{
	const struct json *value = json_at(arguments, index);
	const char *text = json_text(value);

	if (text == NULL)
		return wrong_type(value, index, name, "a string", err);
	*ret_text = text;
	return 0;
}

int args_object(const struct json *arguments, size_t index, const char *name, bool optional,
		const struct json **ret_object, struct error *err)
{
	const struct json *value = json_at(arguments, index);

	if (optional && (value == NULL || json_is(value, JSON_NULL))) {
		*ret_object = NULL;
		return 0;
	}
	if (!json_is(value, JSON_OBJECT))
		return wrong_type(value, index, name, "an object", err);
	*ret_object = value;
	return 0;
}

/* A value as Ruby's to_s gives it, so that a number or boolean in a manifest becomes the same tag as before. */
static int tag_text(const struct json *value, const char *name, struct arena *arena, const char **ret_text,
		    struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TAG_JSON_MAX);
	struct json_writer writer;

	if (value->type == JSON_STRING && json_text(value) == NULL)
		return error_set(err, ERROR_CLOUD, "Invalid value in '%s': the tag '%s' holds a NUL character", name,
				 value->key);
	if (value->type == JSON_STRING) {
		*ret_text = tags_cut(arena, value->text, TAG_VALUE_MAX);
	} else {
		json_writer_init(&writer, &text);
		json_value(&writer, value);
		if (buf_check(&text, "a tag's value", err) != 0)
			return -1;
		*ret_text = tags_cut(arena, buf_text(&text), TAG_VALUE_MAX);
	}
	return *ret_text == NULL ? error_nomem(err) : 0;
}

int args_tags(const struct json *value, const char *name, struct arena *arena, struct ec2_tags *ret_tags,
	      struct error *err)
{
	size_t count = 0;

	if (value == NULL || value->type == JSON_NULL) {
		*ret_tags = (struct ec2_tags){ 0 };
		return 0;
	}
	if (value->type != JSON_OBJECT)
		return error_set(err, ERROR_CLOUD, "Invalid value for '%s': expected an object of tags but got %s", name,
				 args_type_name(value));
	if (value->count > ARGS_MAX_TAGS)
		return error_set(err, ERROR_CLOUD, "Invalid value for '%s': %zu tags are given, but EC2 takes at most 50",
				 name, value->count);
	struct ec2_tag *items = arena_array(arena, value->count, sizeof(*items));
	if (items == NULL)
		return error_nomem(err);

	for (const struct json *member = value->child; member != NULL; member = member->next) {
		if (member->type == JSON_NULL || json_get(value, member->key) != member)
			continue;
		items[count].key = tags_cut(arena, member->key, TAG_KEY_MAX);
		if (items[count].key == NULL)
			return error_nomem(err);
		if (tag_text(member, name, arena, &items[count].value, err) != 0)
			return -1;
		count++;
	}
	*ret_tags = (struct ec2_tags){ .items = items, .count = count };
	return 0;
}
