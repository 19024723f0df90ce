/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/actions/worker_values.h"

#include <inttypes.h>
#include <string.h>

#include "common/buf.h"
#include "common/nearest.h"
#include "cpi/rpc/args.h"

#define MAX_EXPECTED ((size_t)512)
#define MAX_QUOTED 80 /* bytes of a foreign text that a message repeats */
#define WRONG "Arguments are not correct, got: "

/* "worker_id, and if wanted region": all that the action takes. */
static void list_parameters(const struct worker_action *action, struct buf *out)
{
	bool optional = false;

	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++) {
		const char *between = out->len == 0 ? "" : ", ";
		if (!parameter->required && !optional)
			between = out->len == 0 ? "if wanted " : ", and if wanted ";
		optional = !parameter->required;
		buf_printf(out, "%s%s", between, parameter->name);
	}
}

static int unknown(const struct worker_action *action, const char *name, struct error *err)
{
	CLEANUP_BUF struct buf expected = BUF_INIT(MAX_EXPECTED);
	struct nearest nearest = NEAREST_INIT(name);
	char question[NEAREST_QUESTION_SIZE];

	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++)
		nearest_try(&nearest, parameter->name);
	list_parameters(action, &expected);
	return error_set(err, ERROR_INVALID_CALL, WRONG "the parameter %.*s, which %s does not have.%s It takes %s", MAX_QUOTED,
			 name, action->name, nearest_question(&nearest, " Did you mean ", question), buf_text(&expected));
}

static int missing(const struct worker_action *action, const struct worker_parameter *parameter, struct error *err)
{
	CLEANUP_BUF struct buf expected = BUF_INIT(MAX_EXPECTED);

	list_parameters(action, &expected);
	return error_set(err, ERROR_INVALID_CALL, WRONG "nothing as %s (%s). %s takes %s", parameter->name, parameter->description,
			 action->name, buf_text(&expected));
}

static int read_integer(const struct worker_parameter *parameter, const struct json *value, int64_t *ret_number,
			struct error *err)
{
	int64_t number;

	if (json_int(value, &number) && number >= parameter->least && number <= parameter->most) {
		*ret_number = number;
		return 0;
	}
	bool shown = value->type == JSON_NUMBER || value->type == JSON_STRING;
	return error_set(err, ERROR_INVALID_CALL, WRONG "%.*s as %s, which should be a whole number from %" PRId64 " to %" PRId64,
			 MAX_QUOTED, shown ? value->text : args_type_name(value), parameter->name, parameter->least,
			 parameter->most);
}

static int read_text(const struct worker_parameter *parameter, const struct json *value, const char **ret_text,
		     struct error *err)
{
	const char *text = json_text(value);

	if (text != NULL && (*text != '\0' || parameter->may_be_empty)) {
		*ret_text = text;
		return 0;
	}
	return error_set(err, ERROR_INVALID_CALL, WRONG "%s as %s, which should be a string", text != NULL ? "an empty string" :
			 value->type == JSON_STRING ? "a string with a NUL" : args_type_name(value), parameter->name);
}

static int check_names(const struct worker_action *action, const struct json *object, struct error *err)
{
	for (const struct json *member = object == NULL ? NULL : object->child; member != NULL; member = member->next) {
		if (strlen(member->key) != member->key_len)
			return error_set(err, ERROR_INVALID_CALL, WRONG "a parameter with a NUL in its name");
		if (worker_action_parameter(action, member->key) == NULL)
			return unknown(action, member->key, err);
	}
	return 0;
}

int worker_values_read(const struct worker_action *action, const struct json *object, struct worker_values *ret_values,
		       struct error *err)
{
	struct worker_values values = { .action = action };

	if (check_names(action, object, err) != 0)
		return -1;
	for (size_t i = 0; action->parameters[i].name != NULL; i++) {
		const struct worker_parameter *parameter = &action->parameters[i];
		const struct json *value = json_get(object, parameter->name);
		bool absent = value == NULL || value->type == JSON_NULL;
		if (absent && parameter->required)
			return missing(action, parameter, err);
		if (absent) {
			values.texts[i] = strcmp(parameter->name, "region") == 0 ? NULL : parameter->fallback;
			continue;
		}
		int failed = parameter->type == WORKER_INTEGER ? read_integer(parameter, value, &values.numbers[i], err) :
								 read_text(parameter, value, &values.texts[i], err);
		if (failed != 0)
			return -1;
	}
	*ret_values = values;
	return 0;
}

int worker_values_of_arguments(const struct worker_action *action, const struct json *arguments,
			       struct worker_values *ret_values, struct error *err)
{
	const struct json *object = json_at(arguments, 0);

	if (arguments->count > 1)
		return error_set(err, ERROR_INVALID_CALL, WRONG "%zu, and %s takes one object with its parameters",
				 arguments->count, action->name);
	if (json_is(object, JSON_NULL))
		object = NULL;
	if (object != NULL && object->type != JSON_OBJECT)
		return error_set(err, ERROR_INVALID_CALL, WRONG "%s, and %s takes one object with its parameters",
				 args_type_name(object), action->name);
	return worker_values_read(action, object, ret_values, err);
}

/* WORKER_ACTION_MAX_PARAMETERS where there is none. */
static size_t place_of(const struct worker_values *values, const char *name)
{
	const struct worker_parameter *parameter = worker_action_parameter(values->action, name);

	return parameter == NULL ? WORKER_ACTION_MAX_PARAMETERS : (size_t)(parameter - values->action->parameters);
}

const char *worker_values_text(const struct worker_values *values, const char *name)
{
	size_t place = place_of(values, name);

	return place == WORKER_ACTION_MAX_PARAMETERS ? NULL : values->texts[place];
}

int64_t worker_values_number(const struct worker_values *values, const char *name)
{
	size_t place = place_of(values, name);

	return place == WORKER_ACTION_MAX_PARAMETERS ? 0 : values->numbers[place];
}
