/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/serve.h"

#include <string.h>

#include "common/io.h"
#include "cpi/dispatch.h"
#include "cpi/rpc/request.h"
#include "cpi/rpc/response.h"
#include "cpi/run_call.h"

struct session {
	const struct serve_options *options;
	struct log *log;
	struct run_call run;
};

static int read_request(struct session *session, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUEST_MAX_BYTES + 1);
	const struct setup *setup = session->run.setup;
	struct request *request = &session->run.request;

	if (request_read(session->options->in_fd, setup->runtime->cancel, &text, err) != 0)
		return -1;
	int result = request_parse(buf_text(&text), text.len, dispatch_known, setup->arena, request, err);
	log_set_request_id(session->log, request->request_id);
	return result;
}

/* The answer's text for a call that succeeded; what it made stays. */
static int call_method(struct session *session, struct buf *answer, struct error *err)
{
	CLEANUP_BUF struct buf result = BUF_INIT(RESPONSE_MAX_BYTES / 2);

	if (run_call(&session->run, &result, err) != 0)
		return -1;
	if (response_result(buf_text(&result), result.len, answer, err) == 0)
		return 0;
	run_call_undelivered(&session->run, err);
	return -1;
}

static const char *failure_text(struct session *session, struct error *failure, struct buf *answer)
{
	const char *name = session->run.request.method;

	log_redact(session->log, failure->message, sizeof(failure->message));
	log_error(session->log, "%s%sfailed: %s: %s", name == NULL ? "" : name, name == NULL ? "the request " : " ",
		  response_error_type(failure->kind), failure->message);
	return response_error(failure, session->run.action != NULL, answer);
}

/* From the first byte on the Director may know what was made; an answer that did not get through is none. */
static int deliver(struct session *session, const char *text, bool succeeded)
{
	bool made = succeeded && session->run.undo != NULL;
	struct error err;

	if (succeeded)
		run_call_delivering(&session->run);
	if (io_write_all(session->options->out_fd, text, strlen(text), "standard output", &err) != 0) {
		(void)error_prefix(&err, "the answer could not be delivered%s",
			     made ? "; what this call has made is removed again" : "");
		if (succeeded)
			run_call_undelivered(&session->run, &err);
		log_error(session->log, "%s", err.message);
		return 1;
	}
	if (succeeded)
		run_call_delivered(&session->run);
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
		.options = options,
		.log = setup->runtime->log,
		.run = { .setup = setup, .config_path = options->config_path },
	};

	int status = serve(&session);
	run_call_end(&session.run);
	return status;
}
