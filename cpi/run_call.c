/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/run_call.h"

#include <string.h>

#include "common/log.h"
#include "cpi/actions/worker_values.h"
#include "cpi/dispatch.h"
#include "cpi/secrets.h"

#define MAX_LOGGED ((size_t)16 * 1024)

/* --- bringing up what is needed --- */

static int take_random_id(struct run_call *run, struct call *call, struct error *err)
{
	if (call->request_id != NULL)
		return 0;
	if (digest_uuid(run->random_id, err) != 0)
		return -1;
	call->request_id = run->random_id;
	log_set_request_id(run->setup->runtime->log, run->random_id);
	return 0;
}

/* What the method needs, and no more. */
static int prepare(struct run_call *run, enum dispatch_needs needs, struct call *call, struct error *err)
{
	const struct request *request = &run->request;
	struct setup *setup = run->setup;

	if (needs == DISPATCH_NEEDS_HTTP)
		return setup_http(setup, err);
	if (needs == DISPATCH_NEEDS_NOTHING)
		return 0;
	if (take_random_id(run, call, err) != 0 || setup_aws(setup, err) != 0 ||
	    undo_new(setup->runtime, &setup->ec2, request->director_uuid, call->request_id, request->method, &run->undo,
		     err) != 0)
		return -1;
	call->ec2 = &setup->ec2;
	call->undo = run->undo;
	return 0;
}

/* What may be seen of the arguments, once it is known what may not. */
static int log_arguments(struct run_call *run, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_LOGGED);
	const struct request *request = &run->request;
	struct log *log = run->setup->runtime->log;

	if (secrets_of_request(log, request, run->setup->config.aws.region, run->setup->arena, err) != 0)
		return -1;
	secrets_allowed_text(request, &text);
	log_debug(log, "%s's arguments: %s%s", request->method, buf_text(&text), text.failed ? "…" : "");
	return 0;
}

/* --- methods and actions --- */

static struct call call_of(const struct run_call *run)
{
	const struct request *request = &run->request;

	return (struct call){
		.runtime = run->setup->runtime,
		.config = &run->setup->config,
		.arena = run->setup->arena,
		.method = request->method,
		.director_uuid = request->director_uuid,
		.request_id = request->request_id,
		.api_version = request->api_version,
		.stemcell_api_version = request->stemcell_api_version,
	};
}

static int run_method(struct run_call *run, struct json_writer *result, struct error *err)
{
	const struct request *request = &run->request;
	const struct dispatch_method *method = NULL;

	if (setup_config(run->setup, run->config_path, request->context, err) != 0 || log_arguments(run, err) != 0)
		return -1;
	if (run->highest_version)
		run->request.api_version = run->setup->config.api_version;
	struct call call = call_of(run);
	if (dispatch_find(request->method, request->api_version, run->setup->config.api_version, request->arguments, &method,
			  err) != 0 ||
	    prepare(run, dispatch_needs(method), &call, err) != 0)
		return -1;
	return dispatch_run(method, &call, request->arguments, result, err);
}

static int run_action(struct run_call *run, struct json_writer *result, struct error *err)
{
	const struct request *request = &run->request;
	struct setup *setup = run->setup;
	struct call call = call_of(run);
	struct worker_values values;

	if (worker_values_of_arguments(run->action, request->arguments, &values, err) != 0)
		return -1;
	const char *region = worker_values_text(&values, "region");
	if (region != NULL)
		setup->choice.region = region;
	setup->choice.default_region = WORKER_ACTION_REGION;
	if (setup_config(setup, run->config_path, request->context, err) != 0 || log_arguments(run, err) != 0 ||
	    prepare(run, DISPATCH_NEEDS_AWS, &call, err) != 0)
		return -1;
	json_begin_object(result);
	json_member_boolean(result, "success", true);
	if (run->action->run(&call, &values, result, err) != 0)
		return -1;
	json_end_object(result);
	return 0;
}

/* --- the interface --- */

int run_call_make_request(const char *method, const struct json *arguments, const char *who, struct arena *arena,
			  struct request *ret_request, struct error *err)
{
	struct json *context = arena_alloc(arena, sizeof(*context));

	if (context == NULL)
		return error_nomem(err);
	context->type = JSON_OBJECT;
	*ret_request = (struct request){
		.method = method,
		.arguments = arguments,
		.context = context,
		.director_uuid = who,
		.api_version = 1,
		.stemcell_api_version = 1,
	};
	return 0;
}

int run_call(struct run_call *run, struct buf *result, struct error *err)
{
	const struct clock *clock = run->setup->clock;
	struct log *log = run->setup->runtime->log;
	const char *name = run->request.method;
	struct json_writer writer;

	json_writer_init(&writer, result);
	run->action = worker_action_meant(name, run->request.arguments);
	log_info(log, "Starting %s...", name);
	int64_t start = clock->monotonic_ms(clock->self);
	int outcome = run->action != NULL ? run_action(run, &writer, err) : run_method(run, &writer, err);
	if (outcome == 0)
		outcome = buf_check(result, "the result", err);
	/* here, and nowhere in the methods, so that none can forget it */
	if (outcome != 0)
		run_call_undelivered(run, err);
	log_info(log, "Finished %s in %.2f seconds", name, (double)(clock->monotonic_ms(clock->self) - start) / 1000);
	return outcome;
}

void run_call_delivering(struct run_call *run)
{
	if (run->undo != NULL)
		undo_answering(run->undo);
}

void run_call_delivered(struct run_call *run)
{
	if (run->undo != NULL)
		undo_answered(run->undo);
}

void run_call_undelivered(struct run_call *run, struct error *err)
{
	if (run->undo != NULL)
		undo_run(run->undo, err);
	log_redact(run->setup->runtime->log, err->message, sizeof(err->message));
	log_redact(run->setup->runtime->log, err->aws_message, sizeof(err->aws_message));
}

void run_call_end(struct run_call *run)
{
	undo_free(run->undo);
	setup_close(run->setup);
}
