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
		const char *meant;    /* where that is another text */
	} table[] = {
		{ "nats://nats:hunter2@10.0.0.6:4222", "hunter2", NULL },
		{ "http://admin:p%40ss@registry:25777", "p%40ss", "p@ss" },
		{ "http://admin:p@ss:w@registry:25777/x?y", "p@ss:w", NULL },
		{ "https://u:only@host", "only", NULL },
		{ "https://user@host", NULL, NULL },
		{ "https://host:8080/a:b@c", NULL, NULL },
		{ "user:pass@host", NULL, NULL },
		{ "://", NULL, NULL },
		{ "https://", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
		struct log log;
		find(arena, arena_printf(arena, "{\"endpoint\":\"%s\"}", table[i].url), &log);
		assert_int_equal(log.n_secrets, (table[i].password != NULL) + (table[i].meant != NULL));
		if (table[i].meant != NULL)
			assert_true(is_secret(&log, table[i].meant));
		if (table[i].password != NULL)
			assert_true(is_secret(&log, table[i].password));
	}
}

/* A password that is all digits is a number in YAML; a time or a count under such a name is none. */
/* Whole and line by line, wherever it stands; the path of one is none. */
static void test_private_keys(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	struct log log;

	(void)state;
	find(arena,
	     "{\"ssh\":{\"host_key\":\"ssh-ed25519 AAAApublic\",\"private_key_file\":\"/home/me/id_ed25519\",\"onhost_path\":"
	     "\"-----BEGIN OPENSSH PRIVATE KEY-----\\ns-lineOfTheKey\\n-----END OPENSSH PRIVATE KEY-----\\n\"}}",
	     &log);
	assert_true(is_secret(&log, "s-lineOfTheKey"));
	assert_int_equal(log.n_secrets, 2);
	find(arena, "{\"private_key_file\":\"-----BEGIN RSA PRIVATE KEY-----\\ns-lineOfTheKey\\n\"}", &log);
	assert_true(is_secret(&log, "s-lineOfTheKey"));
}

static void test_numbers(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	struct log log;

	(void)state;
	find(arena, "{\"password\":12345678,\"token_ttl\":3600,\"other\":87654321}", &log);
	assert_int_equal(log.n_secrets, 1);
	assert_true(is_secret(&log, "12345678"));
}

/* Of the agent's configuration everything but ntp, whatever it is called. */
static void test_agent(void **state)
{
	static const char text[] =
		"{\"cloud\":{\"properties\":{\"aws\":{\"default_key_name\":\"the-key-pair\"},\"agent\":{"
		"\"ntp\":[\"0.pool.ntp.org\"],\"mbus\":\"nats://10.0.0.6:4222\",\"blobstore\":{\"provider\":\"dav\","
		"\"options\":{\"user\":\"agent-user-1\",\"x\":[{\"y\":\"deep-text-1\"}],\"mode\":\"readonly\"}}}}}}";
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	const struct json *root;
	struct log log;
	struct error err;

	(void)state;
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	assert_int_equal(json_parse(arena, text, strlen(text), 1 << 20, &root, &err), 0);
	assert_int_equal(secrets_of_configuration(&log, root, arena, &err), 0);
	assert_int_equal(log.n_secrets, 3);
	assert_true(is_secret(&log, "nats://10.0.0.6:4222"));
	assert_true(is_secret(&log, "agent-user-1"));
	assert_true(is_secret(&log, "deep-text-1"));
	assert_int_equal(secrets_of_configuration(&log, NULL, arena, &err), 0);
}

/* --- a request --- */

static void request_of(struct arena *arena, const char *method, const char *arguments, struct request *ret_request)
{
	struct error err;

	*ret_request = (struct request){ .method = method };
	if (json_parse(arena, arguments, strlen(arguments), 1 << 20, &ret_request->arguments, &err) != 0)
		fail_msg("%s: %s", err.message, arguments);
}

#define VM_PROPERTIES                                                                                                  \
	"{\"instance_type\":\"m5.large\",\"availability_zone\":\"us-east-1a\",\"kms\":\"p-unlisted\","              \
	"\"ephemeral_disk\":{\"size\":10240,\"type\":\"gp3\",\"kms_key_arn\":\"p-unlisted\"},"                      \
	"\"tags\":{\"type\":\"s-tag-value-1\",\"zone\":\"us-east-1a\"},\"user_data\":{\"type\":\"p-unlisted\"}}"
#define VM_NETWORKS                                                                                                    \
	"{\"default\":{\"type\":\"manual\",\"ip\":\"10.0.0.7\",\"secret_thing\":\"s-network\",\"cloud_properties\":"     \
	"{\"subnet\":\"subnet-1\",\"tags\":{\"a\":\"s-tag-value-2\"}}},\"odd\":\"p-odd\"}"
#define VM_ENV                                                                                                         \
	"{\"bosh\":{\"password\":\"s-pw\",\"type\":\"s-env-value-1\",\"group\":\"director\",\"tags\":{\"name\":"        \
	"\"s-env-value-2\",\"region\":\"eu-west-77\"},\"keys\":[\"s-env-value-3\",\"short\",\"correcthorsebattery\"],\"zone\":\"us-east-1a\"}}"

static void test_request(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	struct request request;
	struct error err;
	struct log log;

	(void)state;
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	request_of(arena, "create_vm",
		   "[\"agent-1\",\"ami-1\"," VM_PROPERTIES "," VM_NETWORKS ",[\"vol-1\"]," VM_ENV "]", &request);
	assert_int_equal(secrets_of_request(&log, &request, "eu-west-77", arena, &err), 0);
	static const char *const secret[] = { "s-tag-value-1", "s-tag-value-2", "s-network",	 "s-pw",
					      "s-env-value-1", "s-env-value-2", "s-env-value-3", "correcthorsebattery" };
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		assert_true(is_secret(&log, secret[i]));
	assert_int_equal(log.n_secrets, sizeof(secret) / sizeof(secret[0]));
}

/* A tag's value may be anything. */
static void test_an_actions_value(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	struct request request;
	struct error err;
	struct log log;

	(void)state;
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	request_of(arena, "set_worker_metadata",
		   "[{\"worker_id\":\"i-0123456789abcdef0\",\"key\":\"purpose-of-it\",\"value\":\"s-tag-value-1\"}]", &request);
	assert_int_equal(secrets_of_request(&log, &request, "eu-west-77", arena, &err), 0);
	assert_true(is_secret(&log, "s-tag-value-1"));
	assert_int_equal(log.n_secrets, 1);
}

static void test_allowed_text(void **state)
{
	static const struct {
		const char *method;
		const char *arguments;
		const char *text;
	} table[] = {
		{ "info", "[]", "[]" },
		{ "delete_vm", "[\"i-1\"]", "[\"i-1\"]" },
		{ "delete_vm", "[\"i-1\",\"more\"]", "[\"i-1\",\"<redacted>\"]" },
		{ "delete_vm", "[{\"password\":\"x\"}]", "[\"<redacted>\"]" },
		{ "no_such_method", "[\"x\",{\"type\":\"y\"}]", "[\"<redacted>\",\"<redacted>\"]" },
		{ "set_vm_metadata", "[\"i-1\",{\"name\":\"x\"}]", "[\"i-1\",\"<redacted>\"]" },
		{ "create_stemcell", "[\"/image\",{\"name\":\"s\",\"tags\":{\"name\":\"x\"}},{\"type\":\"x\"}]",
		  "[\"/image\",{\"name\":\"s\",\"tags\":\"<redacted>\"},\"<redacted>\"]" },
		{ "create_disk", "[1024,{\"type\":\"gp3\",\"iops\":3000.0,\"k\":[1]},null]",
		  "[1024,{\"type\":\"gp3\",\"iops\":3000.0,\"k\":\"<redacted>\"},null]" },
		{ "create_disk", "[1024,\"password\",[\"i-1\"]]", "[1024,\"<redacted>\",[\"i-1\"]]" },
		{ "set_worker_metadata", "[{\"worker_id\":\"i-1\",\"key\":\"k\",\"value\":\"v\",\"region\":\"r\"}]",
		  "[{\"worker_id\":\"i-1\",\"key\":\"k\",\"value\":\"<redacted>\",\"region\":\"r\"}]" },
		{ "create_worker", "[{\"worker_name\":\"w\",\"ami\":\"ami-1\",\"password\":\"x\"}]",
		  "[{\"worker_name\":\"w\",\"ami\":\"ami-1\",\"password\":\"<redacted>\"}]" },
		{ "get_worker", "[\"i-1\"]", "[\"<redacted>\"]" },
		{ "delete_snapshot", "[\"snap-1\"]", "[\"snap-1\"]" },
		{ "delete_snapshot", "[{\"snapshot_id\":\"snap-1\"}]", "[{\"snapshot_id\":\"snap-1\"}]" },
		{ "create_vm", "[\"agent-1\",\"ami-1\"," VM_PROPERTIES "," VM_NETWORKS ",[\"vol-1\"]," VM_ENV "]",
		  "[\"agent-1\",\"ami-1\",{\"instance_type\":\"m5.large\",\"availability_zone\":\"us-east-1a\","
		  "\"kms\":\"<redacted>\",\"ephemeral_disk\":{\"size\":10240,\"type\":\"gp3\",\"kms_key_arn\":"
		  "\"<redacted>\"},\"tags\":\"<redacted>\",\"user_data\":\"<redacted>\"},{\"default\":{\"type\":"
		  "\"manual\",\"ip\":\"10.0.0.7\",\"secret_thing\":\"<redacted>\",\"cloud_properties\":{\"subnet\":"
		  "\"subnet-1\",\"tags\":\"<redacted>\"}},\"odd\":\"<redacted>\"},[\"vol-1\"],\"<redacted>\"]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
		CLEANUP_BUF struct buf text = BUF_INIT(4096);
		struct request request;
		request_of(arena, table[i].method, table[i].arguments, &request);
		secrets_allowed_text(&request, &text);
		assert_string_equal(buf_text(&text), table[i].text);
	}
}

/* Line by line as well, but for what frames them. */
static void test_lines(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	struct log log;

	(void)state;
	find(arena, "{\"private_key\":\"-----BEGIN\\nMIIEvQIBADAN\\nshort\\n\\nw0BAQEFAASC\\n-----END\\n\"}", &log);
	assert_int_equal(log.n_secrets, 3);
	assert_string_equal(log.secrets[0], "-----BEGIN\nMIIEvQIBADAN\nshort\n\nw0BAQEFAASC\n-----END\n");
	assert_true(is_secret(&log, "MIIEvQIBADAN"));
	assert_true(is_secret(&log, "w0BAQEFAASC"));
}

/* Also where they do not all fit: what is secret by its name comes first. */
static void test_too_many(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 22);
	CLEANUP_BUF struct buf text = BUF_INIT(1 << 20);
	struct request request;
	struct error err;
	struct log log;

	(void)state;
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	buf_str(&text, "[\"i-1\",{");
	for (unsigned i = 0; i < 2 * LOG_MAX_SECRETS; i++)
		buf_printf(&text, "\"%u\":\"a value with number %u\",", i, i);
	buf_str(&text, "\"password\":\"s-pw\"}]");
	request_of(arena, "set_vm_metadata", buf_text(&text), &request);
	assert_int_equal(secrets_of_request(&log, &request, NULL, arena, &err), 0);
	assert_int_equal(log.n_secrets, LOG_MAX_SECRETS);
	assert_string_equal(log.secrets[0], "s-pw");
}

static void test_environment(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	struct log log;
	struct error err;

	(void)state;
	clearenv();
	log_init(&log, -1, LOG_LEVEL_INFO, NULL);
	assert_int_equal(secrets_of_environment(&log, arena, &err), 0);
	assert_int_equal(log.n_secrets, 0);
	setenv("AWS_SECRET_ACCESS_KEY", "from-env", 1);
	setenv("AWS_SESSION_TOKEN", "of-session", 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-container", 1);
	setenv("https_proxy", "http://me:of%20proxy@10.0.0.1:3128", 1);
	setenv("ALL_PROXY", "me:schemeless@10.0.0.1:3128", 1);
	setenv("AWS_ENDPOINT_URL_STS", "https://u:of-endpoint@sts.example.com/", 1);
	setenv("MAIL", "me:hello@example.com", 1);
	setenv("no_proxy", "localhost", 1);
	setenv("EMPTY", "", 1);
	assert_int_equal(secrets_of_environment(&log, arena, &err), 0);
	static const char *const secret[] = { "from-env", "of-session", "of-container", "of%20proxy", "of proxy",
					      "schemeless", "of-endpoint" };
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		assert_true(is_secret(&log, secret[i]));
	assert_int_equal(log.n_secrets, sizeof(secret) / sizeof(secret[0]));
	CLEANUP_ARENA struct arena *small = arena_new(8);
	assert_int_equal(secrets_of_environment(&log, small, &err), -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
	clearenv();
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
		cmocka_unit_test(test_private_keys),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_allowed_text),
		cmocka_unit_test(test_an_actions_value),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
