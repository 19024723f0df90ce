/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Signature Version 4: a pure function of request, credentials and time. Sends nothing and reads no clock.
 * Fact: "Create a signed AWS API request", AWS Identity and Access Management User Guide. */
#ifndef CPI_AWS_SIGV4_H
#define CPI_AWS_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/http.h"

/* For payload_sha256 where the body is not part of the signature. */
#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

struct sigv4_credentials {
	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token; /* NULL: none */
};

struct sigv4_request {
	const char *method;
	const char *path;  /* as it goes over the wire, percent-encoded; "" is "/" */
	const char *query; /* likewise, without the "?"; NULL or "": none */
	/* Must hold Host. All are signed but those that others on the way may change (User-Agent, Expect …). */
	const struct http_header *headers;
	size_t n_headers;
	const void *body;
	size_t body_len;
	const char *payload_sha256; /* NULL: of the body; else put in as it is */
	const char *service;        /* "ec2" */
	const char *region;
	int64_t time; /* seconds since 1970, UTC */
};

#define SIGV4_MAX_HEADERS 3

/* The headers to send in addition: X-Amz-Date, X-Amz-Security-Token where there is a token, Authorization. */
struct sigv4_headers {
	struct http_header items[SIGV4_MAX_HEADERS];
	size_t count;
};

/* Texts of the result are in the arena. ERROR_TOO_BIG when URL and headers are over 1 MiB; ERROR_NOMEM; ERROR_INTERNAL
 * when OpenSSL refuses. */
int sigv4_sign(const struct sigv4_request *request, const struct sigv4_credentials *credentials, struct arena *arena,
	       struct sigv4_headers *ret_headers, struct error *err);

/* text percent-encoded into out, all but letters, digits and -_.~ (and the characters of also_safe). */
struct buf;
void sigv4_encode(struct buf *out, const char *text, const char *also_safe);

#endif
