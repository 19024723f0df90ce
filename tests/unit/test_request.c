/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: every row of the contract's table of bad ones, in the order in which they are looked for, and reading. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "cpi/rpc/request.h"
#include "tests/unit/fail_alloc.h"

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)
#define CONTEXT "\"context\":{\"director_uuid\":\"d\"}"

static bool known(const char *method)
{
	return strcmp(method, "info") == 0;
}

static int parse(struct arena *arena, const char *text, struct request *ret_request, struct error *err)
{
	return request_parse(text, strlen(text), known, arena, ret_request, err);
}

static void test_good(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct request request;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(parse(arena,
			       " {\"method\":\"info\",\"arguments\":[1,2],\"api_version\":3,\"more\":0,\"context\":"
			       "{\"director_uuid\":\"d\",\"request_id\":\"cpi-1\",\"vm\":{\"stemcell\":{\"api_version\":2}}}}\n",
			       &request, &err),
			 0);
	assert_string_equal(request.method, "info");
	assert_int_equal(request.arguments->count, 2);
	assert_string_equal(request.director_uuid, "d");
	assert_string_equal(request.request_id, "cpi-1");
	assert_int_equal(request.api_version, 3);
	assert_int_equal(request.stemcell_api_version, 2);
}

struct context_row {
	const char *members; /* of the context, and behind it */
	const char *request_id;
	int api_version;
	int stemcell_api_version;
};

static void test_defaults(void **state)
{
	static const struct context_row table[] = {
		{ "}", NULL, 1, 1 },
		{ ",\"vm\":{\"stemcell\":{}}}", NULL, 1, 1 },
		{ ",\"vm\":{}}", NULL, 1, 1 },
		{ ",\"vm\":null}", NULL, 1, 1 },
		{ ",\"vm\":{\"stemcell\":{\"api_version\":null}}}", NULL, 1, 1 },
		{ ",\"vm\":{\"stemcell\":{\"api_version\":3}}}", NULL, 1, 3 },
		{ ",\"request_id\":123456}", "123456", 1, 1 },
		{ ",\"request_id\":null}", NULL, 1, 1 },
		{ ",\"request_id\":\"\"}", NULL, 1, 1 },
		{ ",\"request_id\":{}}", NULL, 1, 1 },
		{ "},\"api_version\":0", NULL, 1, 1 },
		{ "},\"api_version\":-99999999999999999999", NULL, 1, 1 },
		{ "},\"api_version\":4294967298", NULL, INT_MAX, 1 },
		{ "},\"api_version\":99999999999999999999", NULL, INT_MAX, 1 },
		{ "},\"api_version\":1,\"api_version\":2", NULL, 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct request request;
		struct error err = { 0 };
		char text[512];
		snprintf(text, sizeof(text),
			 "{\"method\":\"info\",\"arguments\":[],\"context\":{\"director_uuid\":\"d\"%s}", table[i].members);
		if (parse(arena, text, &request, &err) != 0)
			fail_msg("%s: %s", text, err.message);
		assert_int_equal(request.api_version, table[i].api_version);
		assert_int_equal(request.stemcell_api_version, table[i].stemcell_api_version);
		if (table[i].request_id == NULL)
			assert_null(request.request_id);
		else
			assert_string_equal(request.request_id, table[i].request_id);
	}
}

struct bad {
	const char *text;
	enum error_kind kind;
	const char *begins;
};

#define NO_JSON ERROR_INVALID_CALL, "Request cannot be deserialized"
#define NO_METHOD ERROR_INVALID_CALL, "Method must be a String"
#define UNKNOWN_METHOD ERROR_NOT_IMPLEMENTED, "Method is not known, got:"
#define NO_ARGUMENTS ERROR_INVALID_CALL, "Arguments must be an Array"
#define NO_VERSION ERROR_INVALID_CALL, "CPI api_version requested must be an Integer"
#define NO_CONTEXT ERROR_INVALID_CALL, "Request should include context with director uuid"

static const struct bad bad_requests[] = {
	{ "", NO_JSON },
	{ "nonsense", NO_JSON },
	{ "{\"method\":\"info\"", NO_JSON },
	{ "{\"method\":\"info\"} {}", NO_JSON },
	{ "{\"method\":\"in\xff\"}", NO_JSON },
	{ "{\"method\":\"\\ud800\"}", NO_JSON },
	{ "[]", NO_JSON },
	{ "null", NO_JSON },
	{ "\"info\"", NO_JSON },
	{ "17", NO_JSON },
	{ "{}", NO_METHOD },
	{ "{\"method\":null}", NO_METHOD },
	{ "{\"method\":7,\"arguments\":[]," CONTEXT "}", NO_METHOD },
	{ "{\"method\":[\"info\"],\"arguments\":[]," CONTEXT "}", NO_METHOD },
	{ "{\"method\":\"\",\"arguments\":[]," CONTEXT "}", UNKNOWN_METHOD },
	{ "{\"method\":\"Info\",\"arguments\":[]," CONTEXT "}", UNKNOWN_METHOD },
	{ "{\"method\":\"info\\u0000\",\"arguments\":[]," CONTEXT "}", UNKNOWN_METHOD },
	{ "{\"method\":\"nope\"}", UNKNOWN_METHOD },
	{ "{\"method\":\"info\"," CONTEXT "}", NO_ARGUMENTS },
	{ "{\"method\":\"info\",\"arguments\":null," CONTEXT "}", NO_ARGUMENTS },
	{ "{\"method\":\"info\",\"arguments\":{}," CONTEXT "}", NO_ARGUMENTS },
	{ "{\"method\":\"info\",\"arguments\":\"x\",\"api_version\":\"2\"}", NO_ARGUMENTS },
	{ "{\"method\":\"info\",\"arguments\":[],\"api_version\":\"2\"}", NO_VERSION },
	{ "{\"method\":\"info\",\"arguments\":[],\"api_version\":null," CONTEXT "}", NO_VERSION },
	{ "{\"method\":\"info\",\"arguments\":[],\"api_version\":2.0," CONTEXT "}", NO_VERSION },
	{ "{\"method\":\"info\",\"arguments\":[],\"api_version\":2e0," CONTEXT "}", NO_VERSION },
	{ "{\"method\":\"info\",\"arguments\":[],\"api_version\":true," CONTEXT "}", NO_VERSION },
	{ "{\"method\":\"info\",\"arguments\":[]}", NO_CONTEXT },
	{ "{\"method\":\"info\",\"arguments\":[],\"context\":null}", NO_CONTEXT },
	{ "{\"method\":\"info\",\"arguments\":[],\"context\":[]}", NO_CONTEXT },
	{ "{\"method\":\"info\",\"arguments\":[],\"context\":{}}", NO_CONTEXT },
	{ "{\"method\":\"info\",\"arguments\":[],\"context\":{\"director_uuid\":7}}", NO_CONTEXT },
	{ "{\"method\":\"info\",\"arguments\":[],\"context\":{\"director_uuid\":\"\\u0000\"}}", NO_CONTEXT },
	{ "{\"method\":\"info\",\"arguments\":[],\"context\":{\"director_uuid\":\"d\",\"vm\":{\"stemcell\":"
	  "{\"api_version\":\"2\"}}}}",
	  ERROR_INVALID_CALL, "Request should include an Integer as context.vm.stemcell.api_version" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_requests) / sizeof(bad_requests[0]); i++) {
		const struct bad *bad = &bad_requests[i];
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct request request;
		struct error err = { 0 };
		if (parse(arena, bad->text, &request, &err) != -1)
			fail_msg("accepted: %s", bad->text);
		if (err.kind != bad->kind || strncmp(err.message, bad->begins, strlen(bad->begins)) != 0)
			fail_msg("%s gave %s: %s", bad->text, error_kind_name(err.kind), err.message);
	}
}

/* The log of a refused request has the id of the request. */
static void test_id_of_a_bad_request(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct request request;
	struct error err;

	(void)state;
	assert_int_equal(parse(arena, "{\"method\":\"nope\",\"context\":{\"request_id\":\"cpi-7\"}}", &request, &err), -1);
	assert_string_equal(request.request_id, "cpi-7");
}

/* A foreign method's name is not repeated at length. */
static void test_long_method(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct request request;
	struct error err;
	char text[3000] = "{\"method\":\"";

	(void)state;
	memset(text + 11, 'x', 2900);
	memcpy(text + 2911, "\"}", 3);
	assert_int_equal(parse(arena, text, &request, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_IMPLEMENTED);
	assert_true(strlen(err.message) < 300);
}

static void test_no_memory(void **state)
{
	static const char text[] = "{\"method\":\"info\",\"arguments\":[]," CONTEXT "}";

	(void)state;
	for (long n = 0;; n++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct request request;
		struct error err = { 0 };
		fail_alloc_after(n);
		int result = request_parse(text, strlen(text), known, arena, &request, &err);
		if (!fail_alloc_off()) {
			assert_int_equal(result, 0);
			break;
		}
		assert_int_equal(result, -1);
		assert_int_equal(err.kind, ERROR_NOMEM);
	}
}

/* --- reading --- */

struct feed {
	int fd;
	size_t len;
};

static void *write_slowly(void *data)
{
	const struct feed *feed = data;
	char block[7919];

	memset(block, ' ', sizeof(block));
	for (size_t left = feed->len; left > 0;) {
		ssize_t put = write(feed->fd, block, left < sizeof(block) ? left : sizeof(block));
		if (put <= 0)
			break;
		left -= (size_t)put;
	}
	close(feed->fd);
	return NULL;
}

/* Reads so many bytes through a pipe; the writer always gets rid of all of them. */
static int read_bytes(size_t len, struct buf *text, struct error *err)
{
	pthread_t thread;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	struct feed feed = { .fd = fds[1], .len = len };
	assert_int_equal(pthread_create(&thread, NULL, write_slowly, &feed), 0);
	int result = request_read(fds[0], NULL, text, err);
	char rest;
	assert_int_equal(read(fds[0], &rest, 1), 0);
	pthread_join(thread, NULL);
	close(fds[0]);
	return result;
}

static void test_read_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, REQUEST_MAX_BYTES - 1, REQUEST_MAX_BYTES };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CLEANUP_BUF struct buf text = BUF_INIT(REQUEST_MAX_BYTES + 1);
		struct error err = { 0 };
		assert_int_equal(read_bytes(sizes[i], &text, &err), 0);
		assert_int_equal(text.len, sizes[i]);
	}
}

static void test_read_too_much(void **state)
{
	static const size_t sizes[] = { REQUEST_MAX_BYTES + 1, REQUEST_MAX_BYTES + 5000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CLEANUP_BUF struct buf text = BUF_INIT(REQUEST_MAX_BYTES + 1);
		struct error err = { 0 };
		assert_int_equal(read_bytes(sizes[i], &text, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID_CALL);
		assert_non_null(strstr(err.message, "Request cannot be deserialized"));
		assert_non_null(strstr(err.message, "8 MiB"));
	}
}

static void test_read_cancelled(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUEST_MAX_BYTES + 1);
	struct cancel cancel;
	struct error err = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(cancel_open(&cancel, &err), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "{", 1), 1);
	cancel_raise(&cancel, SIGTERM);
	assert_int_equal(request_read(fds[0], &cancel, &text, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	close(fds[0]);
	close(fds[1]);
	cancel_close(&cancel);
}

static void test_read_fails(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUEST_MAX_BYTES + 1);
	CLEANUP_FD int directory = open("/", O_RDONLY | O_DIRECTORY);
	struct error err = { 0 };

	(void)state;
	assert_true(directory >= 0);
	assert_int_equal(request_read(directory, NULL, &text, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
}

static void test_read_no_memory(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REQUEST_MAX_BYTES + 1);
	struct error err = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fail_alloc_after(0);
	int result = request_read(fds[0], NULL, &text, &err);
	assert_true(fail_alloc_off());
	assert_int_equal(result, -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_id_of_a_bad_request),
		cmocka_unit_test(test_long_method),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_read_sizes),
		cmocka_unit_test(test_read_too_much),
		cmocka_unit_test(test_read_cancelled),
		cmocka_unit_test(test_read_fails),
		cmocka_unit_test(test_read_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
