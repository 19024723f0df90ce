/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/serve.h"

#include <string.h>

#include "common/digest.h"
#include "common/io.h"
#include "cpi/dispatch.h"
#include "cpi/methods/undo.h"
#include "cpi/rpc/request.h"
#include "cpi/rpc/response.h"
#include "cpi/secrets.h"

#define MAX_LOGGED ((size_t)16 * 1024)

struct session {
	struct setup *setup;
	const struct serve_options *options;
	struct log *log;
	struct request request;
	struct undo *undo;           /* NULL for methods that make nothing */
	char random_id[UUID_SIZE];   /* where the request has no id */
};

static int read_request(struct session *session, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUEST_MAX_BYTES + 1);

	if (request_read(session->options->in_fd, session->setup->runtime->cancel, &text, err) != 0)
		return -1;
	int result = request_parse(buf_text(&text), text.len, dispatch_known, session->setup->arena, &session->request,
				   err);
	log_set_request_id(session->log, session->request.request_id);
	return result;
}

/* Brings up what the method needs, and no more. */
static int prepare(struct session *session, enum dispatch_needs needs, struct call *call, struct error *err)
{
	const struct request *request = &session->request;
	struct setup *setup = session->setup;

	if (needs == DISPATCH_NEEDS_HTTP)
		return setup_http(setup, err);
	if (needs == DISPATCH_NEEDS_NOTHING)
		return 0;
	if (request->request_id == NULL) {
		if (digest_uuid(session->random_id, err) != 0)
			return -1;
		call->request_id = session->random_id;
		log_set_request_id(session->log, session->random_id);
	}
	if (setup_aws(setup, err) != 0 ||
	    undo_new(setup->runtime, &setup->ec2, request->director_uuid, call->request_id, request->method,
		     &session->undo, err) != 0)
		return -1;
	call->ec2 = &setup->ec2;
	call->undo = session->undo;
	return 0;
}

/* What may be seen of the arguments, once it is known what may not. */
static int log_arguments(struct session *session, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_LOGGED);
	const struct request *request = &session->request;

	if (secrets_of_request(session->log, request, session->setup->config.aws.region, session->setup->arena, err) != 0)
		return -1;
	secrets_allowed_text(request, &text);
	log_debug(session->log, "%s's arguments: %s%s", request->method, buf_text(&text), text.failed ? "…" : "");
	return 0;
}

static int run_method(struct session *session, struct buf *result, struct error *err)
{
	const struct request *request = &session->request;
	struct setup *setup = session->setup;
	const struct dispatch_method *method = NULL;
	struct json_writer writer;

	if (setup_config(setup, session->options->config_path, request->context, err) != 0 ||
	    log_arguments(session, err) != 0 ||
	    dispatch_find(request->method, request->api_version, setup->config.api_version, request->arguments, &method,
			  err) != 0)
		return -1;
	struct call call = {
		.runtime = setup->runtime,
		.config = &setup->config,
		.arena = session->setup->arena,
		.method = request->method,
		.director_uuid = request->director_uuid,
		.request_id = request->request_id,
		.api_version = request->api_version,
		.stemcell_api_version = request->stemcell_api_version,
	};
	json_writer_init(&writer, result);
	if (prepare(session, dispatch_needs(method), &call, err) != 0 ||
	    dispatch_run(method, &call, request->arguments, &writer, err) != 0)
		return -1;
	return buf_check(result, "the result", err);
}

/* The answer's text for a call that succeeded; what it made stays. */
static int call_method(struct session *session, struct buf *answer, struct error *err)
{
	CLEANUP_BUF struct buf result = BUF_INIT(RESPONSE_MAX_BYTES / 2);
	const struct clock *clock = session->setup->clock;
	const char *name = session->request.method;

	log_info(session->log, "Starting %s...", name);
	int64_t start = clock->monotonic_ms(clock->self);
	int outcome = run_method(session, &result, err);
	if (outcome == 0)
		outcome = response_result(buf_text(&result), result.len, answer, err);
	/* here, and nowhere in the methods, so that none can forget it */
	if (outcome != 0 && session->undo != NULL)
		undo_run(session->undo, err);
	log_info(session->log, "Finished %s in %.2f seconds", name,
		 (double)(clock->monotonic_ms(clock->self) - start) / 1000);
	return outcome;
}

static const char *failure_text(struct session *session, struct error *failure, struct buf *answer)
{
	const char *name = session->request.method;

	log_redact(session->log, failure->message, sizeof(failure->message));
	log_error(session->log, "%s%sfailed: %s: %s", name == NULL ? "" : name, name == NULL ? "the request " : " ",
		  response_error_type(failure->kind), failure->message);
	return response_error(failure, answer);
}

/* From the first byte on the Director may know what was made; an answer that did not get through is none. */
static int deliver(struct session *session, const char *text, bool succeeded)
{
	struct undo *undo = succeeded ? session->undo : NULL;
	struct error err;

	if (undo != NULL)
		undo_answering(undo);
	if (io_write_all(session->options->out_fd, text, strlen(text), "standard output", &err) != 0) {
		(void)error_prefix(&err, "the answer could not be delivered%s",
			     undo == NULL ? "" : "; what this call has made is removed again");
		if (undo != NULL)
			undo_run(undo, &err);
		log_error(session->log, "%s", err.message);
		return 1;
	}
	if (undo != NULL)
		undo_answered(undo);
	return 0;
}

static int serve(struct session *session)
{
	CLEANUP_BUF struct buf answer = BUF_INIT(RESPONSE_MAX_BYTES);
	struct error failure;

	if (read_request(session, &failure) == 0 && call_method(session, &answer, &failure) == 0)
		return deliver(session, buf_text(&answer), true);
	return deliver(session, failure_text(session, &failure, &answer), false);
}

int serve_request(struct setup *setup, const struct serve_options *options)
{
	struct session session = {
		.setup = setup,
		.options = options,
		.log = setup->runtime->log,
	};

	int status = serve(&session);
	undo_free(session.undo);
	setup_close(setup);
	return status;
}
