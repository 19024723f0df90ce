/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata client against a service of the test's own, by way of a transport that the test holds (and a clock, so
 * that a lost answer takes no time), and once over a real connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/http.h"
#include "common/imds.h"
#include "tests/unit/http_server.h"

#define DOCUMENT                                                                                                       \
	"{\"accountId\":\"1\",\"architecture\":\"x86_64\",\"availabilityZone\":\"us-east-1a\",\"imageId\":\"ami-1\","      \
	"\"instanceId\":\"i-0123456789abcdef0\",\"instanceType\":\"m5.large\",\"region\":\"us-east-1\",\"version\":\"x\"}"
#define TOKEN "AQAEAtoken=="

enum behaviour { ANSWER, TIME_OUT, REFUSE, CANCEL };

/* How the service behaves, and what it was asked. */
struct service {
	enum behaviour token_call;
	int token_status;
	const char *token; /* also the only one that a GET may bring */
	enum behaviour get_call;
	int get_status;    /* 0: 200, or 401 by the token */
	const char *body;
	size_t body_len;   /* 0: strlen(body) */
	bool v1_allowed;
	int busy;          /* that many answers are 503 first */
	int forget_after;  /* the token is forgotten after so many GETs; 0: never */

	int64_t longest_ms; /* set by hand: what one try may take; 0: the usual */
	int64_t now_ms;
	int64_t answer_takes_ms;
	int token_calls;
	int get_calls;
	char last_url[600];
	bool saw_proxy;
};

struct fixture {
	struct service service;
	struct clock clock;
	struct log log;
	struct http_transport http;
	struct runtime runtime;
	struct imds imds;
	struct arena *arena;
	struct error err;
	int log_read_fd;
	char logged[4096];
};

static int64_t monotonic(void *self)
{
	return ((struct service *)self)->now_ms;
}

static int64_t wall(void *self)
{
	return ((struct service *)self)->now_ms * 1000;
}

static int sleep_held(void *self, int64_t ms, const struct cancel *cancel, struct error *err)
{
	((struct service *)self)->now_ms += ms;
	return cancel_check(cancel, err);
}

static const char *header_of(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return NULL;
}

static int misbehave(struct service *service, enum behaviour behaviour, const struct http_request *request,
		     struct error *err)
{
	if (behaviour == TIME_OUT) {
		service->now_ms += request->timeout_ms;
		error_set(err, ERROR_TIMEOUT, "no answer in time");
	} else if (behaviour == CANCEL) {
		return error_set(err, ERROR_CANCELLED, "stopped by signal 15");
	} else {
		error_set(err, ERROR_NETWORK, "cannot reach it: Connection refused");
	}
	err->retryable = true;
	return -1;
}

static int answer(int status, const char *body, size_t len, struct http_response *ret_response)
{
	*ret_response = (struct http_response){ .status = status, .body = body, .body_len = len };
	return 0;
}

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	struct service *service = self;
	bool is_put = strcmp(request->method, "PUT") == 0;

	(void)cancel;
	(void)arena;
	snprintf(service->last_url, sizeof(service->last_url), "%s", request->url);
	service->saw_proxy |= !request->no_proxy;
	int64_t longest_ms = is_put ? IMDS_TOKEN_TIMEOUT_MS : IMDS_TIMEOUT_MS;
	int64_t connect_ms = request->timeout_ms > 1500 ? 1500 : request->timeout_ms;
	assert_in_range(request->timeout_ms, 1, service->longest_ms > 0 ? service->longest_ms : longest_ms);
	assert_in_range(request->connect_timeout_ms, 1, service->longest_ms > 0 ? service->longest_ms : connect_ms);
	if (is_put)
		service->token_calls++;
	else
		service->get_calls++;
	enum behaviour behaviour = is_put ? service->token_call : service->get_call;
	if (behaviour != ANSWER)
		return misbehave(service, behaviour, request, err);
	service->now_ms += service->answer_takes_ms;
	if (service->busy-- > 0)
		return answer(503, "", 0, ret_response);
	if (is_put) {
		assert_non_null(strstr(request->url, "/latest/api/token"));
		assert_string_equal(header_of(request, "X-aws-ec2-metadata-token-ttl-seconds"), "21600");
		return answer(service->token_status, service->token, strlen(service->token), ret_response);
	}
	const char *token = header_of(request, "X-aws-ec2-metadata-token");
	bool known = token == NULL ? service->v1_allowed : strcmp(token, service->token) == 0;
	if (!known && service->get_status == 0)
		return answer(401, "", 0, ret_response);
	if (service->forget_after > 0 && service->get_calls == service->forget_after)
		service->token = "another-token";
	return answer(service->get_status == 0 ? 200 : service->get_status, service->body,
		      service->body_len == 0 ? strlen(service->body) : service->body_len, ret_response);
}

static void clear_environment(void)
{
	unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	unsetenv("AWS_EC2_METADATA_V1_DISABLED");
	unsetenv("AWS_EC2_METADATA_DISABLED");
	unsetenv("AWS_METADATA_SERVICE_TIMEOUT");
	unsetenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS");
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fds[2];

	clear_environment();
	if (fixture == NULL || pipe(fds) != 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	fixture->service = (struct service){ .token_status = 200, .token = TOKEN, .body = "value", .now_ms = 1000 };
	fixture->clock = (struct clock){ monotonic, wall, sleep_held, &fixture->service, 0.01 };
	fixture->http = (struct http_transport){ .perform = perform, .self = &fixture->service };
	log_init(&fixture->log, fds[1], LOG_LEVEL_DEBUG, &fixture->clock);
	fixture->log_read_fd = fds[0];
	fixture->runtime = (struct runtime){ &fixture->log, &fixture->clock, NULL, &fixture->http };
	fixture->arena = arena_new(1024 * 1024);
	*state = fixture;
	return imds_init(&fixture->imds, &fixture->runtime, NULL, NULL);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	clear_environment();
	arena_free(fixture->arena);
	close(fixture->log_read_fd);
	close(fixture->log.fd);
	free(fixture);
	return 0;
}

static int get(struct fixture *fixture, const char **ret_text, bool *ret_found)
{
	fixture->err = (struct error){ .kind = ERROR_NONE };
	return imds_get(&fixture->imds, "/latest/meta-data/x", fixture->arena, ret_text, ret_found, &fixture->err);
}

static const char *logged(struct fixture *fixture)
{
	ssize_t n = read(fixture->log_read_fd, fixture->logged, sizeof(fixture->logged) - 1);

	fixture->logged[n > 0 ? n : 0] = '\0';
	return fixture->logged;
}

static void assert_text(struct fixture *fixture)
{
	const char *text = NULL;

	if (get(fixture, &text, NULL) != 0)
		fail_msg("%s", fixture->err.message);
	assert_string_equal(text, "value");
}

static void assert_metadata_error(struct fixture *fixture, const char *words)
{
	const char *text = "untouched";

	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(fixture->err.kind, ERROR_METADATA);
	assert_string_equal(text, "untouched");
	if (strstr(fixture->err.message, words) == NULL)
		fail_msg("%s", fixture->err.message);
	assert_null(strstr(fixture->err.message, TOKEN));
	/* a caller who wants no error gets none */
	assert_int_equal(imds_get(&fixture->imds, "/x", fixture->arena, &text, NULL, NULL), -1);
}

static void endpoints(void **state)
{
	static const struct {
		const char *argument;
		const char *variable;
		const char *mode;
		const char *expected; /* NULL: refused */
	} rows[] = {
		{ NULL, NULL, NULL, "http://169.254.169.254" },
		{ NULL, "", "", "http://169.254.169.254" },
		{ NULL, NULL, "IPv6", "http://[fd00:ec2::254]" },
		{ NULL, NULL, "ipv4", "http://169.254.169.254" },
		{ NULL, NULL, "IPv5", NULL },
		{ NULL, "http://127.0.0.1:1338/", "IPv6", "http://127.0.0.1:1338" },
		{ "https://other:1///", "http://127.0.0.1:1338", NULL, "https://other:1" },
		{ "http://h/prefix/", NULL, NULL, "http://h/prefix" },
		{ "169.254.169.254", NULL, NULL, NULL },
		{ "ftp://h", NULL, NULL, NULL },
		{ "http://", NULL, NULL, NULL },
		{ "http:///x", NULL, NULL, NULL },
		{ "http://user:hush@h", NULL, NULL, NULL },
		{ "http://h?x", NULL, NULL, NULL },
		{ "http://a b", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { .kind = ERROR_NONE };
		struct imds imds;
		clear_environment();
		if (rows[i].variable != NULL)
			setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", rows[i].variable, 1);
		if (rows[i].mode != NULL)
			setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", rows[i].mode, 1);
		int done = imds_init(&imds, &fixture->runtime, rows[i].argument, &err);
		if (done != (rows[i].expected == NULL ? -1 : 0))
			fail_msg("row %zu: %s", i, err.message);
		if (done == 0)
			assert_string_equal(imds.endpoint, rows[i].expected);
		else
			assert_int_equal(err.kind, ERROR_CONFIG);
		assert_null(strstr(err.message, "hush"));
	}
	char longer[600] = "http://";
	struct imds imds;
	memset(longer + 7, 'x', sizeof(longer) - 8);
	assert_int_equal(imds_init(&imds, &fixture->runtime, longer, NULL), -1);
}

static void version_2(void **state)
{
	struct fixture *fixture = *state;

	assert_text(fixture);
	assert_text(fixture);
	assert_int_equal(fixture->service.token_calls, 1);
	assert_string_equal(fixture->service.last_url, "http://169.254.169.254/latest/meta-data/x");
	assert_false(fixture->service.saw_proxy);
	assert_string_equal(logged(fixture), "");
}

static void a_token_that_ran_out(void **state)
{
	struct fixture *fixture = *state;

	fixture->service.forget_after = 1;
	assert_text(fixture);
	assert_text(fixture);
	assert_int_equal(fixture->service.token_calls, 2);
	assert_int_equal(fixture->service.get_calls, 3);
}

static void a_token_that_is_never_right(void **state)
{
	struct fixture *fixture = *state;

	fixture->service.get_status = 401;
	assert_metadata_error(fixture, "401");
	assert_int_equal(fixture->service.token_calls, 1 + 1);
}

static void version_1_after_a_refusal(void **state)
{
	static const int statuses[] = { 403, 404, 405 };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 3; i++) {
		char words[32];
		fixture->service.token_status = statuses[i];
		fixture->service.v1_allowed = true;
		fixture->service.token_calls = 0;
		assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, NULL), 0);
		assert_text(fixture);
		snprintf(words, sizeof(words), "status %d", statuses[i]);
		assert_non_null(strstr(logged(fixture), words));
		assert_text(fixture);
		assert_string_equal(logged(fixture), ""); /* said once */
		assert_int_equal(fixture->service.token_calls, 1);
		/* and never where it is ruled out */
		fixture->imds.use_v1 = false;
		fixture->imds.v1_disabled = true;
		assert_metadata_error(fixture, "AWS_EC2_METADATA_V1_DISABLED");
	}
}

static void version_1_switched_off_since(void **state)
{
	struct fixture *fixture = *state;

	fixture->service.token_status = 405;
	fixture->service.v1_allowed = true;
	assert_text(fixture);
	fixture->service.token_status = 200;
	fixture->service.v1_allowed = false;
	assert_text(fixture);
	assert_string_equal(fixture->imds.token, TOKEN);
}

static void the_hop_limit(void **state)
{
	struct fixture *fixture = *state;

	fixture->service.token_call = TIME_OUT;
	fixture->service.v1_allowed = true;
	assert_text(fixture);
	assert_int_equal(fixture->service.now_ms, 1000 + IMDS_TOKEN_TIMEOUT_MS);
	assert_non_null(strstr(logged(fixture), "HttpPutResponseHopLimit"));

	/* version 2 required: the value is refused, and the error names the same remedy */
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, NULL), 0);
	fixture->service.v1_allowed = false;
	assert_metadata_error(fixture, "HttpPutResponseHopLimit");
	fixture->imds.v1_disabled = true;
	assert_metadata_error(fixture, "HttpPutResponseHopLimit");
}

static void not_on_ec2(void **state)
{
	struct fixture *fixture = *state;

	fixture->service.token_call = REFUSE;
	assert_metadata_error(fixture, "does not look like an EC2 instance");
	assert_non_null(strstr(fixture->err.message, "http://169.254.169.254"));
	assert_non_null(strstr(fixture->err.message, "Connection refused"));
	assert_non_null(strstr(fixture->err.message, "AWS_EC2_METADATA_SERVICE_ENDPOINT"));
	assert_int_equal(fixture->service.get_calls, 0);
}

static void all_within_five_seconds(void **state)
{
	struct fixture *fixture = *state;
	int64_t before = fixture->service.now_ms;

	fixture->service.token_call = TIME_OUT;
	fixture->service.get_call = TIME_OUT;
	const char *text;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(fixture->err.kind, ERROR_METADATA);
	assert_int_equal(fixture->service.now_ms, before + IMDS_TIMEOUT_MS);

	/* slow and busy answers, too, use up one time for all; the scale of waits does not touch it */
	fixture->service.token_call = ANSWER;
	fixture->service.get_call = ANSWER;
	fixture->service.busy = 1000;
	fixture->service.answer_takes_ms = 1400;
	before = fixture->service.now_ms;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_in_range(fixture->service.now_ms, before, before + IMDS_TIMEOUT_MS + 1400);
}

static void busy_for_a_moment(void **state)
{
	struct fixture *fixture = *state;

	fixture->service.busy = 2;
	assert_text(fixture);
	fixture->service.busy = 2;
	assert_text(fixture);
	fixture->service.busy = 1000;
	assert_metadata_error(fixture, "503");
	assert_true(fixture->err.retryable);
	fixture->imds.token[0] = '\0';
	assert_metadata_error(fixture, "503");
	assert_true(fixture->err.retryable);
}

/* Time-outs and attempts as somebody has set them. */
static void set_by_hand(void **state)
{
	struct fixture *fixture = *state;
	struct service *service = &fixture->service;
	const char *text;

	setenv("AWS_METADATA_SERVICE_TIMEOUT", "2", 1);
	setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "4", 1);
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, NULL), 0);
	service->longest_ms = 2000;
	service->token_call = TIME_OUT; /* version 1 at once */
	service->get_call = TIME_OUT;
	int64_t before = service->now_ms;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(service->token_calls, 1);
	assert_int_equal(service->get_calls, 4);
	assert_int_equal(service->now_ms, before + 5 * 2000 + 3 * 2); /* pauses are scaled */

	service->token_calls = 0;
	service->token_call = REFUSE;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(service->token_calls, 4);

	service->token_call = ANSWER;
	service->get_call = ANSWER;
	service->busy = 3;
	assert_text(fixture);
	service->busy = 1000;
	service->get_calls = 0;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(service->get_calls, 4);
	service->busy = 0;

	/* one attempt is one, but for the usual troubles of the wire nobody has asked for more either */
	setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1", 1);
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, NULL), 0);
	service->get_calls = 0;
	service->get_call = CANCEL;
	assert_int_equal(get(fixture, &text, NULL), -1);
	service->get_call = REFUSE;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(service->get_calls, 2);
	setenv("AWS_METADATA_SERVICE_TIMEOUT", "soon", 1);
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_CONFIG);
	assert_non_null(strstr(fixture->err.message, "AWS_METADATA_SERVICE_TIMEOUT"));
}

static void switched_off(void **state)
{
	struct fixture *fixture = *state;

	fixture->service.token_status = 403;
	fixture->service.get_status = 403;
	assert_metadata_error(fixture, "switched off");
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, NULL), 0);

	int asked = fixture->service.token_calls;
	setenv("AWS_EC2_METADATA_DISABLED", "TRUE", 1);
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, NULL), 0);
	assert_metadata_error(fixture, "AWS_EC2_METADATA_DISABLED");
	assert_int_equal(fixture->service.token_calls, asked);
	setenv("AWS_EC2_METADATA_DISABLED", "false", 1);
	setenv("AWS_EC2_METADATA_V1_DISABLED", "true", 1);
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, NULL, NULL), 0);
	assert_false(fixture->imds.disabled);
	assert_true(fixture->imds.v1_disabled);
}

static void things_that_are_no_tokens(void **state)
{
	static char longer[513];
	static const char *const rows[] = { "", "two words", "line\r\nX-Evil: 1", "gr\xc3\xbc\xc3\x9f", longer };
	struct fixture *fixture = *state;

	memset(longer, 't', sizeof(longer) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture->service.token = rows[i];
		assert_metadata_error(fixture, "not a token");
	}
	fixture->service.token_status = 400;
	assert_metadata_error(fixture, "400");
}

static void values_that_are_not_there(void **state)
{
	struct fixture *fixture = *state;
	const char *text = "untouched";
	bool found = true;

	fixture->service.get_status = 404;
	assert_metadata_error(fixture, "no such value");
	assert_int_equal(get(fixture, &text, &found), 0);
	assert_false(found);
	assert_string_equal(text, "untouched");
	fixture->service.get_status = 0;
	assert_int_equal(get(fixture, &text, &found), 0);
	assert_true(found);
	fixture->service.get_status = 302;
	assert_metadata_error(fixture, "302");
	fixture->service.get_status = 0;
	fixture->service.body = "a\0b";
	fixture->service.body_len = 3;
	assert_metadata_error(fixture, "NUL");
}

static void a_signal_stays_a_signal(void **state)
{
	struct fixture *fixture = *state;
	const char *text;

	fixture->service.token_call = CANCEL;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
	fixture->service.token_call = ANSWER;
	fixture->service.get_call = CANCEL;
	assert_int_equal(get(fixture, &text, NULL), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
}

static void no_memory(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP_ARENA struct arena *tiny = arena_new(16);
	const char *text;

	assert_int_equal(imds_get(&fixture->imds, "/x", tiny, &text, NULL, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_NOMEM);
}

static void the_identity(void **state)
{
	struct fixture *fixture = *state;
	struct imds_identity identity;

	fixture->service.body = DOCUMENT;
	assert_int_equal(imds_identity(&fixture->imds, fixture->arena, &identity, &fixture->err), 0);
	assert_string_equal(identity.instance_id, "i-0123456789abcdef0");
	assert_string_equal(identity.region, "us-east-1");
	assert_string_equal(identity.availability_zone, "us-east-1a");
	assert_string_equal(identity.instance_type, "m5.large");
	assert_string_equal(identity.architecture, "x86_64");
}

static void wrong_documents(void **state)
{
	static const char *const rows[][2] = {
		{ "<html>captive portal</html>", "identity document" },
		{ "", "identity document" },
		{ "[]", "instanceId" },
		{ "{}", "instanceId" },
		{ "{\"instanceId\":\"i-x\"}", "instanceId" },
		{ "{\"instanceId\":17}", "instanceId" },
		{ "{\"instanceId\":\"i-01234567\"}", "region" },
		{ "{\"instanceId\":\"i-01234567\",\"region\":\"us east\"}", "region" },
		{ "{\"instanceId\":\"i-01234567\",\"region\":\"evil.com/x\"}", "region" },
		{ "{\"instanceId\":\"i-01234567\",\"region\":\"\"}", "region" },
		{ "{\"instanceId\":\"i-01234567\",\"region\":\"us-east-1\",\"availabilityZone\":\"../x\"}", "availabilityZone" },
		{ "{\"instanceId\":\"i-01234567\",\"region\":\"us-east-1\",\"availabilityZone\":\"us-east-1a\"}", "instanceType" },
		{ "{\"instanceId\":\"i-01234567\",\"region\":\"us-east-1\",\"availabilityZone\":\"us-east-1a\","
		  "\"instanceType\":\"t2.nano\",\"architecture\":null}", "architecture" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct imds_identity identity = { .region = "untouched" };
		fixture->service.body = rows[i][0];
		assert_int_equal(imds_identity(&fixture->imds, fixture->arena, &identity, &fixture->err), -1);
		assert_int_equal(fixture->err.kind, ERROR_METADATA);
		if (strstr(fixture->err.message, rows[i][1]) == NULL)
			fail_msg("row %zu: %s", i, fixture->err.message);
		assert_string_equal(identity.region, "untouched");
		assert_int_equal(imds_identity(&fixture->imds, fixture->arena, &identity, NULL), -1);
	}
	fixture->service.get_status = 404;
	struct imds_identity identity;
	assert_int_equal(imds_identity(&fixture->imds, fixture->arena, &identity, &fixture->err), -1);
	assert_non_null(strstr(fixture->err.message, "404"));
}

static bool serve(struct http_server *server, const struct http_server_request *request, void *context)
{
	char text[1000];

	(void)server;
	(void)context;
	bool is_put = strncmp(request->text, "PUT /latest/api/token HTTP/1.1\r\n", 32) == 0 &&
		      strstr(request->text, "\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n") != NULL;
	bool is_get = strncmp(request->text, "GET /latest/dynamic/instance-identity/document HTTP/1.1\r\n", 57) == 0 &&
		      strstr(request->text, "\r\nX-aws-ec2-metadata-token: " TOKEN "\r\n") != NULL;
	const char *body = is_put ? TOKEN : is_get ? DOCUMENT : "";
	snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", is_put || is_get ? 200 : 401,
		 strlen(body), body);
	http_server_send(request, text);
	return true;
}

static void over_a_real_connection(void **state)
{
	struct fixture *fixture = *state;
	struct imds_identity identity;
	struct http_transport http;
	struct clock clock;

	clock_system(&clock);
	assert_int_equal(http_open(&http, NULL), 0);
	fixture->runtime.http = &http;
	fixture->runtime.clock = &clock;
	struct http_server *server = http_server_start(serve, NULL);
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* not for this */
	assert_int_equal(imds_init(&fixture->imds, &fixture->runtime, http_server_url(server, "/"), NULL), 0);
	int done = imds_identity(&fixture->imds, fixture->arena, &identity, &fixture->err);
	unsetenv("http_proxy");
	if (done != 0)
		fail_msg("%s", fixture->err.message);
	assert_string_equal(identity.region, "us-east-1");
	http_server_stop(server);
	fixture->imds.token[0] = '\0';
	assert_metadata_error(fixture, "does not look like an EC2 instance");
	http_close(&http);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(endpoints),
		TEST(version_2),
		TEST(a_token_that_ran_out),
		TEST(a_token_that_is_never_right),
		TEST(version_1_after_a_refusal),
		TEST(version_1_switched_off_since),
		TEST(the_hop_limit),
		TEST(not_on_ec2),
		TEST(all_within_five_seconds),
		TEST(busy_for_a_moment),
		TEST(set_by_hand),
		TEST(switched_off),
		TEST(things_that_are_no_tokens),
		TEST(values_that_are_not_there),
		TEST(a_signal_stays_a_signal),
		TEST(no_memory),
		TEST(the_identity),
		TEST(wrong_documents),
		TEST(over_a_real_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
