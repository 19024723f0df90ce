/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/action_command.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/nearest.h"
#include "common/parse.h"
#include "common/terminal.h"
#include "cpi/action_help.h"
#include "cpi/action_table.h"
#include "cpi/actions/worker_values.h"
#include "cpi/command_call.h"
#include "cpi/run_call.h"

#define WHO "cpi-action"
#define MAX_QUOTED 80 /* bytes of a foreign text that a message repeats */
#define MAX_OPTIONS 1024
#define REGION "region"

/* The object that is being put together. */
struct values {
	const struct worker_action *action;
	struct json members[WORKER_ACTION_MAX_PARAMETERS];
	struct json object;
	struct json array;
};

/* --- what is wrong ------------------------------------------------------------------------------------------------ */

/* "--worker-id [--region] [--config] [--profile] [--json]" */
static void list_options(const struct worker_action *action, struct buf *out)
{
	char option[ACTION_OPTION_SIZE];
	size_t count;
	const struct command_option *common = command_line_options(&count);

	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++) {
		action_option_name(parameter, option);
		buf_printf(out, parameter->required ? "%s%s" : "%s[%s]", out->len == 0 ? "" : " ", option);
	}
	for (size_t i = 0; i < count; i++) {
		if (command_option_fits(&common[i], COMMAND_ACTION) && strcmp(common[i].name, "--" REGION) != 0)
			buf_printf(out, " [%s]", common[i].name);
	}
}

static void try_options(const struct worker_action *action, struct nearest *nearest, char (*names)[ACTION_OPTION_SIZE])
{
	size_t count;
	const struct command_option *common = command_line_options(&count);

	for (size_t i = 0; action->parameters[i].name != NULL; i++) {
		action_option_name(&action->parameters[i], names[i]);
		nearest_try(nearest, names[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (command_option_fits(&common[i], COMMAND_ACTION))
			nearest_try(nearest, common[i].name);
	}
	nearest_try(nearest, "--help");
}

static int unknown(const struct worker_action *action, const struct command_parameter *typed, struct error *err)
{
	CLEANUP_BUF struct buf expected = BUF_INIT(MAX_OPTIONS);
	char names[WORKER_ACTION_MAX_PARAMETERS][ACTION_OPTION_SIZE];
	char word[MAX_QUOTED + 1];
	char question[NEAREST_QUESTION_SIZE];
	struct nearest nearest = NEAREST_INIT(word);

	snprintf(word, sizeof(word), "%.*s", (int)typed->option_len, typed->option);
	/* so that --worker_d is as near to --worker-id as --worker-d */
	for (char *c = word; *c != '\0'; c++)
		*c = *c == '_' ? '-' : *c;
	try_options(action, &nearest, names);
	list_options(action, &expected);
	snprintf(word, sizeof(word), "%.*s", (int)typed->option_len, typed->option);
	return error_set(err, ERROR_INVALID, "%s has no option %s.%s It takes %s", action->name, word,
			 nearest_question(&nearest, " Did you mean ", question), buf_text(&expected));
}

static int missing(const struct worker_action *action, const struct worker_parameter *parameter, struct error *err)
{
	CLEANUP_BUF struct buf expected = BUF_INIT(MAX_OPTIONS);
	char option[ACTION_OPTION_SIZE];

	action_option_name(parameter, option);
	list_options(action, &expected);
	return error_set(err, ERROR_INVALID, "%s needs %s (%s). It takes %s", action->name, option, parameter->description,
			 buf_text(&expected));
}

/* --- options to JSON ---------------------------------------------------------------------------------------------- */

static int set_integer(const struct worker_parameter *parameter, const char *text, struct json *member, struct error *err)
{
	char option[ACTION_OPTION_SIZE];
	int64_t number;

	if (parse_i64(text, &number) && number >= parameter->least && number <= parameter->most) {
		member->type = JSON_NUMBER;
		return 0;
	}
	action_option_name(parameter, option);
	return error_set(err, ERROR_INVALID, "%s is '%.*s', and should be a whole number from %" PRId64 " to %" PRId64, option,
			 MAX_QUOTED, text, parameter->least, parameter->most);
}

static int set_text(const struct worker_parameter *parameter, const char *text, struct json *member, struct error *err)
{
	char option[ACTION_OPTION_SIZE];

	member->type = JSON_STRING;
	if (*text != '\0' || parameter->may_be_empty)
		return 0;
	action_option_name(parameter, option);
	return error_set(err, ERROR_INVALID, "%s is empty, and should be a text (%s)", option, parameter->description);
}

static int add(struct values *values, const struct worker_parameter *parameter, const char *text, struct error *err)
{
	struct json *member = &values->members[values->object.count];

	*member = (struct json){
		.text = text,
		.len = strlen(text),
		.key = parameter->name,
		.key_len = strlen(parameter->name),
	};
	if ((parameter->type == WORKER_INTEGER ? set_integer(parameter, text, member, err) :
						 set_text(parameter, text, member, err)) != 0)
		return -1;
	if (values->object.count++ > 0)
		member[-1].next = member;
	return 0;
}

static const struct worker_parameter *find(const struct worker_action *action, const struct command_parameter *typed)
{
	if (typed->option_len < 2 || strncmp(typed->option, "--", 2) != 0)
		return NULL;
	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++) {
		if (command_line_same(parameter->name, typed->option + 2, typed->option_len - 2))
			return parameter;
	}
	return NULL;
}

static int take(struct values *values, const struct command_parameter *typed, struct error *err)
{
	const struct worker_parameter *parameter = find(values->action, typed);
	int len = (int)typed->option_len;

	if (parameter == NULL)
		return unknown(values->action, typed, err);
	for (size_t i = 0; i < values->object.count; i++) {
		if (strcmp(values->members[i].key, parameter->name) == 0)
			return error_set(err, ERROR_INVALID, "%.*s is there twice, and is wanted once", len, typed->option);
	}
	if (typed->value == NULL)
		return error_set(err, ERROR_INVALID, "%.*s needs a value (%s); one that begins with dashes is %.*s=--", len,
				 typed->option, parameter->description, len, typed->option);
	return add(values, parameter, typed->value, err);
}

static int check_required(const struct values *values, struct error *err)
{
	for (const struct worker_parameter *parameter = values->action->parameters; parameter->name != NULL; parameter++) {
		if (parameter->required && json_get(&values->object, parameter->name) == NULL)
			return missing(values->action, parameter, err);
	}
	return 0;
}

int action_command_read(const struct command_line *line, struct arena *arena, const struct json **ret_arguments,
			struct error *err)
{
	struct values *values = arena_alloc(arena, sizeof(*values));
	struct worker_values checked;

	if (line->n_arguments > 0)
		return error_set(err, ERROR_INVALID, "%s takes its parameters as --NAME VALUE, and %.*s is none", line->action->name,
				 MAX_QUOTED, line->arguments[0]);
	if (values == NULL)
		return error_nomem(err);
	values->action = line->action;
	values->object = (struct json){ .type = JSON_OBJECT, .child = values->members };
	values->array = (struct json){ .type = JSON_ARRAY, .child = &values->object, .count = 1 };
	for (size_t i = 0; i < line->n_parameters; i++) {
		if (take(values, &line->parameters[i], err) != 0)
			return -1;
	}
	if (line->region != NULL && add(values, worker_action_parameter(line->action, REGION), line->region, err) != 0)
		return -1;
	if (values->object.count == 0)
		values->object.child = NULL;
	/* the latter finds nothing that is left: it is what the call itself will ask */
	if (check_required(values, err) != 0 || worker_values_read(line->action, &values->object, &checked, err) != 0)
		return -1;
	*ret_arguments = &values->array;
	return 0;
}

/* --- running it --------------------------------------------------------------------------------------------------- */

struct shown {
	const struct setup *setup;
	struct action_table table;
};

static void show(void *self, const struct json *result, struct buf *out)
{
	struct shown *shown = self;

	shown->table.region = shown->setup->config.aws.region;
	action_table_write(&shown->table, result, out);
}

int action_command_run(struct setup *setup, const struct command_line *line, const struct json *arguments)
{
	bool json = line->json || !isatty(STDOUT_FILENO);
	struct shown shown = {
		.setup = setup,
		.table = {
			.action = line->action,
			.columns = terminal_columns(STDOUT_FILENO),
			.unicode = terminal_is_unicode(),
			.colour = terminal_is_able() && terminal_colour_is_wanted(),
		},
	};
	struct command_call command = {
		.config_path = line->config,
		.json_failure = json,
		.show = json ? NULL : show,
		.self = &shown,
	};
	struct error err;

	setup->choice.profile = line->profile;
	if (run_call_make_request(line->action->name, arguments, WHO, setup->arena, &command.request, &err) != 0) {
		fprintf(stderr, "cpi: %s\n", err.message);
		return COMMAND_CALL_FAILED;
	}
	return command_call_run(setup, &command);
}
