/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON answer over HTTP, for the sources that ask a service: a few tries, all within a deadline, and nothing large.
 * Signs nothing; what a status means is the source's business. */
#ifndef CPI_AWS_CREDENTIALS_FETCH_H
#define CPI_AWS_CREDENTIALS_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http.h"
#include "common/json_read.h"
#include "cpi/aws/credentials/credentials.h"

#define FETCH_TRIES 3
#define FETCH_MAX_BYTES ((size_t)64 * 1024) /* of an answer; credentials take two or three thousand */

struct fetch {
	const char *what; /* who is asked, for messages: "the container's credentials service" */
	const char *action; /* of AWS's API, for the log's line of the call; NULL: it is not AWS that is called */
	const char *purpose;
	const char *method;
	const char *url;
	const struct http_header *headers;
	size_t n_headers;
	const char *body; /* NULL: none */
	int64_t timeout_ms; /* of one try */
	bool no_proxy;
	bool any_refusal_passes; /* every status but 200 is worth another try, not only 408, 429 and 5xx */
};

struct fetch_answer {
	int status;
	const struct json *root; /* an object; NULL where the body of a refusal is none */
	char code[96];           /* of a refusal, from x-amzn-errortype, __type, code or error; else "" */
	char request_id[80];     /* "" where there is none */
};

/* 0 and the last try's answer, of any status, its tree in the arena. -1 when there is none after all tries: ERROR_NETWORK,
 * ERROR_TIMEOUT, ERROR_TOO_BIG; ERROR_CONFIG for a 200 that is not a JSON object; at once for ERROR_CANCELLED. */
int fetch_json(const struct credentials_context *context, const struct fetch *fetch, struct fetch_answer *ret_answer,
	       struct error *err);
/* The error of a refusal, with what to do about it: ERROR_NETWORK and retryable where it passes, else ERROR_CONFIG. Quotes
 * nothing of the body but the code. */
int fetch_refused(const struct fetch *fetch, const struct fetch_answer *answer, const char *advice, struct error *err);

#endif
