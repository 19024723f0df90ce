/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/library_settings.h"

#include <string.h>

#include "common/nearest.h"
#include "cpi/rpc/args.h"

#define MAX_QUOTED 80 /* bytes of a foreign text that a message repeats */

static const char *const names[] = { "config", "cloud", "region", "profile" };

#define N_NAMES (sizeof(names) / sizeof(names[0]))

int library_settings_object(const char *text, const char *what, struct arena *arena, const struct json **ret_object,
			    struct error *err)
{
	const struct json *root = NULL;

	if (text != NULL) {
		size_t len = strnlen(text, LIBRARY_MAX_BYTES + 1);
		if (len > LIBRARY_MAX_BYTES)
			return error_set(err, ERROR_INVALID_CALL, "%s are over %zu MiB: too long", what,
					 LIBRARY_MAX_BYTES / 1024 / 1024);
		if (json_parse(arena, text, len, LIBRARY_MAX_BYTES, &root, err) != 0) {
			if (err->kind != ERROR_NOMEM)
				err->kind = ERROR_INVALID_CALL;
			return error_prefix(err, "%s are not valid JSON", what);
		}
		if (root->type != JSON_OBJECT)
			return error_set(err, ERROR_INVALID_CALL, "%s should be a JSON object, and are %s", what,
					 args_type_name(root));
	}
	*ret_object = root;
	return 0;
}

static int check_names(const struct json *object, struct error *err)
{
	for (const struct json *member = object->child; member != NULL; member = member->next) {
		struct nearest nearest = NEAREST_INIT(member->key);
		char question[NEAREST_QUESTION_SIZE];
		size_t i = 0;
		while (i < N_NAMES && strcmp(member->key, names[i]) != 0)
			i++;
		if (i < N_NAMES)
			continue;
		for (i = 0; i < N_NAMES; i++)
			nearest_try(&nearest, names[i]);
		return error_set(err, ERROR_INVALID_CALL,
				 "there is no setting %.*s.%s There are config, cloud, region and profile", MAX_QUOTED,
				 member->key, nearest_question(&nearest, " Did you mean ", question));
	}
	return 0;
}

/* null is as good as none. */
static const struct json *given(const struct json *object, const char *name)
{
	const struct json *value = json_get(object, name);

	return value == NULL || value->type == JSON_NULL ? NULL : value;
}

static int read_text(const struct json *object, const char *name, const char **ret_text, struct error *err)
{
	const struct json *value = given(object, name);
	const char *text = json_text(value);

	if (value != NULL && (text == NULL || *text == '\0'))
		return error_set(err, ERROR_INVALID_CALL, "the setting %s should be a string, and is %s", name,
				 text != NULL		    ? "empty" :
				 value->type == JSON_STRING ? "one with a NUL" :
							      args_type_name(value));
	*ret_text = text;
	return 0;
}

int library_settings_read(const char *text, struct arena *arena, struct setup_choice *ret_choice,
			  const char **ret_config_path, struct error *err)
{
	struct setup_choice choice = { .profile_source = "the setting profile" };
	const struct json *object;
	const char *path = NULL;

	if (library_settings_object(text, "the settings", arena, &object, err) != 0 ||
	    (object != NULL && check_names(object, err) != 0) || read_text(object, "config", &path, err) != 0 ||
	    read_text(object, "region", &choice.region, err) != 0 ||
	    read_text(object, "profile", &choice.profile, err) != 0)
		return -1;
	const struct json *cloud = given(object, "cloud");
	if (cloud != NULL && cloud->type != JSON_OBJECT)
		return error_set(err, ERROR_INVALID_CALL, "the setting cloud should be a JSON object, and is %s",
				 args_type_name(cloud));
	if (cloud != NULL && path != NULL)
		return error_set(err, ERROR_INVALID_CALL,
				 "the settings have two configurations: leave one of config and cloud out");
	choice.root = cloud == NULL ? NULL : object;
	*ret_choice = choice;
	*ret_config_path = path;
	return 0;
}
