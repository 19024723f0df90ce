/* SPDX-License-Identifier: Apache-2.0 */
/* Which texts of a configuration are secret, and which are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpi/secrets.h"
#include "tests/unit/fail_alloc.h"

static bool is_secret(const struct log *log, const char *text)
{
	for (size_t i = 0; i < log->n_secrets; i++) {
		if (strcmp(log->secrets[i], text) == 0)
			return true;
	}
	return false;
}

static void find(struct arena *arena, const char *text, struct log *ret_log)
{
	const struct json *root;
	struct error err;

	log_init(ret_log, -1, LOG_LEVEL_INFO, NULL);
	assert_int_equal(json_parse(arena, text, strlen(text), 1 << 20, &root, &err), 0);
	assert_int_equal(secrets_of_json(ret_log, root, arena, &err), 0);
}

static void test_names(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	struct log log;

	(void)state;
	find(arena,
	     "{\"aws\":{\"secret_access_key\":\"s-key\",\"session_token\":\"s-token\",\"access_key_id\":\"p-id\",\"region\":\"p-region\","
	     "\"credentials_source\":\"p-source\",\"metadata_options\":{\"http_tokens\":\"p-required\"}},"
	     "\"agent\":{\"blobstore\":{\"options\":{\"password\":\"s-blob\",\"user\":\"p-user\"}},\"mbus\":{\"cert\":"
	     "{\"private_key\":\"s-private\",\"certificate\":\"p-cert\"}}},\"passwords\":[\"s-one\",{\"x\":\"s-two\"}]}",
	     &log);
	static const char *const secret[] = { "s-key", "s-token", "s-blob", "s-private", "s-one", "s-two" };
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		assert_true(is_secret(&log, secret[i]));
	assert_int_equal(log.n_secrets, sizeof(secret) / sizeof(secret[0]));
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		const char *password; /* NULL: none */
	} table[] = {
		{ "nats://nats:hunter2@10.0.0.6:4222", "hunter2" },
		{ "http://admin:p%40ss@registry:25777", "p%40ss" },
		{ "http://admin:p@ss:w@registry:25777/x?y", "p@ss:w" },
		{ "https://u:only@host", "only" },
		{ "https://user@host", NULL },
		{ "https://host:8080/a:b@c", NULL },
		{ "user:pass@host", NULL },
		{ "://", NULL },
		{ "https://", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
		struct log log;
		find(arena, arena_printf(arena, "{\"endpoint\":\"%s\"}", table[i].url), &log);
		assert_int_equal(log.n_secrets, table[i].password != NULL);
		if (table[i].password != NULL)
			assert_true(is_secret(&log, table[i].password));
	}
}

static void test_environment(void **state)
{
	struct log log;

	(void)state;
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	setenv("AWS_SECRET_ACCESS_KEY", "from-env", 1);
	unsetenv("AWS_SESSION_TOKEN");
	secrets_of_environment(&log);
	assert_int_equal(log.n_secrets, 1);
	assert_true(is_secret(&log, "from-env"));
}

static void test_nothing(void **state)
{
	struct log log;
	struct error err;

	(void)state;
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	assert_int_equal(secrets_of_json(&log, NULL, NULL, &err), 0);
	assert_int_equal(log.n_secrets, 0);
}

static void test_no_memory(void **state)
{
	CLEANUP_ARENA struct arena *tree = arena_new(1 << 20);
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	static const char text[] = "[\"nats://nats:hunter2@10.0.0.6:4222\"]";
	const struct json *root;
	struct log log;
	struct error err;

	(void)state;
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	assert_int_equal(json_parse(tree, text, strlen(text), 1 << 20, &root, &err), 0);
	fail_alloc_after(0);
	int result = secrets_of_json(&log, root, arena, &err);
	assert_true(fail_alloc_off());
	assert_int_equal(result, -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
