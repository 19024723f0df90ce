/* SPDX-License-Identifier: Apache-2.0 */
/* The container's credentials service: which addresses are asked, the token that goes along, and every kind of answer of a
 * real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/source_kit.h"

#define SOURCE &credentials_container
#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define KEYS "\"AccessKeyId\":\"ASIACONT\",\"SecretAccessKey\":\"hush/+secret\",\"Token\":\"hush-token\""
#define GOOD "{" KEYS ",\"Expiration\":\"2026-01-01T06:00:00Z\",\"RoleArn\":\"arn:aws:iam::123456789012:role/task\"}"

static void script(struct source_kit *kit, struct source_answer answer)
{
	source_kit_script(kit, answer);
	setenv(FULL, http_server_url(kit->server, "/v1/credentials?x=y"), 1);
}

static void right(void **state)
{
	struct source_kit *kit = *state;

	script(kit, (struct source_answer){ .body = GOOD });
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* not for this */
	source_kit_expect_loaded(kit, SOURCE, "ASIACONT", "hush/+secret", "hush-token");
	unsetenv("http_proxy");
	assert_int_equal(kit->credentials.expires_at, SOURCE_NOW + 6 * 3600);
	assert_null(kit->credentials.account);
	const char *request = source_kit_request(kit, 0);
	assert_non_null(strstr(request, "GET /v1/credentials?x=y HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nAccept: application/json\r\n"));
	assert_null(strstr(request, "Authorization"));
	script(kit, (struct source_answer){ .body = "{" KEYS ",\"Expiration\":\"2026-01-01T06:00:00Z\",\"AccountId\":"
					    "\"123456789012\"}" });
	source_kit_expect_loaded(kit, SOURCE, "ASIACONT", "hush/+secret", "hush-token");
	assert_string_equal(kit->credentials.account, "123456789012");
}

static void absent(void **state)
{
	struct source_kit *kit = *state;

	source_kit_expect_absent(kit, SOURCE, "are not set");
	setenv(RELATIVE, "", 1);
	setenv(FULL, "", 1);
	source_kit_expect_absent(kit, SOURCE, "are not set");
}

/* --- where it asks ------------------------------------------------------------------------------------------------ */

static char asked[300];

static int remember(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		    struct http_response *ret_response, struct error *err)
{
	(void)self;
	(void)cancel;
	(void)arena;
	(void)err;
	snprintf(asked, sizeof(asked), "%s", request->url);
	assert_true(request->no_proxy);
	*ret_response = (struct http_response){ .status = 200, .body = GOOD, .body_len = strlen(GOOD) };
	return 0;
}

static void addresses(void **state)
{
	static const struct {
		const char *relative;
		const char *full;
		const char *asked; /* NULL: refused */
	} rows[] = {
		{ "/v2/credentials/x", NULL, "http://169.254.170.2/v2/credentials/x" },
		{ "/v2/credentials/x", "http://127.0.0.1/no", "http://169.254.170.2/v2/credentials/x" },
		{ "v2/x", NULL, NULL },
		{ "@evil.example/x", NULL, NULL },
		{ ".evil.example/x", NULL, NULL },
		{ "/a b", NULL, NULL },
		{ "/a\r\nX: y", NULL, NULL },
		{ NULL, "http://127.0.0.1/x", "http://127.0.0.1/x" },
		{ NULL, "http://127.255.0.3:8080?x", "http://127.255.0.3:8080?x" },
		{ NULL, "http://localhost:1234/x", "http://localhost:1234/x" },
		{ NULL, "http://[::1]/x", "http://[::1]/x" },
		{ NULL, "http://[::1]:99/x", "http://[::1]:99/x" },
		{ NULL, "http://169.254.170.2/x", "http://169.254.170.2/x" },
		{ NULL, "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials" },
		{ NULL, "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials" },
		{ NULL, "https://vault.example/x", "https://vault.example/x" },
		{ NULL, "https://vault.example:8443", "https://vault.example:8443" },
		{ NULL, "http://vault.example/x", NULL },
		{ NULL, "http://169.254.170.3/x", NULL },
		{ NULL, "http://169.254.169.254/x", NULL },
		{ NULL, "http://[fd00:ec2::254]/x", NULL },
		{ NULL, "http://128.0.0.1/x", NULL },
		{ NULL, "http://127.1/x", NULL },
		{ NULL, "http://0x7f.0.0.1/x", NULL },
		{ NULL, "http://127.0.0.1.evil.example/x", NULL },
		{ NULL, "http://localhost.evil.example/x", NULL },
		{ NULL, "http://127.0.0.1@evil.example/x", NULL },
		{ NULL, "https://hush@vault.example/x", NULL },
		{ NULL, "http://127.0.0.1:80@evil.example/x", NULL },
		{ NULL, "http://127.0.0.1\\@evil.example/x", NULL },
		{ NULL, "http://127.0.0.1#@evil.example/x", NULL },
		{ NULL, "http://127.0.0.1:port/x", NULL },
		{ NULL, "http://127.0.0.1:/x", NULL },
		{ NULL, "http://127.0.0.1:123456/x", NULL },
		{ NULL, "http://[::1/x", NULL },
		{ NULL, "http://[::1]80/x", NULL },
		{ NULL, "http:///x", NULL },
		{ NULL, "http://", NULL },
		{ NULL, "ftp://127.0.0.1/x", NULL },
		{ NULL, "HTTP://127.0.0.1/x", NULL },
		{ NULL, "127.0.0.1/x", NULL },
		{ NULL, "/v2/x", NULL },
	};
	struct source_kit *kit = *state;

	kit->http.perform = remember;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsetenv(RELATIVE);
		unsetenv(FULL);
		if (rows[i].relative != NULL)
			setenv(RELATIVE, rows[i].relative, 1);
		if (rows[i].full != NULL)
			setenv(FULL, rows[i].full, 1);
		asked[0] = '\0';
		if (rows[i].asked != NULL)
			source_kit_expect_loaded(kit, SOURCE, "ASIACONT", "hush/+secret", "hush-token");
		else
			source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, rows[i].relative != NULL ? RELATIVE : FULL);
		assert_string_equal(asked, rows[i].asked == NULL ? "" : rows[i].asked);
	}
	char longer[3000] = "/";
	memset(longer + 1, 'x', sizeof(longer) - 2);
	setenv(RELATIVE, longer, 1);
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, RELATIVE);
}

/* --- the token ---------------------------------------------------------------------------------------------------- */

static void use_token_file(struct source_kit *kit, const char *text)
{
	char path[200];

	source_kit_file(kit, "token", "%s", text);
	snprintf(path, sizeof(path), "%s/token", kit->home);
	setenv(TOKEN_FILE, path, 1);
}

static void expect_sent(struct source_kit *kit, unsigned number, const char *header)
{
	source_kit_expect_loaded(kit, SOURCE, "ASIACONT", "hush/+secret", "hush-token");
	if (strstr(source_kit_request(kit, number), header) == NULL)
		fail_msg("%s", source_kit_request(kit, number));
}

static void tokens(void **state)
{
	struct source_kit *kit = *state;

	script(kit, (struct source_answer){ .body = GOOD });
	setenv(TOKEN, "Basic hush==", 1);
	expect_sent(kit, 0, "\r\nAuthorization: Basic hush==\r\n");
	use_token_file(kit, "hush-1"); /* wins */
	expect_sent(kit, 1, "\r\nAuthorization: hush-1\r\n");
	use_token_file(kit, "hush-2"); /* as it is now */
	expect_sent(kit, 2, "\r\nAuthorization: hush-2\r\n");
	char logged[] = "hush-1 hush-2 Basic hush==";
	log_redact(&kit->log, logged, sizeof(logged));
	assert_null(strstr(logged, "hush"));
	setenv(TOKEN_FILE, "", 1);
	expect_sent(kit, 3, "\r\nAuthorization: Basic hush==\r\n");
	setenv(TOKEN, "", 1);
	source_kit_expect_loaded(kit, SOURCE, "ASIACONT", "hush/+secret", "hush-token");
	assert_null(strstr(source_kit_request(kit, 4), "Authorization"));
}

static void bad_tokens(void **state)
{
	static const char *const rows[] = { "hush\n", "hush\r\nX-Evil: 1", "hush\x7f", "gr\xc3\xbc\xc3\x9f hush" };
	struct source_kit *kit = *state;

	script(kit, (struct source_answer){ .body = GOOD });
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv(TOKEN, rows[i], 1);
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, TOKEN ": the token holds a line break");
		setenv(TOKEN, "hush", 1);
		use_token_file(kit, rows[i]);
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "/token: the token holds a line break");
		unsetenv(TOKEN_FILE);
	}
	use_token_file(kit, "");
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "/token: the token is empty");
	char path[200];
	snprintf(path, sizeof(path), "%s/token", kit->home);
	assert_int_equal(truncate(path, 5), 0);
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "holds a NUL");
	assert_int_equal(truncate(path, 100000), 0);
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, TOKEN_FILE);
	unlink(path);
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "No such file");
	assert_int_equal(source_kit_requests(kit), 0);
}

/* --- what it answers ---------------------------------------------------------------------------------------------- */

static void malformed(void **state)
{
	static const struct {
		const char *body;
		const char *words;
		unsigned requests;
	} rows[] = {
		{ "", "not a JSON object", 3 },
		{ "<html>hush</html>", "not a JSON object", 3 },
		{ "[\"hush\"]", "not a JSON object", 3 },
		{ "{" KEYS, "not a JSON object", 3 },
		{ "{}", "the container's credentials service: AccessKeyId is missing", 1 },
		{ "{\"AccessKeyId\":\"A\"}", ": SecretAccessKey is missing", 1 },
		{ "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\"}", ": Token is missing", 1 },
		{ "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\",\"Token\":null}", ": Token is missing", 1 },
		{ "{" KEYS "}", ": Expiration is missing", 1 },
		{ "{" KEYS ",\"Expiration\":\"\"}", ": Expiration is empty", 1 },
		{ "{" KEYS ",\"Expiration\":\"2026-13-01T00:00:00Z\"}", ": Expiration is not a time", 1 },
		{ "{" KEYS ",\"Expiration\":\"2025-12-31T00:00:00Z\"}", "expired already, 86400 s ago", 1 },
		{ "{\"AccessKeyId\":\"A\\u0000B\",\"SecretAccessKey\":\"hush\"}", ": AccessKeyId is not a text", 1 },
		{ "{\"AccessKeyId\":\"A\\nB\",\"SecretAccessKey\":\"hush\",\"Token\":\"hush\",\"Expiration\":"
		  "\"2026-01-01T06:00:00Z\"}", "blanks or line breaks", 1 },
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script(kit, (struct source_answer){ .body = rows[i].body });
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, rows[i].words);
		assert_non_null(strstr(kit->err.message, FULL ": "));
		assert_int_equal(source_kit_requests(kit), rows[i].requests);
	}
}

static void refusals(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum error_kind kind;
		const char *words;
	} rows[] = {
		{ 400, "{\"code\":\"InvalidIdInRequest\",\"message\":\"hush\"}", ERROR_CONFIG,
		  "HTTP status 400 (InvalidIdInRequest): does the task or pod have a role" },
		{ 401, "hush", ERROR_CONFIG, "HTTP status 401: it may want a token" },
		{ 404, "", ERROR_CONFIG, "HTTP status 404: does the task or pod have a role" },
		{ 302, "", ERROR_CONFIG, "HTTP status 302" },
		{ 204, "", ERROR_CONFIG, "HTTP status 204" },
		{ 429, "", ERROR_NETWORK, "HTTP status 429" },
		{ 500, "{\"code\":\"hu sh\"}", ERROR_NETWORK, "HTTP status 500: try again" },
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script(kit, (struct source_answer){ .status = rows[i].status, .body = rows[i].body });
		source_kit_expect_error(kit, SOURCE, rows[i].kind, rows[i].words);
		assert_int_equal(kit->err.retryable, rows[i].kind == ERROR_NETWORK);
		assert_int_equal(kit->err.http_status, rows[i].status);
		assert_int_equal(source_kit_requests(kit), 3);
	}
	setenv(TOKEN, "hush", 1);
	script(kit, (struct source_answer){ .status = 403, .body = "" });
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "it does not take the token of " TOKEN_FILE);
}

/* Troubles that pass, each kind before the right answer. */
static void passing_troubles(void **state)
{
	static const struct source_answer troubles[] = {
		{ .way = SOURCE_RESETS }, { .way = SOURCE_CUTS, .body = GOOD }, { .status = 503, .body = "" },
		{ .status = 404, .body = "{}" }, { .body = "{\"half" }, { .way = SOURCE_HANGS },
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		script(kit, troubles[i]);
		source_kit_then(kit, troubles[i]);
		source_kit_then(kit, (struct source_answer){ .body = GOOD });
		source_kit_expect_loaded(kit, SOURCE, "ASIACONT", "hush/+secret", "hush-token");
		assert_int_equal(source_kit_requests(kit), 3);
	}
}

static void lasting_troubles(void **state)
{
	static const struct {
		enum source_way way;
		enum error_kind kind;
		const char *words;
	} rows[] = {
		{ SOURCE_RESETS, ERROR_NETWORK, "the container's credentials service: " },
		{ SOURCE_CUTS, ERROR_NETWORK, "the container's credentials service: " },
		{ SOURCE_HANGS, ERROR_TIMEOUT, "the container's credentials service: no answer in time" },
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script(kit, (struct source_answer){ .way = rows[i].way, .body = GOOD });
		source_kit_expect_error(kit, SOURCE, rows[i].kind, rows[i].words);
		assert_true(kit->err.retryable);
		assert_int_equal(source_kit_requests(kit), 3);
	}
	http_server_stop(kit->server);
	kit->server = NULL;
	source_kit_expect_error(kit, SOURCE, ERROR_NETWORK, "refused");
}

static void too_big(void **state)
{
	struct source_kit *kit = *state;
	static char body[70000];

	memset(body, ' ', sizeof(body) - 1);
	script(kit, (struct source_answer){ .body = body });
	source_kit_expect_error(kit, SOURCE, ERROR_TOO_BIG, "larger than 65536 bytes");
	assert_int_equal(source_kit_requests(kit), 1);
}

static int sleep_until_signal(void *self, int64_t ms, const struct cancel *cancel, struct error *err)
{
	struct source_kit *kit = self;

	(void)ms;
	assert_ptr_equal(cancel, &kit->cancel);
	cancel_raise(&kit->cancel, 2);
	return cancel_check(cancel, err);
}

static void a_signal_ends_it(void **state)
{
	struct source_kit *kit = *state;

	script(kit, (struct source_answer){ .way = SOURCE_SIGNALS });
	source_kit_expect_error(kit, SOURCE, ERROR_CANCELLED, "stopped by signal 15");
	assert_int_equal(source_kit_requests(kit), 1);
	/* and between two tries */
	cancel_clear(&kit->cancel);
	script(kit, (struct source_answer){ .status = 500, .body = "" });
	kit->clock.sleep_ms = sleep_until_signal;
	source_kit_expect_error(kit, SOURCE, ERROR_CANCELLED, "stopped by signal 2");
	assert_int_equal(source_kit_requests(kit), 1);
}

static void no_memory(void **state)
{
	struct source_kit *kit = *state;

	kit->http.perform = remember;
	setenv(FULL, "http://127.0.0.1/x", 1);
	setenv(TOKEN, "hush", 1);
	source_kit_expect_nomem(kit, &credentials_container);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(right),	 SOURCE_TEST(absent),	       SOURCE_TEST(addresses),
		SOURCE_TEST(tokens),	 SOURCE_TEST(bad_tokens),      SOURCE_TEST(malformed),
		SOURCE_TEST(refusals),	 SOURCE_TEST(passing_troubles), SOURCE_TEST(lasting_troubles),
		SOURCE_TEST(too_big),	 SOURCE_TEST(a_signal_ends_it), SOURCE_TEST(no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
