/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/call_command.h"

#include <string.h>

#include "common/buf.h"
#include "common/nearest.h"
#include "common/parse.h"
#include "cpi/actions/worker_action.h"
#include "cpi/command_call.h"
#include "cpi/dispatch.h"
#include "cpi/run_call.h"

#define WHO "cpi-call"
#define MAX_QUOTED 80 /* bytes of a foreign text that a message repeats */
#define LINE_WIDTH 100

/* --- the method --------------------------------------------------------------------------------------------------- */

static const char *find_method(const char *typed)
{
	size_t count;
	const struct worker_action *actions = worker_actions(&count);
	const char *name;

	for (size_t i = 0; (name = dispatch_method_name(i)) != NULL; i++) {
		if (command_line_same(name, typed, strlen(typed)))
			return name;
	}
	for (size_t i = 0; i < count; i++) {
		if (command_line_same(actions[i].name, typed, strlen(typed)))
			return actions[i].name;
	}
	return NULL;
}

static int unknown_method(const char *typed, struct error *err)
{
	struct nearest nearest = NEAREST_INIT(typed);
	char question[NEAREST_QUESTION_SIZE];
	const char *name;

	for (size_t i = 0; (name = dispatch_method_name(i)) != NULL; i++)
		nearest_try(&nearest, name);
	worker_actions_try(&nearest);
	return error_set(err, ERROR_INVALID, "the CPI has no method %.*s%s", MAX_QUOTED, typed,
			 nearest_question(&nearest, "; did you mean ", question));
}

/* --- its arguments ------------------------------------------------------------------------------------------------ */

/* Begins as what only JSON writes. */
static bool must_be_json(const char *text)
{
	text += strspn(text, " \t\r\n");
	return *text == '{' || *text == '[' || *text == '"';
}

static int read_argument(const char *text, size_t number, struct arena *arena, struct json *ret_value, struct error *err)
{
	const struct json *value;
	struct error why;

	if (json_parse(arena, text, strlen(text), REQUEST_MAX_BYTES, &value, &why) == 0) {
		*ret_value = *value;
		return 0;
	}
	if (why.kind != ERROR_INVALID || must_be_json(text)) {
		*err = why;
		return error_prefix(err, "argument %zu, %.*s", number, MAX_QUOTED, text);
	}
	*ret_value = (struct json){ .type = JSON_STRING, .text = text, .len = strlen(text) };
	return 0;
}

static int read_arguments(const struct command_line *line, struct arena *arena, const struct json **ret_arguments,
			  struct error *err)
{
	struct json *array = arena_alloc(arena, sizeof(*array));
	struct json *items = arena_array(arena, line->n_arguments + 1, sizeof(*items));

	if (array == NULL || items == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < line->n_arguments; i++) {
		if (read_argument(line->arguments[i], i + 1, arena, &items[i], err) != 0)
			return -1;
		if (i > 0)
			items[i - 1].next = &items[i];
	}
	*array = (struct json){
		.type = JSON_ARRAY,
		.child = line->n_arguments == 0 ? NULL : items,
		.count = line->n_arguments,
	};
	*ret_arguments = array;
	return 0;
}

/* 0: none is given. */
static int read_version(const char *text, int *ret_version, struct error *err)
{
	uint64_t version = 0;

	if (text != NULL && (!parse_u64(text, &version) || version < 1 || version > CONFIG_API_VERSION_MAX))
		return error_set(err, ERROR_INVALID, "--api-version is '%.*s', and should be a number from 1 to %d", MAX_QUOTED, text,
				 CONFIG_API_VERSION_MAX);
	*ret_version = (int)version;
	return 0;
}

int call_command_read(const struct command_line *line, struct arena *arena, struct call_command *ret_command,
		      struct error *err)
{
	const char *method = find_method(line->method);
	struct call_command command = { 0 };
	const struct json *arguments;
	int version;

	if (method == NULL)
		return unknown_method(line->method, err);
	if (read_version(line->api_version, &version, err) != 0 || read_arguments(line, arena, &arguments, err) != 0 ||
	    run_call_make_request(method, arguments, WHO, arena, &command.request, err) != 0)
		return -1;
	command.highest_version = version == 0;
	if (version != 0)
		command.request.api_version = version;
	/* as if of a stemcell of our days: those of version 1 need a registry */
	command.request.stemcell_api_version = version == 0 ? CONFIG_API_VERSION_MAX : version;
	*ret_command = command;
	return 0;
}

int call_command_run(struct setup *setup, const struct command_line *line, const struct call_command *command)
{
	const struct command_call call = {
		.config_path = line->config,
		.request = command->request,
		.highest_version = command->highest_version,
	};

	setup->choice.profile = line->profile;
	setup->choice.region = line->region;
	return command_call_run(setup, &call);
}

/* --- help --------------------------------------------------------------------------------------------------------- */

static void put_methods(struct buf *out)
{
	const char *name;
	size_t column = LINE_WIDTH;

	for (size_t i = 0; (name = dispatch_method_name(i)) != NULL; i++) {
		if (column + 1 + strlen(name) > LINE_WIDTH) {
			buf_str(out, i == 0 ? " " : "\n ");
			column = 1;
		}
		buf_printf(out, " %s", name);
		column += 1 + strlen(name);
	}
	buf_char(out, '\n');
}

void call_command_help(struct buf *out)
{
	buf_str(out, "usage: cpi call METHOD [ARGUMENT...] [--config CONFIG] [--region REGION] [--profile PROFILE] [--api-version N]\n"
		     "\n"
		     "Runs a method of the CPI by hand, as a Director would, and prints its result as one line of JSON.\n"
		     "Each argument is JSON; a word that is none, such as i-0123456789abcdef0, is taken as a string.\n"
		     "\n"
		     "methods:\n");
	put_methods(out);
	buf_str(out, "and the worker actions, each with one object of its parameters.\n"
		     "\n"
		     "options:\n"
		     "  --config CONFIG             The cpi.json of a BOSH release; without one, the environment and ~/.aws count\n"
		     "  --region REGION             The AWS region, before the configuration's\n"
		     "  --profile PROFILE           The profile of ~/.aws whose credentials are taken, before all others\n"
		     "  --api-version N             The version of the CPI API, and of the stemcell's (default: the highest on offer)\n"
		     "  --help                      Show this\n"
		     "\n"
		     "exit status:\n"
		     "  0  it is done, and the result is on standard output\n"
		     "  1  it failed, and standard error says why; what it had made is removed again\n"
		     "  2  the method or its arguments are wrong\n"
		     "\n"
		     "example:\n"
		     "  cpi call create_disk 10240 '{\"type\":\"gp3\"}' i-0123456789abcdef0 --config cpi.json\n");
}
