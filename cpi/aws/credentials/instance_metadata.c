/* SPDX-License-Identifier: Apache-2.0 */
/* The instance profile's keys. How the metadata service is spoken to is common/imds.c's. Not being on EC2 is "absent";
 * keys that AWS could not make, or that are malformed, are an error. */
#include "cpi/aws/credentials/credentials.h"

#include <stdio.h>
#include <string.h>

#include "common/imds.h"
#include "common/json_read.h"
#include "common/parse.h"

#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"
#define MAX_DOCUMENT ((size_t)64 * 1024)

static int absent(enum credentials_found *ret_found, char *why, size_t why_size, const char *reason)
{
	snprintf(why, why_size, "%s", reason);
	*ret_found = CREDENTIALS_ABSENT;
	return 0;
}

/* The role's name stands alone; a list would end with the first line. */
static char *role_name(struct arena *arena, const char *answer)
{
	return arena_strndup(arena, answer, strcspn(answer, "\r\n"));
}

static int read_document(const struct credentials_context *context, const char *role, const char *document,
			 struct credentials *ret_credentials, struct error *err)
{
	const struct json *root;

	if (json_parse(context->arena, document, strlen(document), MAX_DOCUMENT, &root, err) != 0)
		return error_prefix(err, "the instance metadata service's credentials of role %s", role);
	const char *code = json_text(json_get(root, "Code"));
	if (code != NULL && strcmp(code, "Success") != 0) {
		const char *message = json_text(json_get(root, "Message"));
		return error_set(err, ERROR_CONFIG,
				 "the instance metadata service has no credentials for role %s: %s%s%s: "
				 "check the instance profile and the role's trust policy",
				 role, code, message == NULL ? "" : ": ", message == NULL ? "" : message);
	}
	struct credentials credentials = {
		.access_key_id = json_text(json_get(root, "AccessKeyId")),
		.secret_access_key = json_text(json_get(root, "SecretAccessKey")),
		.session_token = json_text(json_get(root, "Token")),
	};
	const char *expiration = json_text(json_get(root, "Expiration"));
	if (credentials.access_key_id == NULL || credentials.secret_access_key == NULL ||
	    credentials.session_token == NULL || !parse_iso8601(expiration, &credentials.expires_at))
		return error_set(err, ERROR_CONFIG,
				 "the instance metadata service's credentials of role %s lack AccessKeyId, "
				 "SecretAccessKey, Token or Expiration: is it a real one?",
				 role);
	if (credentials_check(&credentials, "the instance metadata service", err) != 0)
		return -1;
	*ret_credentials = credentials;
	return 0;
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	struct imds imds;
	struct error failure = { 0 };
	const char *roles;
	const char *document;
	bool found;

	if (imds_init(&imds, context->runtime, NULL, err) != 0)
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
	const char *role = found ? role_name(context->arena, roles) : "";
	if (role == NULL)
		return error_nomem(err);
	if (*role == '\0')
		return absent(ret_found, why, why_size, "this instance has no instance profile");
	const char *path = arena_printf(context->arena, ROLES_PATH "%s", role);
	if (path == NULL)
		return error_nomem(err);
	if (imds_get(&imds, path, context->arena, &document, NULL, err) != 0)
		return error_prefix(err, "credentials of the instance's role %s", role);
	if (read_document(context, role, document, ret_credentials, err) != 0)
		return -1;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_instance_metadata = { "instance metadata", load };
