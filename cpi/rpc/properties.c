/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/properties.h"

#include <inttypes.h>

#include "common/parse.h"
#include "cpi/rpc/args.h"

int properties_wrong_type(const struct properties *properties, const char *key, const char *wanted, struct error *err)
{
	const char *got = args_type_name(json_get(properties->object, key));

	if (properties->configured)
		return error_set(err, ERROR_CONFIG, "the configuration's %s.%s is %s, but should be %s", properties->place, key,
				 got, wanted);
	return error_set(err, ERROR_INVALID_CALL, "Arguments are not correct, got: %s as %s.%s, which should be %s", got,
			 properties->place, key, wanted);
}

const struct json *properties_find(const struct properties *properties, const char *key)
{
	const struct json *value = json_get(properties->object, key);

	return json_is(value, JSON_NULL) ? NULL : value;
}

bool properties_flag(const struct properties *properties, const char *key)
{
	return json_truthy(json_get(properties->object, key));
}

int properties_object(const struct properties *properties, const char *key, const struct json **ret_object,
		      struct error *err)
{
	const struct json *value = properties_find(properties, key);

	if (value != NULL && value->type != JSON_OBJECT)
		return properties_wrong_type(properties, key, "an object", err);
	*ret_object = value;
	return 0;
}

static const char *text_or_null(const char *text)
{
	return text == NULL || text[0] == '\0' ? NULL : text;
}

int properties_text(const struct properties *properties, const char *key, const char **ret_text, struct error *err)
{
	const struct json *value = properties_find(properties, key);
	const char *text = json_text(value);

	if (value != NULL && text == NULL)
		return properties_wrong_type(properties, key, "a string", err);
	*ret_text = text_or_null(text);
	return 0;
}

int properties_label(const struct properties *properties, const char *key, const char **ret_text, struct error *err)
{
	const struct json *value = properties_find(properties, key);
	const char *text = json_is(value, JSON_NUMBER) ? value->text : json_text(value);

	if (value != NULL && text == NULL)
		return properties_wrong_type(properties, key, "a string or a number", err);
	*ret_text = text_or_null(text);
	return 0;
}

int properties_names(const struct properties *properties, const char *key, struct arena *arena, struct ec2_ids *ret_names,
		     struct error *err)
{
	const struct json *value = properties_find(properties, key);
	const bool is_list = json_is(value, JSON_ARRAY);
	size_t count = 0;

	if (value == NULL) {
		*ret_names = (struct ec2_ids){ 0 };
		return 0;
	}
	if (is_list && value->count > PROPERTIES_MAX_NAMES)
		return properties_wrong_type(properties, key, "an array of at most 1000 strings", err);
	const char **names = arena_array(arena, is_list ? value->count + 1 : 1, sizeof(*names));
	if (names == NULL)
		return error_nomem(err);
	for (const struct json *item = is_list ? value->child : value; item != NULL; item = is_list ? item->next : NULL) {
		const char *name = json_text(item);
		if (name == NULL)
			return properties_wrong_type(properties, key, "an array of strings", err);
		if (name[0] != '\0')
			names[count++] = name;
	}
	*ret_names = (struct ec2_ids){ .items = names, .count = count };
	return 0;
}

/* a template may have put a number into quotes: "4000" */
static bool number_of(const struct json *value, double *ret_number)
{
	const char *text = json_text(value);
	uint64_t number;

	if (text == NULL)
		return json_double(value, ret_number);
	if (!parse_u64(text, &number))
		return false;
	*ret_number = (double)number;
	return true;
}

int properties_number(const struct properties *properties, const char *key, uint64_t *ret_value, struct error *err)
{
	const struct json *value = properties_find(properties, key);
	double number;

	if (value == NULL) {
		*ret_value = 0;
		return 0;
	}
	if (!number_of(value, &number))
		return properties_wrong_type(properties, key, "a whole number", err);
	if (number < 0 || number > (double)PROPERTIES_MAX_NUMBER)
		return error_set(err, properties->configured ? ERROR_CONFIG : ERROR_CLOUD,
				 "%s.%s is %.64s; it must be from 0 to %" PRIu64, properties->place, key, value->text,
				 PROPERTIES_MAX_NUMBER);
	if ((double)(uint64_t)number != number)
		return properties_wrong_type(properties, key, "a whole number", err);
	*ret_value = (uint64_t)number;
	return 0;
}
