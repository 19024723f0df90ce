/* SPDX-License-Identifier: Apache-2.0 */
/* From an action and its parameters to a body, and from XML back. Signing and sending are attempt.c's. */
#include "cpi/aws/query.h"

#include <stdio.h>
#include <string.h>

#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

static int write_body(const struct aws_call *call, struct arena *scratch, const char **ret_body, struct error *err)
{
	/* action and version are our own constants and need no encoding */
	const char *params = "";

	if (call->params != NULL) {
		if (buf_check(&call->params->body, "the call's list of parameters", err) != 0)
			return error_prefix(err, "%s", call->action);
		params = buf_text(&call->params->body);
	}
	*ret_body = arena_printf(scratch, "Action=%s&Version=%s%s", call->action, call->service->version, params);
	return *ret_body == NULL ? error_nomem(err) : 0;
}

/* A 2xx answer must be this action's: a proxy's page read as a list would say that nothing exists. */
static int read_success(const struct aws_call *call, const struct http_response *response, struct arena *arena,
			const struct xml_node **ret_root, struct error *err)
{
	const struct xml_node *root;
	size_t len = strlen(call->action);

	if (xml_parse(arena, response->body, response->body_len, &root, err) != 0) {
		if (err != NULL)
			err->retryable = err->kind == ERROR_INVALID;
		return error_prefix(err, "%s was answered with HTTP status %d and something that cannot be read",
				    call->action, response->status);
	}
	if (strncmp(root->name, call->action, len) != 0 || strcmp(root->name + len, "Response") != 0) {
		error_set(err, ERROR_INVALID,
			  "%s was answered with HTTP status %d and a <%s>: check the endpoint, and proxies "
			  "on the way",
			  call->action, response->status, root->name);
		if (err != NULL)
			err->retryable = true;
		return -1;
	}
	*ret_root = root;
	return 0;
}

static void read_request_id(const struct xml_node *root, struct attempt_answer *answer)
{
	const char *id = xml_text(root, "requestId");

	if (id == NULL)
		id = xml_text(xml_child(root, "ResponseMetadata"), "RequestId");
	if (id != NULL && answer->request_id[0] == '\0')
		snprintf(answer->request_id, sizeof(answer->request_id), "%s", id);
}

int query_send(const struct attempt *attempt, struct arena *scratch, struct arena *arena,
	       struct attempt_answer *ret_answer, const struct xml_node **ret_root, struct error *err)
{
	const struct http_header type = { "Content-Type", CONTENT_TYPE };
	struct http_response response;
	const struct xml_node *root = NULL;
	const char *body;

	*ret_answer = (struct attempt_answer){ 0 };
	if (write_body(attempt->call, scratch, &body, err) != 0)
		return error_prefix(err, "%s failed", attempt->call->action);
	const struct attempt_request request = {
		.method = "POST",
		.path = "",
		.headers = &type,
		.n_headers = 1,
		.body = body,
		.body_len = strlen(body),
		.max_answer = XML_MAX_BYTES,
	};
	if (attempt_send(attempt, &request, scratch, ret_answer, &response, err) != 0 ||
	    read_success(attempt->call, &response, arena, &root, err) != 0)
		return -1;
	read_request_id(root, ret_answer);
	*ret_root = root;
	return 0;
}
