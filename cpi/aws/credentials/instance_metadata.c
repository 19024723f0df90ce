/* SPDX-License-Identifier: Apache-2.0 */
/* The instance profile's keys. How the metadata service is spoken to is common/imds.c's. Not being on EC2 is "absent";
 * keys that AWS could not make, or that are malformed, are an error.
 * Fact: "IAM roles for Amazon EC2", Amazon EC2 User Guide. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/imds.h"
#include "common/json_read.h"
#include "common/log.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/credentials/document.h"
#include "cpi/aws/metadata.h"

#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"
#define MAX_ROLE 64
/* Credentials past their end are asked for again after five to ten minutes, so that not all instances ask at once. */
#define LOOK_AGAIN_S 300
#define LOOK_AGAIN_JITTER_S 300
#define RELOAD_BEFORE_S 300 /* credentials_expiring's */

static int absent(enum credentials_found *ret_found, char *why, size_t why_size, const char *reason)
{
	snprintf(why, why_size, "%s", reason);
	*ret_found = CREDENTIALS_ABSENT;
	return 0;
}

/* The role's name stands alone; a list would end with the first line. "" for none, NULL for what is no name. */
static const char *role_name(struct arena *arena, const char *answer, struct error *err)
{
	size_t len = strcspn(answer, "\r\n");
	bool is_name = len <= MAX_ROLE;

	for (size_t i = 0; i < len && is_name; i++)
		is_name = isalnum((unsigned char)answer[i]) || strchr("+=,.@_-", answer[i]) != NULL;
	if (!is_name) {
		error_set(err, ERROR_CONFIG, "the instance metadata service gives a role's name that cannot be one: is it "
			  "the metadata service of an EC2 instance?");
		return NULL;
	}
	const char *role = arena_strndup(arena, answer, len);
	if (role == NULL)
		error_nomem(err);
	return role;
}

static int refused_by_aws(const char *role, const char *code, const char *message, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "the instance metadata service has no credentials for role %s: %s%s%s: check "
			 "the instance profile and the role's trust policy", role, code, message == NULL ? "" : ": ",
			 message == NULL ? "" : message);
}

/* AWS goes on to take an instance's credentials while the service that renews them is ill. They get a new end, so
 * that they are not asked for with every call. */
static void stretch(const struct credentials_context *context, const char *role, struct credentials *credentials)
{
	const struct runtime *runtime = context->runtime;
	int64_t now = runtime->clock->wall_us(runtime->clock->self) / 1000000;
	int64_t pause = LOOK_AGAIN_S + backoff_delay_ms(0, LOOK_AGAIN_JITTER_S, LOOK_AGAIN_JITTER_S);

	credentials->stay_in_use = true;
	if (credentials->expires_at > now)
		return;
	log_warn(runtime->log, "instance metadata: the credentials of role %s expired %lld s ago and have not been renewed; "
		 "they stay in use, as AWS may still take them, and are asked for again in %lld s. If AWS refuses them, "
		 "check this machine's clock and the AWS Health Dashboard", role,
		 (long long)(now - credentials->expires_at), (long long)pause);
	credentials->expires_at = now + pause + RELOAD_BEFORE_S;
}

static int read_document(const struct credentials_context *context, const char *role, const char *text,
			 struct credentials *ret_credentials, struct error *err)
{
	const struct document document = {
		.whose = "the instance metadata service",
		.id = "AccessKeyId",
		.secret = "SecretAccessKey",
		.token = "Token",
		.expiration = "Expiration",
		.may_be_expired = true,
	};
	const struct json *root;
	struct credentials credentials;

	if (json_parse(context->arena, text, strlen(text), IMDS_MAX_ANSWER, &root, err) != 0)
		return error_prefix(err, "the instance metadata service's credentials of role %s", role);
	const char *code = json_text(json_get(root, "Code"));
	if (code != NULL && strcmp(code, "Success") != 0)
		return refused_by_aws(role, code, json_text(json_get(root, "Message")), err);
	if (document_read(context, root, &document, &credentials, err) != 0)
		return error_prefix(err, "credentials of the instance's role %s", role);
	stretch(context, role, &credentials);
	*ret_credentials = credentials;
	return 0;
}

static int read_role(const struct credentials_context *context, struct imds *imds, const char *role,
		     struct credentials *ret_credentials, struct error *err)
{
	const char *path = arena_printf(context->arena, ROLES_PATH "%s", role);
	const char *text;

	if (path == NULL)
		return error_nomem(err);
	if (imds_get(imds, path, context->arena, &text, NULL, err) != 0)
		return error_prefix(err, "credentials of the instance's role %s", role);
	return read_document(context, role, text, ret_credentials, err);
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	struct imds imds;
	struct error failure = { 0 };
	const char *roles;
	bool found;

	if (metadata_open(&imds, context->runtime, context->profiles, NULL, err) != 0)
		return -1;
	if (imds.disabled)
		return absent(ret_found, why, why_size, "AWS_EC2_METADATA_DISABLED is true");
	if (imds_get(&imds, ROLES_PATH, context->arena, &roles, &found, &failure) != 0) {
		/* an overloaded service is there, and has them */
		if (failure.kind == ERROR_METADATA && !failure.retryable)
			return absent(ret_found, why, why_size, failure.message);
		if (err != NULL)
			*err = failure;
		return -1;
	}
	const char *role = role_name(context->arena, found ? roles : "", err);
	if (role == NULL)
		return -1;
	if (*role == '\0')
		return absent(ret_found, why, why_size, "this instance has no instance profile");
	if (read_role(context, &imds, role, ret_credentials, err) != 0)
		return -1;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_instance_metadata = { "instance metadata", load };
