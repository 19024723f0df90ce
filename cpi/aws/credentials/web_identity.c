/* SPDX-License-Identifier: Apache-2.0 */
/* A role for the token of an identity provider (an EKS service account, a CI system), which lies in a file and is replaced
 * there before it ends: it is read at each load. */
#include "cpi/aws/credentials/credentials.h"

#include <stdio.h>
#include <string.h>

#include "common/io.h"
#include "common/log.h"
#include "cpi/aws/environment.h"
#include "cpi/aws/sts.h"

#define MAX_TOKEN ((size_t)64 * 1024)

struct setting {
	const char *value; /* NULL: not said */
	const char *where; /* for messages */
};

/* Each key for itself, as in botocore: the variable, else the profile's. */
static struct setting find(const struct credentials_context *context, const char *variable, const char *key)
{
	const char *value = context->profile_only ? NULL : environment_get(variable);

	if (value != NULL)
		return (struct setting){ value, variable };
	value = profiles_get(context->profiles, context->profile, key);
	return (struct setting){ value, value == NULL ? NULL :
				 profiles_where(context->profiles, context->profile, context->arena) };
}

static int read_token(const struct credentials_context *context, const struct setting *file, const char **ret_token,
		      struct error *err)
{
	const char *path = profiles_expand(file->value, context->arena);
	char *token;

	if (path == NULL || file->where == NULL)
		return error_nomem(err);
	if (io_read_file(path, MAX_TOKEN, context->arena, &token, NULL, err) != 0) {
		if (err != NULL && err->kind != ERROR_NOMEM)
			err->kind = ERROR_CONFIG;
		return error_prefix(err, "the web identity token that %s names", file->where);
	}
	size_t len = strcspn(token, " \t\r\n");
	if (len == 0 || token[len + strspn(token + len, " \t\r\n")] != '\0')
		return error_set(err, ERROR_CONFIG,
				 "the web identity token that %s names, %s, is empty or holds blanks: is it the right "
				 "file?",
				 file->where, path);
	token[len] = '\0';
	log_add_secret(context->runtime->log, token);
	*ret_token = token;
	return 0;
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	const struct setting file = find(context, "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");

	if (file.value == NULL) {
		snprintf(why, why_size, "%s", context->profile_only ? "no web_identity_token_file" :
			 "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	struct sts_role role = {
		.role_arn = find(context, "AWS_ROLE_ARN", "role_arn").value,
		.session_name = find(context, "AWS_ROLE_SESSION_NAME", "role_session_name").value,
	};
	struct credentials credentials;

	if (role.role_arn == NULL)
		return error_set(err, ERROR_CONFIG,
				 "a web identity token is named by %s, but no role: set AWS_ROLE_ARN, or the profile's "
				 "role_arn",
				 file.where == NULL ? "the profile" : file.where);
	if (read_token(context, &file, &role.web_identity_token, err) != 0 ||
	    sts_assume_role_with_web_identity(context, &role, &credentials, err) != 0)
		return -1;
	*ret_credentials = credentials;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_web_identity = { "web identity", load };
