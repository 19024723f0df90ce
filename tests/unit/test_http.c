/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP exchanges with a server that behaves, and with servers that do not. TLS has a test of its own
 * (test_http_tls.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/http.h"
#include "common/parallel.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/gather.h"
#include "tests/unit/http_server.h"

struct fixture {
	struct http_transport http;
	struct arena *arena;
	struct cancel cancel;
	struct http_response response;
	struct error err;
};

static int set_up(void **state)
{
	static const char *const variables[] = { "http_proxy", "https_proxy", "HTTP_PROXY",  "HTTPS_PROXY",
						 "all_proxy",  "ALL_PROXY",   "no_proxy",    "NO_PROXY" };
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	if (fixture == NULL || http_open(&fixture->http, NULL) != 0 || cancel_open(&fixture->cancel, NULL) != 0)
		return -1;
	fixture->arena = arena_new(10 * 1024 * 1024);
	*state = fixture;
	return fixture->arena == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	http_close(&fixture->http);
	arena_free(fixture->arena);
	cancel_close(&fixture->cancel);
	free(fixture);
	return 0;
}

static int perform(struct fixture *fixture, const struct http_request *request)
{
	fixture->err = (struct error){ .kind = ERROR_NONE };
	fixture->response = (struct http_response){ .status = 4711 };
	int done = fixture->http.perform(fixture->http.self, request, &fixture->cancel, fixture->arena,
					 &fixture->response, &fixture->err);
	if (done != 0)
		assert_int_equal(fixture->response.status, 4711);
	return done;
}

static int get(struct fixture *fixture, const char *url)
{
	struct http_request request = { .method = "GET", .url = url, .max_answer = 100000 };

	return perform(fixture, &request);
}

/* Sends a fixed text and closes. */
static bool say(struct http_server *server, const struct http_server_request *request, void *context)
{
	(void)server;
	http_server_send(request, context);
	return false;
}

static int get_said(struct fixture *fixture, const char *answer)
{
	struct http_server *server = http_server_start(say, (void *)(uintptr_t)answer);

	int done = get(fixture, http_server_url(server, "/"));
	http_server_stop(server);
	return done;
}

static void an_answer(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_said(fixture, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One:  a b \r\nx-one: second\r\n"
					   "Empty:\r\n\r\nhello"), 0);
	assert_int_equal(fixture->response.status, 200);
	assert_string_equal(fixture->response.body, "hello");
	assert_int_equal(fixture->response.body_len, 5);
	assert_int_equal(fixture->response.n_headers, 4);
	assert_string_equal(http_header_value(&fixture->response, "X-ONE"), "a b");
	assert_string_equal(http_header_value(&fixture->response, "empty"), "");
	assert_null(http_header_value(&fixture->response, "x-on"));
}

/* Any status is an answer. */
static void answers_of_any_status(void **state)
{
	static const struct {
		const char *answer;
		int status;
		const char *body;
	} rows[] = {
		{ "HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nbusy", 503, "busy" },
		{ "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", 400, "" },
		{ "HTTP/1.1 204 None\r\n\r\n", 204, "" },
		{ "HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end" },
		{ "HTTP/1.0 200 OK\r\n\r\nold", 200, "old" },
		{ "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, "x" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 200, "abcde" },
		{ "HTTP/1.1 100 Continue\r\nOnly-Then: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x" },
		/* not followed: the server's second answer would be needed for that, and there is none */
		{ "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302, "" },
		{ "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", 401, "" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (get_said(fixture, rows[i].answer) != 0)
			fail_msg("row %zu: %s", i, fixture->err.message);
		assert_int_equal(fixture->response.status, rows[i].status);
		assert_string_equal(fixture->response.body, rows[i].body);
		assert_null(http_header_value(&fixture->response, "Only-Then"));
	}
}

static void cut_and_garbled_answers(void **state)
{
	static const char *const rows[] = {
		"",
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"\r\n\r\n<html>",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (get_said(fixture, rows[i]) == 0)
			fail_msg("row %zu was taken", i);
		if (fixture->err.kind != ERROR_NETWORK || !fixture->err.retryable)
			fail_msg("row %zu: %s", i, fixture->err.message);
		assert_non_null(strstr(fixture->err.message, "cannot reach http://127.0.0.1:"));
	}
}

static bool reset(struct http_server *server, const struct http_server_request *request, void *context)
{
	(void)server;
	if (context != NULL)
		http_server_send(request, context);
	http_server_reset(request);
	return false;
}

static void resets(void **state)
{
	static char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
	char *const rows[] = { NULL, half };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 2; i++) {
		struct http_server *server = http_server_start(reset, rows[i]);
		assert_int_equal(get(fixture, http_server_url(server, "/")), -1);
		assert_int_equal(fixture->err.kind, ERROR_NETWORK);
		assert_true(fixture->err.retryable);
		http_server_stop(server);
	}
}

static void refused(void **state)
{
	struct fixture *fixture = *state;
	char url[100];

	struct http_server *server = http_server_start(say, NULL);
	snprintf(url, sizeof(url), "%s", http_server_url(server, "/secret-path?secret-query"));
	http_server_stop(server);
	assert_int_equal(get(fixture, url), -1);
	assert_int_equal(fixture->err.kind, ERROR_NETWORK);
	assert_true(fixture->err.retryable);
	assert_non_null(strstr(fixture->err.message, "cannot reach http://127.0.0.1:"));
	assert_non_null(strstr(fixture->err.message, "Connection refused"));
	assert_null(strstr(fixture->err.message, "secret"));
}

static void unusable_urls(void **state)
{
	static const char *const rows[] = { "", "nonsense", "http://", "ftp://127.0.0.1/", "file:///etc/passwd",
					    "http://a b/", "http://user:hush@127.0.0.1:99999/" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (get(fixture, rows[i]) == 0)
			fail_msg("%s was taken", rows[i]);
		assert_int_equal(fixture->err.kind, ERROR_NETWORK);
		assert_false(fixture->err.retryable);
		assert_non_null(strstr(fixture->err.message, "not a usable http or https URL"));
		assert_null(strstr(fixture->err.message, "hush"));
	}
}

/* .invalid never resolves (RFC 6761). A resolver that is just being restarted looks the same. */
static void unknown_name(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get(fixture, "http://user:hush@no-such-host.invalid/"), -1);
	assert_int_equal(fixture->err.kind, ERROR_NETWORK);
	assert_true(fixture->err.retryable);
	assert_non_null(strstr(fixture->err.message, "http://no-such-host.invalid:80"));
	assert_non_null(strstr(fixture->err.message, "name servers"));
	assert_null(strstr(fixture->err.message, "hush"));
}

static bool hang(struct http_server *server, const struct http_server_request *request, void *context)
{
	(void)server;
	if (context != NULL)
		http_server_send(request, context);
	http_server_hang(request);
	return false;
}

static void time_out(void **state)
{
	static char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
	char *const rows[] = { NULL, half };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 2; i++) {
		struct http_server *server = http_server_start(hang, rows[i]);
		struct http_request request = { .method = "GET", .timeout_ms = 100, .max_answer = 100 };
		request.url = http_server_url(server, "/");
		assert_int_equal(perform(fixture, &request), -1);
		assert_int_equal(fixture->err.kind, ERROR_TIMEOUT);
		assert_true(fixture->err.retryable);
		assert_non_null(strstr(fixture->err.message, "no answer in time from http://127.0.0.1:"));
		http_server_stop(server);
	}
}

/* Nothing moves: that is noticed long before the whole exchange's time is over. */
static void stalled(void **state)
{
	static char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
	struct fixture *fixture = *state;
	struct http_server *server = http_server_start(hang, half);
	struct http_request request = { .method = "GET", .timeout_ms = 3600000, .stall_ms = 1, .max_answer = 100 };

	request.url = http_server_url(server, "/");
	assert_int_equal(perform(fixture, &request), -1);
	assert_int_equal(fixture->err.kind, ERROR_TIMEOUT);
	assert_true(fixture->err.retryable);
	http_server_stop(server);
}

static struct cancel *for_handler;

static void on_signal(int signal)
{
	cancel_raise(for_handler, signal);
}

/* Signals the thread that waits for the answer. */
static bool raise_and_hang(struct http_server *server, const struct http_server_request *request, void *context)
{
	(void)server;
	pthread_kill(*(pthread_t *)context, SIGUSR1);
	http_server_hang(request);
	return false;
}

/* Without the cancellation this would take the minute of the default time-out. */
static void cancelled_while_it_hangs(void **state)
{
	struct fixture *fixture = *state;
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t self = pthread_self();

	for_handler = &fixture->cancel;
	sigaction(SIGUSR1, &action, NULL);
	struct http_server *server = http_server_start(raise_and_hang, &self);

	assert_int_equal(get(fixture, http_server_url(server, "/")), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
	/* and not even begun while it stands */
	assert_int_equal(get(fixture, http_server_url(server, "/")), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
	assert_int_equal(http_server_requests(server), 1);
	http_server_stop(server);
	/* the transport is still good for the clean-up */
	cancel_clear(&fixture->cancel);
	assert_int_equal(get_said(fixture, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), 0);
}

static bool in_pieces(struct http_server *server, const struct http_server_request *request, void *context)
{
	(void)server;
	for (const char *from = context; *from != '\0'; from++) {
		char one[2] = { *from, '\0' };
		http_server_send(request, one);
		if (*from == '\n')
			usleep(1000); /* so that not all arrives at once */
	}
	return false;
}

static void split_in_pieces(void **state)
{
	static char answer[] = "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
	struct fixture *fixture = *state;
	struct http_server *server = http_server_start(in_pieces, answer);

	assert_int_equal(get(fixture, http_server_url(server, "/")), 0);
	assert_string_equal(fixture->response.body, "hello!");
	assert_string_equal(http_header_value(&fixture->response, "a"), "b");
	http_server_stop(server);
}

static char *answer_with(size_t n_headers, size_t value_len, size_t body_len, bool with_length)
{
	char *answer = calloc(1, 1000 + n_headers * (value_len + 40) + body_len);
	char *to = answer;

	assert_non_null(answer);
	to += snprintf(to, 100, "HTTP/1.1 200 OK\r\n");
	for (size_t i = 0; i < n_headers; i++) {
		to += snprintf(to, 40, "X-Number-%zu: ", i);
		memset(to, 'v', value_len);
		to += value_len;
		to += snprintf(to, 3, "\r\n");
	}
	if (with_length)
		to += snprintf(to, 100, "Content-Length: %zu\r\n", body_len);
	to += snprintf(to, 3, "\r\n");
	memset(to, 'b', body_len);
	return answer;
}

static void sizes(void **state)
{
	static const struct {
		size_t n_headers;
		size_t value_len;
		size_t body_len;
		bool with_length;
		enum error_kind kind;
	} rows[] = {
		{ 100, 10, 10, true, ERROR_NONE },	 { 250, 10, 10, true, ERROR_NONE },
		{ 300, 10, 10, true, ERROR_TOO_BIG },	 { 1, 30000, 10, true, ERROR_NONE },
		{ 5, 20000, 10, true, ERROR_TOO_BIG },	 { 1, 70000, 10, true, ERROR_TOO_BIG },
		{ 0, 0, 100000, true, ERROR_NONE },	 { 0, 0, 100001, true, ERROR_TOO_BIG },
		{ 0, 0, 100000, false, ERROR_NONE },	 { 0, 0, 100001, false, ERROR_TOO_BIG },
		{ 0, 0, 3000000, false, ERROR_TOO_BIG },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *answer = answer_with(rows[i].n_headers, rows[i].value_len, rows[i].body_len, rows[i].with_length);
		int done = get_said(fixture, answer);
		free(answer);
		if (fixture->err.kind != rows[i].kind)
			fail_msg("row %zu: %s", i, fixture->err.message);
		assert_int_equal(done, rows[i].kind == ERROR_NONE ? 0 : -1);
		if (done == 0)
			assert_int_equal(fixture->response.body_len, rows[i].body_len);
		if (done == 0)
			assert_true(fixture->response.n_headers >= rows[i].n_headers);
	}
	assert_non_null(strstr(fixture->err.message, "larger than 100000 bytes"));
}

/* Sends the request back as the answer's body. */
static bool echo(struct http_server *server, const struct http_server_request *request, void *context)
{
	char head[100];

	(void)server;
	(void)context;
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection-Number: %u\r\n\r\n",
		 strlen(request->text), request->connection);
	http_server_send(request, head);
	http_server_send(request, request->text);
	return true;
}

static void requests_are_what_was_asked(void **state)
{
	static const struct http_header headers[] = {
		{ "X-Amz-Date", "20260131T102030Z" }, { "Authorization", "AWS4-HMAC-SHA256 Credential=x" }, { "X-Empty", "" }
	};
	struct fixture *fixture = *state;
	struct http_server *server = http_server_start(echo, NULL);
	struct http_request request = { .method = "POST", .headers = headers, .n_headers = 3, .body = "Action=x",
					.body_len = 8, .max_answer = 10000 };

	request.url = http_server_url(server, "/a/../b%2F?q=%20");
	assert_int_equal(perform(fixture, &request), 0);
	const char *sent = fixture->response.body;
	assert_int_equal(strncmp(sent, "POST /a/../b%2F?q=%20 HTTP/1.1\r\nHost: 127.0.0.1:", 45), 0);
	assert_non_null(strstr(sent, "\r\nX-Amz-Date: 20260131T102030Z\r\n"));
	assert_non_null(strstr(sent, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x\r\n"));
	assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(sent, "\r\nContent-Length: 8\r\n"));
	assert_string_equal(strstr(sent, "\r\n\r\n"), "\r\n\r\nAction=x");
	assert_null(strcasestr(sent, "Content-Type"));
	assert_null(strcasestr(sent, "Expect"));
	assert_null(strcasestr(sent, "Accept-Encoding"));
	assert_null(strcasestr(sent, "Cookie"));

	/* a body too large for one piece, with "Expect: 100-continue" where curl would ask for it */
	static char large[1100000];
	memset(large, 'z', sizeof(large));
	request = (struct http_request){ .method = "PUT", .body = large, .body_len = sizeof(large),
					 .url = http_server_url(server, "/"), .max_answer = 1200000 };
	assert_int_equal(perform(fixture, &request), 0);
	assert_int_equal(strncmp(fixture->response.body, "PUT / HTTP/1.1\r\n", 16), 0);
	assert_null(strcasestr(fixture->response.body, "Expect"));
	assert_memory_equal(fixture->response.body + fixture->response.body_len - sizeof(large), large, sizeof(large));

	request = (struct http_request){ .method = "PUT", .url = http_server_url(server, "/"), .max_answer = 10000 };
	assert_int_equal(perform(fixture, &request), 0);
	assert_non_null(strstr(fixture->response.body, "\r\nContent-Length: 0\r\n"));
	request.method = "DELETE";
	assert_int_equal(perform(fixture, &request), 0);
	assert_int_equal(strncmp(fixture->response.body, "DELETE / HTTP/1.1\r\n", 19), 0);
	/* all on one connection */
	assert_string_equal(http_header_value(&fixture->response, "Connection-Number"), "0");
	http_server_stop(server);
}

static void line_breaks_in_headers(void **state)
{
	static const struct http_header rows[] = { { "X-A", "hush\r\nX-B: c" }, { "X-A\nX-B", "hush" }, { "X:Y", "hush" } };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request = { .method = "GET", .url = "http://127.0.0.1:1/", .headers = &rows[i],
						.n_headers = 1, .max_answer = 10 };
		assert_int_equal(perform(fixture, &request), -1);
		assert_int_equal(fixture->err.kind, ERROR_INTERNAL);
		assert_null(strstr(fixture->err.message, "hush"));
	}
}

static bool once_per_connection(struct http_server *server, const struct http_server_request *request, void *context)
{
	(void)server;
	(void)context;
	if (request->number == 0) {
		http_server_send(request, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
		return true;
	}
	return false; /* the second one is read, and the connection closed without an answer */
}

/* What creates something must not be sent a second time unknown to the caller. */
static void a_lost_answer_is_not_repeated(void **state)
{
	static const char *const bodies[] = { "Action=CreateSnapshot", "" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct http_server *server = http_server_start(once_per_connection, NULL);
		struct http_request request = { .method = "GET", .max_answer = 100 };
		request.url = http_server_url(server, "/");
		assert_int_equal(perform(fixture, &request), 0);
		request.method = "POST";
		request.body = bodies[i];
		request.body_len = strlen(bodies[i]);
		assert_int_equal(perform(fixture, &request), -1);
		assert_int_equal(fixture->err.kind, ERROR_NETWORK);
		assert_true(fixture->err.retryable);
		assert_int_equal(http_server_requests(server), 2);
		http_server_stop(server);
	}
}

static void proxies(void **state)
{
	struct fixture *fixture = *state;
	struct http_server *server = http_server_start(echo, NULL);
	struct http_request request = { .method = "GET", .url = "http://169.254.169.254/x", .max_answer = 10000 };

	setenv("http_proxy", http_server_url(server, ""), 1);
	assert_int_equal(perform(fixture, &request), 0);
	assert_int_equal(strncmp(fixture->response.body, "GET http://169.254.169.254/x HTTP/1.1\r\n", 39), 0);

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	request.no_proxy = true;
	request.url = http_server_url(server, "/direct");
	assert_int_equal(perform(fixture, &request), 0);
	assert_int_equal(strncmp(fixture->response.body, "GET /direct HTTP/1.1\r\n", 22), 0);
	http_server_stop(server);
}

/* Nobody is there; and one who does not let us through, with CONNECT as well as without. */
static void proxies_in_the_way(void **state)
{
	static const struct {
		const char *answer;
		const char *words;
		bool retryable;
	} rows[] = {
		{ "HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n", "status 407; put USER:PASSWORD@", false },
		{ "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n", "status 403; have the proxy allow", false },
		{ "HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", "status 429", true },
		{ "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", "status 503", true },
	};
	struct fixture *fixture = *state;

	setenv("http_proxy", "http://user:hush@127.0.0.1:1", 1);
	static const char *const origins[] = { "http://127.0.0.1:2/", "http://[::1]:1/", "http://127.0.0.2:1/" };
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		assert_int_equal(get(fixture, origins[i]), -1);
		assert_true(fixture->err.retryable);
		assert_non_null(strstr(fixture->err.message, "cannot reach the proxy of http_proxy or https_proxy"));
		assert_null(strstr(fixture->err.message, "hush"));
	}
	unsetenv("http_proxy");
	assert_int_equal(get(fixture, "http://[::1]:1/"), -1);
	assert_null(strstr(fixture->err.message, "proxy"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_server *server = http_server_start(say, (void *)(uintptr_t)rows[i].answer);
		setenv("https_proxy", http_server_url(server, ""), 1);
		assert_int_equal(get(fixture, "https://127.0.0.1:1/"), -1);
		unsetenv("https_proxy");
		http_server_stop(server);
		assert_int_equal(fixture->err.kind, ERROR_NETWORK);
		assert_int_equal(fixture->err.retryable, rows[i].retryable);
		if (strstr(fixture->err.message, rows[i].words) == NULL)
			fail_msg("%s", fixture->err.message);
	}
}

/* A proxy's password stands in its URL, and curl would quote it. */
static void a_bad_proxy_is_not_quoted(void **state)
{
	static const char *const rows[] = { "http://user:hush@no-such-host.invalid:3128", "http://user:hush@:bad:port",
					    "gopher://user:hush@127.0.0.1:1", "http://user:hush@127.0.0.1:99999" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv("http_proxy", rows[i], 1);
		assert_int_equal(get(fixture, "http://127.0.0.1:1/"), -1);
		assert_int_equal(fixture->err.kind, ERROR_NETWORK);
		if (strstr(fixture->err.message, "hush") != NULL)
			fail_msg("%s", fixture->err.message);
	}
}

#define THREADS 6

/* One thread's exchange, and what came of it. */
struct asking {
	struct fixture *fixture;
	const char *url;
	char body[64]; /* sent, and to come back */
	struct http_response response;
	struct error err;
	int result;
};

static int ask(void *self, struct error *err)
{
	struct asking *asking = self;
	struct http_request request = { .method = "POST", .url = asking->url, .body = asking->body,
					.body_len = strlen(asking->body), .max_answer = 10000 };
	struct http_transport *http = &asking->fixture->http;

	(void)err;
	asking->result = http->perform(http->self, &request, &asking->fixture->cancel, asking->fixture->arena,
				       &asking->response, &asking->err);
	return 0;
}

/* Asks the servers in turn, all at the same time. */
static void ask_all(struct fixture *fixture, struct http_server *const *servers, size_t n_servers,
		    struct asking *askings)
{
	struct parallel_task tasks[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		askings[i] = (struct asking){ .fixture = fixture };
		askings[i].url = arena_strdup(fixture->arena, http_server_url(servers[i % n_servers], "/"));
		snprintf(askings[i].body, sizeof(askings[i].body), "body of thread %u", i);
		tasks[i] = (struct parallel_task){ ask, &askings[i] };
	}
	assert_int_equal(parallel_run(tasks, THREADS, NULL), 0);
}

static unsigned connection_of(const struct http_response *response)
{
	return (unsigned)strtoul(http_header_value(response, "Connection-Number"), NULL, 10);
}

/* Answers when a whole round of requests has come. */
static bool echo_together(struct http_server *server, const struct http_server_request *request, void *context)
{
	struct gather *gather = context;
	/* of the second round, the first comes after the last of the first round */
	unsigned round = gather_count(gather) / THREADS + 1;

	return gather_meet(gather, round * THREADS) && echo(server, request, NULL);
}

static void several_at_the_same_time(void **state)
{
	struct fixture *fixture = *state;
	struct gather gather = GATHER_INIT;
	struct http_server *server = http_server_start(echo_together, &gather);
	struct asking askings[THREADS];

	for (unsigned round = 0; round < 3; round++) {
		unsigned taken[THREADS] = { 0 };
		ask_all(fixture, &server, 1, askings);
		for (unsigned i = 0; i < THREADS; i++) {
			if (askings[i].result != 0)
				fail_msg("%s", askings[i].err.message);
			assert_non_null(strstr(askings[i].response.body, askings[i].body));
			/* the connections of the first round, each used by one at a time */
			assert_in_range(connection_of(&askings[i].response), 0, THREADS - 1);
			taken[connection_of(&askings[i].response)]++;
		}
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(taken[i], 1);
	}
	http_server_stop(server);
}

/* Each finds the connections to its own server again. */
static void several_servers(void **state)
{
	struct fixture *fixture = *state;
	struct gather gather = GATHER_INIT;
	struct http_server *servers[2] = { http_server_start(echo_together, &gather),
					   http_server_start(echo_together, &gather) };
	struct asking askings[THREADS];

	for (unsigned round = 0; round < 5; round++) {
		ask_all(fixture, servers, 2, askings);
		for (unsigned i = 0; i < THREADS; i++) {
			assert_int_equal(askings[i].result, 0);
			assert_in_range(connection_of(&askings[i].response), 0, THREADS / 2 - 1);
		}
	}
	http_server_stop(servers[0]);
	http_server_stop(servers[1]);
}

/* Signals the process when all are waiting for their answers. */
static bool raise_when_all_hang(struct http_server *server, const struct http_server_request *request, void *context)
{
	(void)server;
	if (gather_meet(context, THREADS) && request->number == THREADS - 1)
		cancel_raise(for_handler, SIGTERM);
	http_server_hang(request);
	return false;
}

static void cancelled_while_several_hang(void **state)
{
	struct fixture *fixture = *state;
	struct gather gather = GATHER_INIT;
	struct asking askings[THREADS];

	for_handler = &fixture->cancel;
	struct http_server *server = http_server_start(raise_when_all_hang, &gather);
	ask_all(fixture, &server, 1, askings);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(askings[i].result, -1);
		assert_int_equal(askings[i].err.kind, ERROR_CANCELLED);
	}
	assert_int_equal(http_server_requests(server), THREADS);
	http_server_stop(server);
}

static void no_memory(void **state)
{
	static char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello";
	struct fixture *fixture = *state;
	struct http_transport http;

	fail_alloc_after(0);
	assert_int_equal(http_open(&http, &fixture->err), -1);
	assert_true(fail_alloc_off());
	assert_int_equal(fixture->err.kind, ERROR_NOMEM);

	/* the answer's texts are the arena's: with every size too small it fails, and never half */
	for (size_t size = 0;; size += 16) {
		CLEANUP_ARENA struct arena *small = arena_new(size);
		struct arena *large = fixture->arena;
		fixture->arena = small;
		int done = get_said(fixture, answer);
		fixture->arena = large;
		if (done == 0)
			break;
		assert_int_equal(fixture->err.kind, ERROR_NOMEM);
	}
	assert_int_equal(fixture->response.status, 200);
}

static void closed_twice(void **state)
{
	struct http_transport http;

	(void)state;
	assert_int_equal(http_open(&http, NULL), 0);
	http_close(&http);
	http_close(&http);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer),
		TEST(answers_of_any_status),
		TEST(cut_and_garbled_answers),
		TEST(resets),
		TEST(refused),
		TEST(unusable_urls),
		TEST(unknown_name),
		TEST(time_out),
		TEST(stalled),
		TEST(cancelled_while_it_hangs),
		TEST(split_in_pieces),
		TEST(sizes),
		TEST(requests_are_what_was_asked),
		TEST(line_breaks_in_headers),
		TEST(a_lost_answer_is_not_repeated),
		TEST(proxies),
		TEST(proxies_in_the_way),
		TEST(a_bad_proxy_is_not_quoted),
		TEST(several_at_the_same_time),
		TEST(several_servers),
		TEST(cancelled_while_several_hang),
		TEST(no_memory),
		TEST(closed_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
