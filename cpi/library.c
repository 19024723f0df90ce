/* SPDX-License-Identifier: Apache-2.0 */
/* The shared library's functions: the same table of actions and the same call as behind the request, for a host whose process
 * this is not. */
#include "cpi/cpi_aws.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/nearest.h"
#include "cpi/library_host.h"
#include "cpi/library_settings.h"
#include "cpi/rpc/response.h"
#include "cpi/run_call.h"

#define MAX_TEXT ((size_t)64 * 1024) /* of what says something about us, and of an error */
#define MAX_QUOTED 80		     /* bytes of a foreign text that a message repeats */
/* The tree of the largest parameters, one-digit numbers only, takes over a hundred bytes for each of them. */
#define ARENA_MAX_BYTES ((size_t)1536 * 1024 * 1024)
/* In the place of a Director, in tags and in the journal. */
#define WHO "libcpi_aws"

/* What one call needs, from its beginning to its end. */
struct execution {
	struct arena *arena;
	struct clock clock;
	struct log log;
	struct runtime runtime;
	struct setup setup;
	struct run_call run;
};

/* The buffer's text becomes the caller's; NULL where it is not whole. It is only made smaller: that cannot fail. */
static char *hand_over(struct buf *buf)
{
	if (buf->failed || buf->data == NULL)
		return NULL;
	char *text = STEAL(buf->data);
	char *fitting = realloc(text, buf->len + 1);
	return fitting != NULL ? fitting : text;
}

/* --- what the library says of itself --- */

static const char *fallback_of(const char *action, const char *parameter)
{
	return worker_action_parameter(worker_action_find(action), parameter)->fallback;
}

const char *cpi_aws_version(void)
{
	return CPI_VERSION;
}

const char *cpi_aws_name(void)
{
	return "ec2";
}

const char *cpi_aws_provider_type(void)
{
	return "cloud";
}

char *cpi_aws_default_settings(void)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	struct json_writer writer;

	json_writer_init(&writer, &text);
	json_begin_object(&writer);
	json_member_string(&writer, "region", WORKER_ACTION_REGION);
	json_member_string(&writer, "instance_type", fallback_of("create_worker", "instance_type"));
	json_member_string(&writer, "volume_type", fallback_of("create_volume", "volume_type"));
	json_end_object(&writer);
	return hand_over(&text);
}

char *cpi_aws_list_actions(void)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	struct json_writer writer;
	size_t count;
	const struct worker_action *actions = worker_actions(&count);

	json_writer_init(&writer, &text);
	json_begin_array(&writer);
	for (size_t i = 0; i < count; i++)
		json_string(&writer, actions[i].name);
	json_end_array(&writer);
	return hand_over(&text);
}

char *cpi_aws_action_definition(const char *action)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	const struct worker_action *found = action == NULL ? NULL : worker_action_find(action);
	struct json_writer writer;

	if (found == NULL)
		return NULL;
	json_writer_init(&writer, &text);
	worker_action_define(found, &writer);
	return hand_over(&text);
}

/* --- a call --- */

static int find_action(const char *name, const struct worker_action **ret_action, struct error *err)
{
	const struct worker_action *found = name == NULL ? NULL : worker_action_find(name);
	struct nearest nearest = NEAREST_INIT(name);
	char question[NEAREST_QUESTION_SIZE];

	if (found != NULL) {
		*ret_action = found;
		return 0;
	}
	if (name == NULL)
		return error_set(err, ERROR_INVALID_CALL, "no action is named (NULL); cpi_aws_list_actions has all");
	worker_actions_try(&nearest);
	return error_set(err, ERROR_NOT_IMPLEMENTED, "there is no action '%.*s'.%s cpi_aws_list_actions has all", MAX_QUOTED,
			 name, nearest_question(&nearest, " Did you mean ", question));
}

/* A request's arguments: an array of one object, be it an empty one, so that it is always the action that is meant. */
static int make_arguments(const char *parameters, struct arena *arena, const struct json **ret_arguments, struct error *err)
{
	const struct json *object;
	struct json *arguments = arena_alloc(arena, sizeof(*arguments));

	if (arguments == NULL)
		return error_nomem(err);
	if (library_settings_object(parameters == NULL ? "{}" : parameters, "the parameters", arena, &object, err) != 0)
		return -1;
	arguments->type = JSON_ARRAY;
	arguments->child = object;
	arguments->count = 1;
	*ret_arguments = arguments;
	return 0;
}

static int prepare(struct execution *execution, const char *settings, const char *name, const char *parameters,
		   struct error *err)
{
	struct setup *setup = &execution->setup;
	struct run_call *run = &execution->run;
	const struct worker_action *action;
	const struct json *arguments;

	if (library_settings_read(settings, execution->arena, &setup->choice, &run->config_path, err) != 0 ||
	    find_action(name, &action, err) != 0 || make_arguments(parameters, execution->arena, &arguments, err) != 0)
		return -1;
	if (run_call_make_request(action->name, arguments, WHO, execution->arena, &run->request, err) != 0 ||
	    setup_http(setup, err) != 0)
		return -1;
	http_wait_for_look_ups(&setup->http);
	return 0;
}

static char *failure_text(const struct error *failure)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_TEXT);
	struct json_writer writer;

	json_writer_init(&writer, &text);
	response_action_failure(failure, &writer);
	return hand_over(&text);
}

/* The text of a result exists before anybody says that it was delivered, so that nothing can be lost in between. */
static char *execute(struct execution *execution, const char *settings, const char *action, const char *parameters)
{
	CLEANUP_BUF struct buf result = BUF_INIT(RESPONSE_MAX_BYTES);
	struct run_call *run = &execution->run;
	struct error failure;

	if (prepare(execution, settings, action, parameters, &failure) != 0 || run_call(run, &result, &failure) != 0)
		return failure_text(&failure);
	run_call_delivering(run);
	run_call_delivered(run);
	return hand_over(&result);
}

char *cpi_aws_execute(const char *settings, const char *action, const char *parameters)
{
	struct execution execution = { .arena = arena_new(ARENA_MAX_BYTES) };
	struct library_host host;

	if (execution.arena == NULL)
		return NULL;
	library_host_enter(&host);
	clock_system(&execution.clock);
	log_init(&execution.log, -1, LOG_LEVEL_ERROR, &execution.clock);
	/* nobody cancels: signals are the host's */
	execution.runtime = (struct runtime){ .log = &execution.log, .clock = &execution.clock };
	execution.setup = (struct setup){
		.runtime = &execution.runtime,
		.clock = &execution.clock,
		.arena = execution.arena,
	};
	execution.run.setup = &execution.setup;
	char *text = execute(&execution, settings, action, parameters);
	run_call_end(&execution.run);
	arena_free(execution.arena);
	library_host_leave(&host);
	return text;
}

void cpi_aws_free(char *text)
{
	free(text);
}

/* dlclose, or the process's end. */
__attribute__((destructor)) static void unload(void)
{
	http_forget();
}
