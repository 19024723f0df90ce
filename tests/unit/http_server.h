/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP server inside a unit test, on 127.0.0.1 and a port of the system's choice. It reads requests; a function
 * of the test writes the answers, right or wrong, byte by byte if it likes. */
#ifndef TESTS_UNIT_HTTP_SERVER_H
#define TESTS_UNIT_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct http_server;

struct http_server_request {
	unsigned number;     /* counted from 0 over all connections */
	unsigned connection; /* likewise */
	const char *text;    /* request line, headers and body as they came, NUL-terminated */
	int fd;              /* for the answer */
};

/* Called in a thread of the server's. true keeps the connection open for the next request. */
typedef bool (*http_server_answer)(struct http_server *server, const struct http_server_request *request,
				   void *context);

/* Ends the test on failure. */
struct http_server *http_server_start(http_server_answer answer, void *context);
/* Ends all connections and threads; the port then refuses. */
void http_server_stop(struct http_server *server);
/* "http://127.0.0.1:PORT" followed by path; the text is the server's until the next call. */
const char *http_server_url(struct http_server *server, const char *path);
unsigned http_server_requests(struct http_server *server);

/* For answers. */
void http_server_send(const struct http_server_request *request, const char *text);
/* Waits until the other side is gone or the server stops. */
void http_server_hang(const struct http_server_request *request);
/* Ends the connection with a reset instead of an orderly close. */
void http_server_reset(const struct http_server_request *request);

#endif
