/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: when it is needed, what goes over the wire, what its answers mean. */
#include "cpi/methods/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/json_write.h"
#include "tests/unit/fake_aws.h"

#define MAX_EXCHANGES 16
#define BASIC_ADMIN_PASS "Basic YWRtaW46cEBzczp3" /* admin:p@ss:w */

struct exchange {
	enum fake_way way;
	int status;
	const char *answer;
	/* what came */
	char method[8];
	char url[512];
	char body[4096];
	char authorization[256]; /* "" for none */
	char content_type[64];
	const char *ca_file;
};

struct fixture {
	struct fake_aws aws;
	struct config config;
	struct http_transport http;
	struct exchange exchanges[MAX_EXCHANGES];
	unsigned n_exchanges; /* of the script */
	unsigned n_done;
	struct call call;
	struct error err;
};

static void keep(char *to, size_t size, const char *text, size_t len)
{
	assert_true(len < size);
	memcpy(to, text, len);
	to[len] = '\0';
}

static void keep_headers(struct exchange *exchange, const struct http_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_header *header = &request->headers[i];
		if (strcmp(header->name, "Authorization") == 0)
			keep(exchange->authorization, sizeof(exchange->authorization), header->value, strlen(header->value));
		if (strcmp(header->name, "Content-Type") == 0)
			keep(exchange->content_type, sizeof(exchange->content_type), header->value, strlen(header->value));
	}
}

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	struct fixture *fixture = self;

	(void)cancel;
	(void)arena;
	if (fixture->n_done == fixture->n_exchanges)
		fail_msg("%s %s is beyond the script", request->method, request->url);
	struct exchange *exchange = &fixture->exchanges[fixture->n_done++];
	keep(exchange->method, sizeof(exchange->method), request->method, strlen(request->method));
	keep(exchange->url, sizeof(exchange->url), request->url, strlen(request->url));
	keep(exchange->body, sizeof(exchange->body), request->body == NULL ? "" : request->body, request->body_len);
	keep_headers(exchange, request);
	exchange->ca_file = request->ca_file;
	if (exchange->way != FAKE_ANSWERED) {
		error_set(err, ERROR_NETWORK, "connection refused");
		err->retryable = exchange->way == FAKE_REFUSED;
		return -1;
	}
	const char *answer = exchange->answer == NULL ? "" : exchange->answer;
	*ret_response = (struct http_response){ .status = exchange->status, .body = answer, .body_len = strlen(answer) };
	return 0;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fake_aws_open(&fixture->aws);
	fixture->http = (struct http_transport){ .perform = perform, .self = fixture };
	fixture->aws.runtime.http = &fixture->http;
	fixture->config = (struct config){
		.aws = { .max_retries = 2, .ca_file = "/ca.pem" },
		.registry_endpoint = "http://10.0.0.6:25777",
		.registry_user = "admin",
		.registry_password = "p@ss:w",
	};
	fixture->call = (struct call){
		.runtime = &fixture->aws.runtime,
		.config = &fixture->config,
		.arena = arena_new(1 << 24),
		.method = "attach_disk",
		.api_version = 1,
		.stemcell_api_version = 1,
	};
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(fixture->n_done, fixture->n_exchanges);
	arena_free(fixture->call.arena);
	fixture->aws.runtime.http = &fixture->aws.http;
	fake_aws_close(&fixture->aws);
	free(fixture);
	return 0;
}

static void expect(struct fixture *fixture, int status, const char *answer)
{
	fixture->exchanges[fixture->n_exchanges++] = (struct exchange){ .status = status, .answer = answer };
}

static void expect_trouble(struct fixture *fixture, enum fake_way way)
{
	fixture->exchanges[fixture->n_exchanges++] = (struct exchange){ .way = way };
}

/* ERROR_CLOUD with this in the message, and no secret anywhere. */
static void check_error(struct fixture *fixture, const char *says)
{
	char log[16384];

	assert_int_equal(fixture->err.kind, ERROR_CLOUD);
	if (strstr(fixture->err.message, says) == NULL)
		fail_msg("'%s' is not in: %s", says, fixture->err.message);
	assert_null(strstr(fixture->err.message, "p@ss"));
	assert_null(strstr(fixture->err.message, "p%40ss"));
	fake_aws_log(&fixture->aws, log, sizeof(log));
	assert_null(strstr(log, "p@ss"));
	assert_null(strstr(log, "p%40ss"));
	assert_null(strstr(log, BASIC_ADMIN_PASS));
}

/* --- when it is needed --- */

/* The eight rows of the API's table: Director and CPI are one number here, the version that they agreed on. */
static void test_used(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		int api_version;
		int stemcell_api_version;
		bool used;
	} rows[] = { { 1, 1, true }, { 1, 2, true }, { 2, 1, true }, { 2, 2, false }, { 3, 3, false }, { 3, 1, true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture->call.api_version = rows[i].api_version;
		fixture->call.stemcell_api_version = rows[i].stemcell_api_version;
		assert_int_equal(registry_is_used(&fixture->call), rows[i].used);
	}
}

static void test_require(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(registry_require(&fixture->call, &fixture->err), 0);
	fixture->config.registry_endpoint = NULL;
	assert_int_equal(registry_require(&fixture->call, &fixture->err), -1);
	check_error(fixture, "registry is not configured");
	assert_non_null(strstr(fixture->err.message, "attach_disk"));
	fixture->call.api_version = 2;
	fixture->call.stemcell_api_version = 2;
	assert_int_equal(registry_require(&fixture->call, &fixture->err), 0);
}

static void test_none_configured(void **state)
{
	struct fixture *fixture = *state;

	fixture->config.registry_endpoint = NULL;
	assert_int_equal(registry_put(&fixture->call, "i-1", "{}", &fixture->err), -1);
	check_error(fixture, "registry is not configured");
	assert_int_equal(registry_set_disk(&fixture->call, "i-1", "vol-1", "/dev/sdf", &fixture->err), -1);
	check_error(fixture, "registry is not configured");
	/* there is nothing in a registry that there is not */
	assert_int_equal(registry_delete(&fixture->call, "i-1", &fixture->err), 0);
}

/* --- where it is, and who asks --- */

struct place {
	const char *endpoint;
	const char *user;
	const char *password;
	const char *url;           /* of a request */
	const char *authorization; /* "" for none */
	const char *agents_url;
};

static void test_places(void **state)
{
	struct fixture *fixture = *state;
	static const struct place rows[] = {
		{ "http://h:1", "admin", "p@ss:w", "http://h:1/instances/i-1/settings", BASIC_ADMIN_PASS,
		  "http://admin:p%40ss%3Aw@h:1" },
		{ "http://admin:p%40ss%3Aw@h:1", "admin", "p@ss:w", "http://h:1/instances/i-1/settings", BASIC_ADMIN_PASS,
		  "http://admin:p%40ss%3Aw@h:1" },
		{ "http://admin:p%40ss%3Aw@h:1", NULL, NULL, "http://h:1/instances/i-1/settings", BASIC_ADMIN_PASS,
		  "http://admin:p%40ss%3Aw@h:1" },
		/* the configuration's are the ones that are used, whatever the URL says */
		{ "http://other:one@h:1", "admin", "p@ss:w", "http://h:1/instances/i-1/settings", BASIC_ADMIN_PASS,
		  "http://other:one@h:1" },
		{ "h:1", "admin", "p@ss:w", "http://h:1/instances/i-1/settings", BASIC_ADMIN_PASS,
		  "http://admin:p%40ss%3Aw@h:1" },
		{ "admin:p@ss:w@h:1", NULL, NULL, "http://h:1/instances/i-1/settings", BASIC_ADMIN_PASS,
		  "http://admin:p@ss:w@h:1" },
		{ "https://h/path//", "admin", "p@ss:w", "https://h/path/instances/i-1/settings", BASIC_ADMIN_PASS,
		  "https://admin:p%40ss%3Aw@h/path" },
		{ "http://h:1", NULL, NULL, "http://h:1/instances/i-1/settings", "", "http://h:1" },
		{ "http://h:1", "admin", NULL, "http://h:1/instances/i-1/settings", "Basic YWRtaW46", "http://admin:@h:1" },
		{ "http://admin@h:1", NULL, NULL, "http://h:1/instances/i-1/settings", "Basic YWRtaW46",
		  "http://admin@h:1" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *url;
		fixture->config.registry_endpoint = rows[i].endpoint;
		fixture->config.registry_user = rows[i].user;
		fixture->config.registry_password = rows[i].password;
		expect(fixture, 200, NULL);
		assert_int_equal(registry_delete(&fixture->call, "i-1", &fixture->err), 0);
		const struct exchange *done = &fixture->exchanges[fixture->n_done - 1];
		assert_string_equal(done->url, rows[i].url);
		assert_string_equal(done->authorization, rows[i].authorization);
		assert_int_equal(registry_agent_endpoint(&fixture->call, &url, &fixture->err), 0);
		assert_string_equal(url, rows[i].agents_url);
	}
}

static void test_no_agents_endpoint(void **state)
{
	struct fixture *fixture = *state;
	const char *url = "untouched";

	fixture->config.registry_endpoint = NULL;
	assert_int_equal(registry_agent_endpoint(&fixture->call, &url, &fixture->err), 0);
	assert_null(url);
}

/* An id is one step of the path, whatever is in it. */
static void test_id_is_encoded(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, 200, NULL);
	assert_int_equal(registry_delete(&fixture->call, "../x?y", &fixture->err), 0);
	assert_string_equal(fixture->exchanges[0].url, "http://10.0.0.6:25777/instances/..%2Fx%3Fy/settings");
}

/* --- put and delete --- */

static void test_put(void **state)
{
	struct fixture *fixture = *state;
	static const int good[] = { 200, 201, 204 };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		expect(fixture, good[i], NULL);
		assert_int_equal(registry_put(&fixture->call, "i-1", "{\"a\":1}", &fixture->err), 0);
		const struct exchange *done = &fixture->exchanges[i];
		assert_string_equal(done->method, "PUT");
		assert_string_equal(done->body, "{\"a\":1}");
		assert_string_equal(done->content_type, "application/json");
		assert_string_equal(done->ca_file, "/ca.pem");
	}
}

static void test_refusals(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		int status;
		const char *says;
	} rows[] = { { 302, "HTTP 302 from the registry at http://10.0.0.6:25777" },
		     { 401, "are registry.user and registry.password right?" },
		     { 404, "is registry.endpoint the registry's address?" },
		     { 409, "HTTP 409" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect(fixture, rows[i].status, "p@ss");
		assert_int_equal(registry_put(&fixture->call, "i-1", "{}", &fixture->err), -1);
		check_error(fixture, rows[i].says);
		assert_non_null(strstr(fixture->err.message, "Cannot update settings for 'i-1'"));
		assert_int_equal(fixture->err.http_status, rows[i].status);
	}
}

static void test_delete(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, 200, NULL);
	expect(fixture, 404, "not found");
	assert_int_equal(registry_delete(&fixture->call, "i-1", &fixture->err), 0);
	assert_int_equal(registry_delete(&fixture->call, "i-1", &fixture->err), 0);
	assert_string_equal(fixture->exchanges[1].method, "DELETE");
	assert_string_equal(fixture->exchanges[1].content_type, "");
	expect(fixture, 403, NULL);
	assert_int_equal(registry_delete(&fixture->call, "i-1", &fixture->err), -1);
	check_error(fixture, "Cannot delete settings for 'i-1', got HTTP 403");
}

/* --- trouble --- */

static void test_retries(void **state)
{
	struct fixture *fixture = *state;

	expect_trouble(fixture, FAKE_REFUSED);
	expect(fixture, 503, NULL);
	expect(fixture, 200, NULL);
	assert_int_equal(registry_put(&fixture->call, "i-1", "{}", &fixture->err), 0);
	assert_string_equal(fixture->exchanges[2].body, "{}");
}

static void test_gives_up(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < 3; i++)
		expect_trouble(fixture, FAKE_REFUSED);
	assert_int_equal(registry_put(&fixture->call, "i-1", "{}", &fixture->err), -1);
	check_error(fixture, "connection refused");
	assert_non_null(strstr(fixture->err.message, "the registry at http://10.0.0.6:25777"));
	for (unsigned i = 0; i < 3; i++)
		expect(fixture, 500, NULL);
	assert_int_equal(registry_put(&fixture->call, "i-1", "{}", &fixture->err), -1);
	check_error(fixture, "got HTTP 500");
	/* a certificate will not become better */
	expect_trouble(fixture, FAKE_TLS);
	assert_int_equal(registry_put(&fixture->call, "i-1", "{}", &fixture->err), -1);
	check_error(fixture, "registry");
}

static void test_signal(void **state)
{
	struct fixture *fixture = *state;

	cancel_raise(&fixture->aws.cancel, 15);
	expect_trouble(fixture, FAKE_REFUSED);
	assert_int_equal(registry_put(&fixture->call, "i-1", "{}", &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_CANCELLED);
}

/* --- disks --- */

static void test_set_disk(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *before;
		const char *hint;
		const char *after;
	} rows[] = {
		{ "{}", "/dev/sdf", "{\"disks\":{\"persistent\":{\"vol-1\":\"/dev/sdf\"}}}" },
		{ "{\"disks\":null}", "/dev/sdf", "{\"disks\":{\"persistent\":{\"vol-1\":\"/dev/sdf\"}}}" },
		{ "{\"disks\":{\"system\":\"/dev/sda\",\"persistent\":null},\"n\":1.50}", "/dev/sdf",
		  "{\"n\":1.50,\"disks\":{\"system\":\"/dev/sda\",\"persistent\":{\"vol-1\":\"/dev/sdf\"}}}" },
		{ "{\"disks\":{\"persistent\":{\"vol-1\":\"/dev/old\",\"vol-2\":{\"path\":\"/x\"}}}}", "/dev/sdf",
		  "{\"disks\":{\"persistent\":{\"vol-2\":{\"path\":\"/x\"},\"vol-1\":\"/dev/sdf\"}}}" },
		{ "{\"agent_id\":\"a\",\"disks\":{\"persistent\":{\"vol-1\":\"/dev/sdf\",\"vol-2\":\"/dev/sdg\"}}}", NULL,
		  "{\"agent_id\":\"a\",\"disks\":{\"persistent\":{\"vol-2\":\"/dev/sdg\"}}}" },
		{ "{\"disks\":{\"persistent\":{}}}", NULL, "{\"disks\":{\"persistent\":{}}}" },
		/* of a repeated key the last one counts */
		{ "{\"a\":1,\"a\":2,\"disks\":{\"x\":1},\"disks\":{\"y\":2}}", NULL,
		  "{\"a\":2,\"disks\":{\"y\":2,\"persistent\":{}}}" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP_BUF struct buf answer = BUF_INIT(4096);
		struct json_writer writer;
		json_writer_init(&writer, &answer);
		json_begin_object(&writer);
		json_member_string(&writer, "settings", rows[i].before);
		json_end_object(&writer);
		expect(fixture, 200, buf_text(&answer));
		expect(fixture, 200, NULL);
		assert_int_equal(registry_set_disk(&fixture->call, "i-1", "vol-1", rows[i].hint, &fixture->err), 0);
		assert_string_equal(fixture->exchanges[2 * i].method, "GET");
		assert_string_equal(fixture->exchanges[2 * i].authorization, BASIC_ADMIN_PASS);
		assert_string_equal(fixture->exchanges[2 * i + 1].method, "PUT");
		assert_string_equal(fixture->exchanges[2 * i + 1].body, rows[i].after);
	}
}

static void test_bad_settings(void **state)
{
	struct fixture *fixture = *state;
	static const char *const answers[] = {
		"",
		"p@ss",
		"[]",
		"{}",
		"{\"settings\":{}}",
		"{\"settings\":null}",
		"{\"settings\":\"p@ss\"}",
		"{\"settings\":\"[]\"}",
		"{\"settings\":\"\"}",
		"{\"settings\":\"{}\\u0000\"}",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		expect(fixture, 200, answers[i]);
		assert_int_equal(registry_set_disk(&fixture->call, "i-1", "vol-1", "/dev/sdf", &fixture->err), -1);
		check_error(fixture, "Cannot read settings for 'i-1': the registry at http://10.0.0.6:25777");
	}
}

static void test_no_settings(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, 404, "{\"status\":\"not_found\"}");
	assert_int_equal(registry_set_disk(&fixture->call, "i-1", "vol-1", "/dev/sdf", &fixture->err), -1);
	check_error(fixture, "Cannot read settings for 'i-1', got HTTP 404");
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct arena *whole = fixture->call.arena;
	unsigned failures = 0;
	int result;

	expect(fixture, 200, NULL);
	do {
		CLEANUP_ARENA struct arena *little = arena_new(16 * ++failures);
		fixture->call.arena = little;
		result = registry_put(&fixture->call, "i-1", "{}", &fixture->err);
		assert_true(result == 0 || fixture->err.kind == ERROR_NOMEM);
	} while (result != 0);
	assert_true(failures > 5);
	fixture->call.arena = whole;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_used),
		TEST(test_require),
		TEST(test_none_configured),
		TEST(test_places),
		TEST(test_no_agents_endpoint),
		TEST(test_id_is_encoded),
		TEST(test_put),
		TEST(test_refusals),
		TEST(test_delete),
		TEST(test_retries),
		TEST(test_gives_up),
		TEST(test_signal),
		TEST(test_set_disk),
		TEST(test_bad_settings),
		TEST(test_no_settings),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
