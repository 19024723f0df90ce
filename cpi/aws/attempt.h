/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a call, whatever form it has on the wire: signature, exchange, what an answer's headers say, and the failure
 * that an answer outside 2xx is. What goes into the body and comes out of it is query.c's and rest.c's. Repeats nothing. */
#ifndef CPI_AWS_ATTEMPT_H
#define CPI_AWS_ATTEMPT_H

#include "common/arena.h"
#include "common/error.h"
#include "common/http.h"
#include "common/runtime.h"
#include "cpi/aws/client.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/endpoint.h"

#define ATTEMPT_MAX_HEADERS 8

struct attempt {
	struct runtime *runtime;
	const struct aws_call *call;
	const struct endpoint *endpoint;
	const struct credentials *credentials; /* without an access key's id: the call is not signed */
	const char *ca_file;
	int64_t time; /* to sign with, seconds since 1970 */
};

struct attempt_request {
	const char *method;
	const char *path;  /* under the endpoint's: "/snapshots"; "": the endpoint itself */
	const char *query; /* without the "?"; NULL: none */
	const struct http_header *headers; /* at most ATTEMPT_MAX_HEADERS, beside Host and User-Agent; all signed */
	size_t n_headers;
	const void *body; /* NULL: none */
	size_t body_len;
	const char *payload_sha256; /* as in struct sigv4_request */
	size_t max_answer;
	/* 0: 60 s for the whole exchange. Else so long, as long as something moves every 60 s. */
	int64_t timeout_ms;
};

/* What came, also with an error. */
struct attempt_answer {
	int status;           /* 0: no whole answer */
	char request_id[80];  /* "" when there is none */
	int64_t date;         /* of the Date header, seconds since 1970; 0: none */
	int64_t retry_after;  /* milliseconds, 0: not said */
	const char *encoded_denial; /* failure_from_answer's, in scratch; NULL: none */
};

/* 0 and a 2xx answer, in scratch; -1 with ERROR_AWS or the transport's errors. *ret_answer is always filled. */
int attempt_send(const struct attempt *attempt, const struct attempt_request *request, struct arena *scratch,
		 struct attempt_answer *ret_answer, struct http_response *ret_response, struct error *err);

#endif
