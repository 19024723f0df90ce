/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP exchanges on libcurl, several at a time where several threads ask. The transport is a table of one function, so that tests can take its place.
 * Knows nothing of retries, signing or AWS. Redirects are never followed and curl is never verbose: signed requests
 * would carry their credentials along. TLS is always verified, 1.2 at least. */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/cancel.h"
#include "common/error.h"

struct http_header {
	const char *name;
	const char *value;
};

struct http_request {
	const char *method; /* "GET", "POST", "PUT", "DELETE" */
	const char *url;    /* absolute, http or https */
	const struct http_header *headers;
	size_t n_headers;
	const void *body; /* NULL: none */
	size_t body_len;
	size_t max_answer;          /* bytes of body that are taken; more is ERROR_TOO_BIG */
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t timeout_ms;         /* for the whole exchange; 0: 60 s */
	int64_t stall_ms;           /* ERROR_TIMEOUT when nothing moves for so long, either way; 0: not watched. Seconds count */
	const char *ca_file;        /* NULL: the system's */
	bool no_proxy;              /* true for instance metadata */
};

struct http_response {
	int status;
	const struct http_header *headers;
	size_t n_headers;
	const char *body; /* NUL-terminated, never NULL */
	size_t body_len;
};

struct http_transport {
	/* Any thread may call it at any time. 0 and an answer of any status (in the arena), or -1: ERROR_NETWORK (retryable set unless TLS refused the other
	 * side, or a proxy did, or the URL is unusable), ERROR_TIMEOUT (retryable), ERROR_CANCELLED, ERROR_TOO_BIG.
	 * A body shorter than its Content-Length is ERROR_NETWORK, never a short answer. */
	int (*perform)(void *self, const struct http_request *request, const struct cancel *cancel,
		       struct arena *arena, struct http_response *ret_response, struct error *err);
	void (*close)(void *self);
	void *self;
};

/* The real one. Connections are kept for further exchanges with the same host. Nothing is opened, and libcurl not woken,
 * before the first exchange. http_close frees it, when no exchange runs any more. */
int http_open(struct http_transport *ret_transport, struct error *err);
void http_close(struct http_transport *transport);
/* For a library's sake, of one that http_open has made: an exchange that ends while a name is still being looked up waits for
 * that, however long it takes, so that no thread of libcurl's is left behind. */
void http_wait_for_look_ups(struct http_transport *transport);
/* Gives back what the first exchange of the process has set up in libcurl. Nothing is done while a transport is open, as in a process
 * that ends in the middle of an exchange. The next exchange of all sets it up again as well as libcurl can. */
void http_forget(void);
/* The value of the first header of that name (case does not matter), NULL when there is none. */
const char *http_header_value(const struct http_response *response, const char *name);

#endif
