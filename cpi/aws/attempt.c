/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/aws/attempt.h"

#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "cpi/aws/failure.h"
#include "cpi/aws/retry.h"
#include "cpi/aws/sigv4.h"

#define USER_AGENT "bosh-aws-cpi/" CPI_VERSION
#define CONNECT_TIMEOUT_MS 10000
#define TIMEOUT_MS 60000
#define SHORTEST_TIMEOUT_MS 5000 /* time_scale shortens waits; the network does not get faster by it */

#define N_OWN_HEADERS 2
#define MAX_HEADERS (N_OWN_HEADERS + ATTEMPT_MAX_HEADERS + SIGV4_MAX_HEADERS)

static int64_t scaled_timeout(const struct clock *clock, int64_t ms)
{
	int64_t scaled = (int64_t)((double)ms * clock->scale);

	return scaled < SHORTEST_TIMEOUT_MS ? SHORTEST_TIMEOUT_MS : scaled;
}

/* The endpoint's path or URL with ours behind it. */
static const char *join(struct arena *arena, const char *base, const char *path, const char *query)
{
	size_t len = strlen(base);

	if (*path == '/' && len > 0 && base[len - 1] == '/')
		len--;
	return arena_printf(arena, "%.*s%s%s%s", (int)len, base, path, query == NULL ? "" : "?",
			    query == NULL ? "" : query);
}

/* Without credentials there is nothing to add. */
static int sign(const struct attempt *attempt, const struct attempt_request *request, struct http_header *headers,
		size_t *n_headers, struct arena *scratch, struct error *err)
{
	struct sigv4_headers added;
	struct sigv4_request to_sign = {
		.method = request->method,
		.path = join(scratch, attempt->endpoint->path, request->path, NULL),
		.query = request->query,
		.headers = headers,
		.n_headers = *n_headers,
		.body = request->body,
		.body_len = request->body_len,
		.payload_sha256 = request->payload_sha256,
		.service = attempt->call->service->name,
		.region = attempt->endpoint->region,
		.time = attempt->time,
	};
	struct sigv4_credentials credentials = {
		.access_key_id = attempt->credentials->access_key_id,
		.secret_access_key = attempt->credentials->secret_access_key,
		.session_token = attempt->credentials->session_token,
	};
	if (credentials.access_key_id == NULL)
		return 0;
	if (to_sign.path == NULL)
		return error_nomem(err);
	if (sigv4_sign(&to_sign, &credentials, scratch, &added, err) != 0)
		return -1;
	memcpy(headers + *n_headers, added.items, added.count * sizeof(headers[0]));
	*n_headers += added.count;
	return 0;
}

static int exchange(const struct attempt *attempt, const struct attempt_request *request, struct arena *scratch,
		    struct http_response *ret_response, struct error *err)
{
	struct http_header headers[MAX_HEADERS] = { { "Host", attempt->endpoint->host }, { "User-Agent", USER_AGENT } };
	size_t n_headers = N_OWN_HEADERS + request->n_headers;
	const struct clock *clock = attempt->runtime->clock;
	struct http_transport *http = attempt->runtime->http;

	if (request->n_headers > ATTEMPT_MAX_HEADERS)
		return error_set(err, ERROR_INTERNAL, "too many headers");
	if (request->n_headers > 0)
		memcpy(headers + N_OWN_HEADERS, request->headers, request->n_headers * sizeof(headers[0]));
	const char *url = join(scratch, attempt->endpoint->url, request->path, request->query);
	if (url == NULL)
		return error_nomem(err);
	if (sign(attempt, request, headers, &n_headers, scratch, err) != 0)
		return -1;
	const int64_t whole_ms = request->timeout_ms == 0 ? TIMEOUT_MS : request->timeout_ms;
	const struct http_request sent = {
		.method = request->method,
		.url = url,
		.headers = headers,
		.n_headers = n_headers,
		.body = request->body,
		.body_len = request->body_len,
		.max_answer = request->max_answer,
		.connect_timeout_ms = scaled_timeout(clock, CONNECT_TIMEOUT_MS),
		.timeout_ms = scaled_timeout(clock, whole_ms),
		.stall_ms = request->timeout_ms == 0 ? 0 : scaled_timeout(clock, TIMEOUT_MS),
		.ca_file = attempt->ca_file,
	};
	return http->perform(http->self, &sent, attempt->runtime->cancel, scratch, ret_response, err);
}

static void read_headers(const struct attempt *attempt, const struct http_response *response,
			 struct attempt_answer *answer)
{
	answer->status = response->status;
	snprintf(answer->request_id, sizeof(answer->request_id), "%s", failure_request_id(response));
	if (!parse_http_date(http_header_value(response, "date"), &answer->date))
		answer->date = 0;
	answer->retry_after = retry_after_ms(http_header_value(response, "retry-after"), attempt->time);
}

int attempt_send(const struct attempt *attempt, const struct attempt_request *request, struct arena *scratch,
		 struct attempt_answer *ret_answer, struct http_response *ret_response, struct error *err)
{
	const struct aws_call *call = attempt->call;
	struct http_response response;

	*ret_answer = (struct attempt_answer){ 0 };
	if (exchange(attempt, request, scratch, &response, err) != 0)
		return error_prefix(err, "%s failed", call->action);
	read_headers(attempt, &response, ret_answer);
	if (response.status < 200 || response.status > 299) {
		failure_from_answer(call->action, &response, scratch, &ret_answer->encoded_denial, err);
		if (err != NULL)
			snprintf(ret_answer->request_id, sizeof(ret_answer->request_id), "%s", err->aws_request_id);
		return -1;
	}
	*ret_response = response;
	return 0;
}
