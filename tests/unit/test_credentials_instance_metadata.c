/* SPDX-License-Identifier: Apache-2.0 */
/* The instance profile's credentials, from a metadata service of the test's own, and which settings decide how that is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/aws/metadata.h"
#include "tests/unit/source_kit.h"

#define SOURCE &credentials_instance_metadata
#define KEYS "\"AccessKeyId\":\"ASIAROLE\",\"SecretAccessKey\":\"hush/+secret\",\"Token\":\"hush-token\""
#define DOCUMENT(expiration) \
	"{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\"," KEYS ",\"Expiration\":\"" expiration "\"}"
#define GOOD DOCUMENT("2026-01-01T06:00:00Z")
#define IMDS_TOKEN (struct source_answer){ .body = "imds-token" }

/* The token call, the roles, and the role's document. */
static void script(struct source_kit *kit, const char *role, const char *document)
{
	source_kit_script(kit, IMDS_TOKEN);
	source_kit_then(kit, (struct source_answer){ .body = role });
	source_kit_then(kit, (struct source_answer){ .body = document });
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", http_server_url(kit->server, ""), 1);
}

/* One answer for all. */
static void script_one(struct source_kit *kit, struct source_answer answer)
{
	source_kit_script(kit, answer);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", http_server_url(kit->server, ""), 1);
}

static void expect_loaded(struct source_kit *kit)
{
	source_kit_expect_loaded(kit, SOURCE, "ASIAROLE", "hush/+secret", "hush-token");
}

static void expect_request(struct source_kit *kit, unsigned number, const char *words)
{
	if (strstr(source_kit_request(kit, number), words) == NULL)
		fail_msg("'%s' is not in: %s", words, source_kit_request(kit, number));
}

static void right(void **state)
{
	struct source_kit *kit = *state;

	script(kit, "some-role+=,.@_1\nsecond", GOOD);
	expect_loaded(kit);
	assert_int_equal(kit->credentials.expires_at, SOURCE_NOW + 6 * 3600);
	assert_true(kit->credentials.stay_in_use);
	expect_request(kit, 0, "PUT /latest/api/token HTTP/1.1\r\n");
	expect_request(kit, 1, "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n");
	expect_request(kit, 2, "GET /latest/meta-data/iam/security-credentials/some-role+=,.@_1 HTTP/1.1\r\n");
	expect_request(kit, 2, "\r\nX-aws-ec2-metadata-token: imds-token\r\n");
	assert_null(strstr(source_kit_log(kit), "expired"));
}

static void absent(void **state)
{
	struct source_kit *kit = *state;

	script(kit, "", GOOD);
	source_kit_expect_absent(kit, SOURCE, "no instance profile");
	source_kit_script(kit, IMDS_TOKEN);
	source_kit_then(kit, (struct source_answer){ .status = 404, .body = "" });
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", http_server_url(kit->server, ""), 1);
	source_kit_expect_absent(kit, SOURCE, "no instance profile");
	setenv("AWS_EC2_METADATA_DISABLED", "True", 1);
	source_kit_expect_absent(kit, SOURCE, "AWS_EC2_METADATA_DISABLED is true");
	assert_int_equal(source_kit_requests(kit), 2);
	unsetenv("AWS_EC2_METADATA_DISABLED");
	http_server_stop(kit->server);
	kit->server = NULL;
	source_kit_expect_absent(kit, SOURCE, "does not look like an EC2 instance");
	script_one(kit, (struct source_answer){ .status = 403, .body = "" });
	source_kit_expect_absent(kit, SOURCE, "switched off");
}

static void malformed(void **state)
{
	static const char *const rows[][2] = {
		{ "", "credentials of role r" },
		{ "<html>hush</html>", "credentials of role r" },
		{ "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume the role\"}",
		  "role r: AssumeRoleUnauthorizedAccess: EC2 cannot assume the role: check the instance profile" },
		{ "{\"Code\":\"Failed\"}", "role r: Failed: check" },
		{ "{\"Code\":\"Success\"}", "role r: the instance metadata service: AccessKeyId is missing" },
		{ "{\"AccessKeyId\":\"A\"}", ": SecretAccessKey is missing" },
		{ "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\"}", ": Token is missing" },
		{ "{" KEYS "}", ": Expiration is missing" },
		{ DOCUMENT("soon"), ": Expiration is not a time" },
		{ "{\"AccessKeyId\":\"A B\",\"SecretAccessKey\":\"hush\",\"Token\":\"hush\",\"Expiration\":"
		  "\"2026-01-01T06:00:00Z\"}", "blanks or line breaks" },
	};
	static const char *const names[] = {
		"../other", "a b", "<html>captive portal</html>", "a?b",
		"a-name-of-more-than-sixty-four-characters-which-is-what-iam-allows",
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script(kit, "r", rows[i][0]);
		assert_int_equal(source_kit_load(kit, SOURCE), -1);
		if (strstr(kit->err.message, rows[i][1]) == NULL)
			fail_msg("row %zu: %s", i, kit->err.message);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		script(kit, names[i], GOOD);
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "a role's name that cannot be one");
		assert_int_equal(source_kit_requests(kit), 2);
	}
	source_kit_script(kit, IMDS_TOKEN);
	source_kit_then(kit, (struct source_answer){ .body = "r" });
	source_kit_then(kit, (struct source_answer){ .status = 404, .body = "" });
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", http_server_url(kit->server, ""), 1);
	source_kit_expect_error(kit, SOURCE, ERROR_METADATA, "credentials of the instance's role r: ");
}

/* Credentials past their end: in use, with a warning, and asked for again after five to ten minutes. */
static void past_their_end(void **state)
{
	struct source_kit *kit = *state;

	script(kit, "r", DOCUMENT("2026-01-01T00:00:01Z"));
	expect_loaded(kit);
	assert_int_equal(kit->credentials.expires_at, SOURCE_NOW + 1);
	assert_null(strstr(source_kit_log(kit), "expired"));
	static const char *const ends[] = { DOCUMENT("2026-01-01T00:00:00Z"), DOCUMENT("2025-12-31T12:00:00Z") };
	for (size_t i = 0; i < 2; i++) {
		script(kit, "r", ends[i]);
		expect_loaded(kit);
		assert_in_range(kit->credentials.expires_at, SOURCE_NOW + 600, SOURCE_NOW + 900);
		assert_false(credentials_expiring(&kit->credentials, SOURCE_NOW + 299));
		assert_true(credentials_expiring(&kit->credentials, SOURCE_NOW + 600));
		assert_true(kit->credentials.stay_in_use);
	}
	assert_non_null(strstr(source_kit_log(kit), "WARN -- : instance metadata: the credentials of role r expired 43200 s ago"));
}

static void an_ill_service(void **state)
{
	struct source_kit *kit = *state;

	script_one(kit, (struct source_answer){ .status = 503, .body = "" });
	source_kit_expect_error(kit, SOURCE, ERROR_METADATA, "503");
	assert_true(kit->err.retryable);
	static char body[70000];
	memset(body, 'x', sizeof(body) - 1);
	script(kit, "r", body);
	source_kit_expect_error(kit, SOURCE, ERROR_METADATA, "larger than 65536 bytes");
	source_kit_script(kit, IMDS_TOKEN);
	source_kit_then(kit, (struct source_answer){ .body = "r" });
	source_kit_then(kit, (struct source_answer){ .way = SOURCE_CUTS, .body = GOOD });
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", http_server_url(kit->server, ""), 1);
	source_kit_expect_error(kit, SOURCE, ERROR_METADATA, "credentials of the instance's role r");
}

static void version_1(void **state)
{
	struct source_kit *kit = *state;

	script(kit, "r", GOOD);
	source_kit_change(kit, 0, (struct source_answer){ .status = 405, .body = "" });
	expect_loaded(kit);
	assert_non_null(strstr(source_kit_log(kit), "version 1 is used, because the token call was answered with HTTP status 405"));
	assert_null(strstr(source_kit_request(kit, 2), "X-aws-ec2-metadata-token"));
	script(kit, "r", GOOD);
	source_kit_change(kit, 0, (struct source_answer){ .way = SOURCE_HANGS });
	expect_loaded(kit);
	assert_non_null(strstr(source_kit_log(kit), "set HttpPutResponseHopLimit to 2"));
	/* ruled out, by a variable or by the profile that is the active one */
	static const struct {
		const char *variable;
		const char *key;
		bool ruled_out;
	} rows[] = { { "true", NULL, true }, { NULL, "TRUE", true }, { "false", "true", false }, { "", "true", true } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsetenv("AWS_EC2_METADATA_V1_DISABLED");
		if (rows[i].variable != NULL)
			setenv("AWS_EC2_METADATA_V1_DISABLED", rows[i].variable, 1);
		source_kit_file(kit, ".aws/config", "[default]\nec2_metadata_v1_disabled = %s\n",
				rows[i].key == NULL ? "" : rows[i].key);
		script(kit, "r", GOOD);
		source_kit_change(kit, 0, (struct source_answer){ .status = 403, .body = "" });
		if (rows[i].ruled_out)
			source_kit_expect_absent(kit, SOURCE, "version 1 is ruled out");
		else
			expect_loaded(kit);
	}
}

static void a_signal_ends_it(void **state)
{
	struct source_kit *kit = *state;

	script(kit, "r", GOOD);
	for (unsigned i = 0; i < 3; i++) {
		script(kit, "r", GOOD);
		source_kit_change(kit, i, (struct source_answer){ .way = SOURCE_SIGNALS });
		assert_int_equal(source_kit_load(kit, SOURCE), -1);
		assert_int_equal(kit->err.kind, ERROR_CANCELLED);
		cancel_clear(&kit->cancel);
	}
}

/* --- how it is asked ---------------------------------------------------------------------------------------------- */

static void settings(void **state)
{
	static const struct {
		const char *variables[3]; /* "NAME=value" */
		const char *keys;         /* of the default profile */
		const char *argument;
		const char *endpoint; /* NULL: an error */
		int64_t timeout_ms;
		unsigned attempts;
	} rows[] = {
		{ { NULL }, "", NULL, "http://169.254.169.254", 0, 0 },
		{ { NULL }, "ec2_metadata_service_endpoint = http://127.0.0.1:1/\n", NULL, "http://127.0.0.1:1", 0, 0 },
		{ { "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:2" },
		  "ec2_metadata_service_endpoint = http://127.0.0.1:1/\n", NULL, "http://127.0.0.1:2", 0, 0 },
		{ { "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:2" }, "", "http://127.0.0.1:3", "http://127.0.0.1:3", 0, 0 },
		{ { NULL }, "ec2_metadata_service_endpoint_mode = IPv6\n", NULL, "http://[fd00:ec2::254]", 0, 0 },
		{ { "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv4" }, "ec2_metadata_service_endpoint_mode = IPv6\n", NULL,
		  "http://169.254.169.254", 0, 0 },
		{ { "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv6" }, "ec2_metadata_service_endpoint = http://h\n", NULL,
		  "http://h", 0, 0 },
		{ { "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv5" }, "", NULL, NULL, 0, 0 },
		{ { "AWS_IMDS_USE_IPV6=true" }, "", NULL, "http://[fd00:ec2::254]", 0, 0 },
		{ { "AWS_IMDS_USE_IPV6=true", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv4" }, "", NULL,
		  "http://169.254.169.254", 0, 0 },
		{ { "AWS_METADATA_SERVICE_TIMEOUT=2", "AWS_METADATA_SERVICE_NUM_ATTEMPTS=4" }, "metadata_service_timeout = 3\n",
		  NULL, "http://169.254.169.254", 2000, 4 },
		{ { NULL }, "metadata_service_timeout = 3\nmetadata_service_num_attempts = 5\n", NULL,
		  "http://169.254.169.254", 3000, 5 },
		{ { "AWS_METADATA_SERVICE_TIMEOUT=0" }, "", NULL, NULL, 0, 0 },
		{ { "AWS_METADATA_SERVICE_TIMEOUT=1.5" }, "", NULL, NULL, 0, 0 },
		{ { "AWS_METADATA_SERVICE_NUM_ATTEMPTS=101" }, "", NULL, NULL, 0, 0 },
		{ { "AWS_METADATA_SERVICE_NUM_ATTEMPTS=many" }, "", NULL, NULL, 0, 0 },
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct imds imds;
		struct error err = { 0 };
		char names[3][100] = { "" };
		for (size_t k = 0; k < 3 && rows[i].variables[k] != NULL; k++) {
			size_t len = strcspn(rows[i].variables[k], "=");
			snprintf(names[k], sizeof(names[k]), "%.*s", (int)len, rows[i].variables[k]);
			setenv(names[k], rows[i].variables[k] + len + 1, 1);
		}
		source_kit_file(kit, ".aws/config", "[default]\n%s", rows[i].keys);
		assert_int_equal(profiles_load(kit->arena, &kit->profiles, NULL), 0);
		int done = metadata_open(&imds, &kit->runtime, &kit->profiles, rows[i].argument, &err);
		if (done != (rows[i].endpoint == NULL ? -1 : 0))
			fail_msg("row %zu: %s", i, err.message);
		if (done == 0) {
			assert_string_equal(imds.endpoint, rows[i].endpoint);
			assert_int_equal(imds.timeout_ms, rows[i].timeout_ms);
			assert_int_equal(imds.attempts, rows[i].attempts);
		} else {
			assert_int_equal(err.kind, ERROR_CONFIG);
		}
		for (size_t k = 0; k < 3 && names[k][0] != '\0'; k++)
			unsetenv(names[k]);
	}
	struct imds imds;
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:2", 1);
	assert_int_equal(metadata_open(&imds, &kit->runtime, NULL, NULL, NULL), 0);
	assert_string_equal(imds.endpoint, "http://127.0.0.1:2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(right),	     SOURCE_TEST(absent),    SOURCE_TEST(malformed),	   SOURCE_TEST(past_their_end),
		SOURCE_TEST(an_ill_service), SOURCE_TEST(version_1), SOURCE_TEST(a_signal_ends_it), SOURCE_TEST(settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
