/* SPDX-License-Identifier: Apache-2.0 */
/* From an action and its parameters to bytes and back. Attempts, waits and the log line are client.c's. */
#include "cpi/aws/query.h"

#include <stdio.h>
#include <string.h>

#include "common/http.h"
#include "common/parse.h"
#include "cpi/aws/failure.h"
#include "cpi/aws/retry.h"
#include "cpi/aws/sigv4.h"

#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define USER_AGENT "bosh-aws-cpi/" CPI_VERSION
#define CONNECT_TIMEOUT_MS 10000
#define TIMEOUT_MS 60000
#define SHORTEST_TIMEOUT_MS 5000 /* time_scale shortens waits; the network does not get faster by it */

#define N_OWN_HEADERS 3

static int64_t scaled_timeout(const struct clock *clock, int64_t ms)
{
	int64_t scaled = (int64_t)((double)ms * clock->scale);

	return scaled < SHORTEST_TIMEOUT_MS ? SHORTEST_TIMEOUT_MS : scaled;
}

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

/* Without credentials there is nothing to add. */
static int sign(const struct query *query, const char *body, struct http_header *headers, struct arena *scratch,
		struct sigv4_headers *ret_added, struct error *err)
{
	struct sigv4_request request = {
		.method = "POST",
		.path = query->endpoint->path,
		.headers = headers,
		.n_headers = N_OWN_HEADERS,
		.body = body,
		.body_len = strlen(body),
		.service = query->call->service->name,
		.region = query->endpoint->region,
		.time = query->time,
	};
	struct sigv4_credentials credentials = {
		.access_key_id = query->credentials->access_key_id,
		.secret_access_key = query->credentials->secret_access_key,
		.session_token = query->credentials->session_token,
	};
	if (credentials.access_key_id == NULL) {
		ret_added->count = 0;
		return 0;
	}
	return sigv4_sign(&request, &credentials, scratch, ret_added, err);
}

static int exchange(const struct query *query, struct arena *scratch, struct http_response *ret_response,
		    struct error *err)
{
	struct http_header headers[N_OWN_HEADERS + SIGV4_MAX_HEADERS] = {
		{ "Host", query->endpoint->host },
		{ "Content-Type", CONTENT_TYPE },
		{ "User-Agent", USER_AGENT },
	};
	struct sigv4_headers added;
	const char *body;

	if (write_body(query->call, scratch, &body, err) != 0 ||
	    sign(query, body, headers, scratch, &added, err) != 0)
		return -1;
	memcpy(headers + N_OWN_HEADERS, added.items, added.count * sizeof(headers[0]));

	const struct clock *clock = query->runtime->clock;
	struct http_request request = {
		.method = "POST",
		.url = query->endpoint->url,
		.headers = headers,
		.n_headers = N_OWN_HEADERS + added.count,
		.body = body,
		.body_len = strlen(body),
		.max_answer = XML_MAX_BYTES,
		.connect_timeout_ms = scaled_timeout(clock, CONNECT_TIMEOUT_MS),
		.timeout_ms = scaled_timeout(clock, TIMEOUT_MS),
		.ca_file = query->ca_file,
	};
	struct http_transport *http = query->runtime->http;
	return http->perform(http->self, &request, query->runtime->cancel, scratch, ret_response, err);
}

static void read_headers(const struct query *query, const struct http_response *response, struct query_answer *answer)
{
	answer->status = response->status;
	snprintf(answer->request_id, sizeof(answer->request_id), "%s", failure_request_id(response));
	if (!parse_http_date(http_header_value(response, "date"), &answer->date))
		answer->date = 0;
	answer->retry_after = retry_after_ms(http_header_value(response, "retry-after"), query->time);
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

static void read_request_id(const struct xml_node *root, struct query_answer *answer)
{
	const char *id = xml_text(root, "requestId");

	if (id == NULL)
		id = xml_text(xml_child(root, "ResponseMetadata"), "RequestId");
	if (id != NULL && answer->request_id[0] == '\0')
		snprintf(answer->request_id, sizeof(answer->request_id), "%s", id);
}

int query_send(const struct query *query, struct arena *scratch, struct arena *arena, struct query_answer *ret_answer,
	       const struct xml_node **ret_root, struct error *err)
{
	const struct aws_call *call = query->call;
	struct http_response response;
	const struct xml_node *root = NULL;

	*ret_answer = (struct query_answer){ 0 };
	if (exchange(query, scratch, &response, err) != 0)
		return error_prefix(err, "%s failed", call->action);
	read_headers(query, &response, ret_answer);
	if (response.status < 200 || response.status > 299) {
		failure_from_answer(call->action, &response, scratch, &ret_answer->encoded_denial, err);
		if (err != NULL)
			snprintf(ret_answer->request_id, sizeof(ret_answer->request_id), "%s", err->aws_request_id);
		return -1;
	}
	if (read_success(call, &response, arena, &root, err) != 0)
		return -1;
	read_request_id(root, ret_answer);
	*ret_root = root;
	return 0;
}
