/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char *const variables[] = {
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ACCOUNT_ID",
	"AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE",
	"AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CREDENTIAL_FILE",
	"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"AWS_EC2_METADATA_V1_DISABLED", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO",
	"AWS_STS_REGIONAL_ENDPOINTS", "AWS_REGION", "AWS_DEFAULT_REGION",
};

static int give(int status, const char *body, struct http_response *ret_response)
{
	assert_non_null(body);
	*ret_response = (struct http_response){ .status = status, .body = body, .body_len = strlen(body) };
	return 0;
}

static const char *time_text(struct chain_kit *kit, int64_t seconds)
{
	time_t then = (time_t)(FAKE_NOW + kit->fake.now_ms / 1000 + seconds);
	struct tm utc;
	char text[32];

	assert_non_null(gmtime_r(&then, &utc));
	assert_int_not_equal(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc), 0);
	return arena_strdup(kit->arena, text);
}

/* What stands between RoleArn's last slash and the next parameter. */
static void role_name(const char *body, char *name, size_t size)
{
	const char *arn = strstr(body, "&RoleArn=");

	assert_non_null(arn);
	const char *end = arn + 1 + strcspn(arn + 1, "&");
	const char *start = end;
	while (strncmp(start, "%2F", 3) != 0)
		start--;
	snprintf(name, size, "%.*s", (int)(end - start - 3), start + 3);
}

static int answer_sts(struct chain_kit *kit, const char *body, const char *action, const char *prefix,
		      struct arena *arena, struct http_response *ret_response)
{
	char name[64];
	char id[80];

	role_name(body, name, sizeof(name));
	if (kit->denied_role != NULL && strcmp(name, kit->denied_role) == 0)
		return give(403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User is not authorized"
			    "</Message></Error><RequestId>req-denied</RequestId></ErrorResponse>", ret_response);
	snprintf(id, sizeof(id), "%s-%s", prefix, name);
	return give(200, arena_printf(arena,
		    "<%sResponse><%sResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>secret-of-%s"
		    "</SecretAccessKey><SessionToken>token-of-%s</SessionToken><Expiration>%s</Expiration></Credentials>"
		    "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/%s/s</Arn></AssumedRoleUser></%sResult>"
		    "</%sResponse>", action, action, id, id, id, time_text(kit, kit->lifetime_s), name, action, action),
		    ret_response);
}

static int answer_metadata(struct chain_kit *kit, const struct http_request *request, struct arena *arena,
			   struct http_response *ret_response, struct error *err)
{
	if (!kit->has_metadata)
		return error_set(err, ERROR_NETWORK, "connection refused");
	if (strcmp(request->method, "PUT") == 0)
		return give(200, "metadata-token", ret_response);
	if (strstr(request->url, "/security-credentials/director") == NULL)
		return give(200, "director", ret_response);
	return give(200, arena_printf(arena, "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIAIMDS\",\"SecretAccessKey\":"
		    "\"secret-of-ASIAIMDS\",\"Token\":\"token-of-ASIAIMDS\",\"Expiration\":\"%s\"}",
		    time_text(kit, 6 * 3600)), ret_response);
}

static void record(struct chain_kit *kit, const struct http_request *request)
{
	assert_true(kit->n_requests < CHAIN_MAX_REQUESTS);
	struct chain_request *seen = &kit->requests[kit->n_requests++];

	*seen = (struct chain_request){ 0 };
	snprintf(seen->url, sizeof(seen->url), "%s", request->url);
	snprintf(seen->body, sizeof(seen->body), "%.*s", (int)request->body_len,
		 request->body == NULL ? "" : (const char *)request->body);
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcmp(request->headers[i].name, "Authorization") == 0)
			snprintf(seen->authorization, sizeof(seen->authorization), "%s", request->headers[i].value);
	}
}

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	struct chain_kit *kit = self;

	if (cancel_check(cancel, err) != 0)
		return -1;
	record(kit, request);
	const char *body = kit->requests[kit->n_requests - 1].body;
	if (strncmp(body, "Action=AssumeRole&", strlen("Action=AssumeRole&")) == 0)
		return answer_sts(kit, body, "AssumeRole", "ASIASTS", arena, ret_response);
	if (strncmp(body, "Action=AssumeRoleWithWebIdentity&", strlen("Action=AssumeRoleWithWebIdentity&")) == 0)
		return answer_sts(kit, body, "AssumeRoleWithWebIdentity", "ASIAWEB", arena, ret_response);
	if (strstr(request->url, "/federation/credentials") != NULL)
		return give(200, "{\"roleCredentials\":{\"accessKeyId\":\"ASIASSO\",\"secretAccessKey\":"
			    "\"secret-of-ASIASSO\",\"sessionToken\":\"token-of-ASIASSO\",\"expiration\":4102444800000}}",
			    ret_response);
	if (strncmp(request->url, "http://127.0.0.1:1/", strlen("http://127.0.0.1:1/")) == 0)
		return give(200, "{\"AccessKeyId\":\"ASIACONTAINER\",\"SecretAccessKey\":"
			    "\"secret-of-ASIACONTAINER\",\"Token\":\"token-of-ASIACONTAINER\",\"Expiration\":"
			    "\"2100-01-01T00:00:00Z\"}", ret_response);
	if (strncmp(request->url, "http://169.254.169.254/", strlen("http://169.254.169.254/")) == 0)
		return answer_metadata(kit, request, arena, ret_response, err);
	fail_msg("nobody answers %s %s", request->url, body);
	return -1;
}

void chain_open(struct chain_kit *kit)
{
	*kit = (struct chain_kit){ .lifetime_s = 3600 };
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	fake_aws_open(&kit->fake);
	tree_make(&kit->home);
	setenv("HOME", kit->home.root, 1);
	kit->arena = arena_new((size_t)64 * 1024 * 1024);
	kit->fake.http.perform = perform;
	kit->fake.http.self = kit;
	kit->fake.settings = (struct aws_settings){ .region = "eu-west-1", .credentials_source = "env_or_profile",
						    .max_retries = 2 };
	kit->context = (struct credentials_context){
		.runtime = &kit->fake.runtime,
		.settings = &kit->fake.settings,
		.arena = kit->arena,
	};
	chain_files(kit, NULL, NULL);
}

void chain_close(struct chain_kit *kit)
{
	log_forget_secrets(&kit->fake.log, kit->arena);
	fake_aws_close(&kit->fake);
	arena_free(kit->arena);
	tree_remove(&kit->home);
}

void chain_files(struct chain_kit *kit, const char *config, const char *credentials)
{
	struct error err;

	tree_file(&kit->home, config == NULL ? "" : config, ".aws/config");
	tree_file(&kit->home, credentials == NULL ? "" : credentials, ".aws/credentials");
	if (profiles_load(kit->arena, &kit->profiles, &err) != 0)
		fail_msg("%s", err.message);
	kit->fake.settings.profiles = &kit->profiles;
	kit->context.profiles = &kit->profiles;
}

const char *chain_file(struct chain_kit *kit, const char *name, const char *content)
{
	static char path[4096];

	tree_file(&kit->home, content, "%s", name);
	return tree_path(&kit->home, name, path, sizeof(path));
}

struct credentials chain_expect(struct chain_kit *kit, const char *access_key_id, const char *source)
{
	struct credentials credentials;
	struct error err = { 0 };
	char text[512];

	if (credentials_load(&kit->context, &credentials, &err) != 0)
		fail_msg("%s", err.message);
	assert_string_equal(credentials.access_key_id, access_key_id);
	if (source != NULL)
		assert_string_equal(credentials.source, source);
	snprintf(text, sizeof(text), "x %s x %s x, redacted many times over", credentials.secret_access_key,
		 credentials.session_token == NULL ? "" : credentials.session_token);
	log_redact(&kit->fake.log, text, sizeof(text));
	assert_null(strstr(text, credentials.secret_access_key));
	if (credentials.session_token != NULL)
		assert_null(strstr(text, credentials.session_token));
	return credentials;
}

void chain_expect_error(struct chain_kit *kit, const char *in_message)
{
	struct credentials credentials = { .access_key_id = "untouched" };
	struct error err = { 0 };

	if (credentials_load(&kit->context, &credentials, &err) == 0)
		fail_msg("no error, but %s from %s", credentials.access_key_id, credentials.source);
	if (strstr(err.message, in_message) == NULL)
		fail_msg("'%s' is not in: %s", in_message, err.message);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_null(strstr(err.message, "secret-of-"));
	assert_null(strstr(err.message, "token-of-"));
	assert_string_equal(credentials.access_key_id, "untouched");
}

unsigned chain_count(const struct chain_kit *kit, const char *action)
{
	char start[100];
	unsigned count = 0;

	snprintf(start, sizeof(start), "Action=%s&", action);
	for (unsigned i = 0; i < kit->n_requests; i++)
		count += strncmp(kit->requests[i].body, start, strlen(start)) == 0;
	return count;
}
