/* SPDX-License-Identifier: Apache-2.0 */
/* How the payload counts in the signature, and who reads the answer. Signing and sending are attempt.c's; JSON is the
 * typed calls'. */
#include "cpi/aws/rest.h"

#include <string.h>
#include <strings.h>

#include "common/digest.h"
#include "cpi/aws/sigv4.h"

#define HASH_HEADER "X-Amz-Content-SHA256"

static bool is_https(const struct endpoint *endpoint)
{
	return strncasecmp(endpoint->url, "https:", strlen("https:")) == 0;
}

/* What stands for the payload in the signature. NULL: nothing is known yet. */
static const char *payload_of(const struct attempt *attempt, const struct aws_rest_call *call, char hex[SHA256_HEX_SIZE])
{
	/* over http nothing else would protect it on the way */
	if (call->unsigned_payload && is_https(attempt->endpoint))
		return SIGV4_UNSIGNED_PAYLOAD;
	if (call->body_sha256 == NULL)
		return NULL;
	digest_hex(call->body_sha256, SHA256_LEN, hex);
	return hex;
}

int rest_send(const struct attempt *attempt, const struct aws_rest_call *call, struct arena *scratch,
	      struct attempt_answer *ret_answer, struct error *err)
{
	struct http_header headers[ATTEMPT_MAX_HEADERS];
	struct http_response response;
	char hex[SHA256_HEX_SIZE];
	size_t n_headers = call->n_headers;

	*ret_answer = (struct attempt_answer){ 0 };
	if (n_headers >= ATTEMPT_MAX_HEADERS)
		return error_set(err, ERROR_INTERNAL, "%s has too many headers", attempt->call->action);
	if (n_headers > 0)
		memcpy(headers, call->headers, n_headers * sizeof(headers[0]));
	const char *payload = payload_of(attempt, call, hex);
	if (payload != NULL && payload != hex)
		headers[n_headers++] = (struct http_header){ HASH_HEADER, payload };
	const struct attempt_request request = {
		.method = call->method,
		.path = call->path,
		.query = call->query,
		.headers = headers,
		.n_headers = n_headers,
		.body = call->body,
		.body_len = call->body_len,
		.payload_sha256 = payload,
		.max_answer = REST_MAX_ANSWER,
		.timeout_ms = call->timeout_ms,
	};
	if (attempt_send(attempt, &request, scratch, ret_answer, &response, err) != 0)
		return -1;
	return call->read == NULL ? 0 : call->read(call->read_self, &response, err);
}
