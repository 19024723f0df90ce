/* SPDX-License-Identifier: Apache-2.0 */
/* A profile's access key in one of the shared files. As in the SDKs the access key's id decides: without it the others
 * are not looked at. */
#include "cpi/aws/credentials/keys.h"

#include <stdio.h>

static int refuse_half(const struct credentials_context *context, const struct keys_file *file, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "%s: profile %s has aws_access_key_id and no aws_secret_access_key: set "
			 "both or neither", file->path, context->profile);
}

static int absent(enum credentials_found *ret_found, char *why, size_t why_size, const struct credentials_context *context,
		  const struct keys_file *file)
{
	if (file->path == NULL)
		snprintf(why, why_size, "no such file: HOME is not set");
	else
		snprintf(why, why_size, "no aws_access_key_id in profile %s of %s", context->profile, file->path);
	*ret_found = CREDENTIALS_ABSENT;
	return 0;
}

int keys_load(const struct credentials_context *context, const struct keys_file *file,
	      struct credentials *ret_credentials, enum credentials_found *ret_found, char *why, size_t why_size,
	      struct error *err)
{
	const struct profiles *profiles = context->profiles;
	const char *profile = context->profile;
	struct credentials credentials = {
		.access_key_id = file->get(profiles, profile, "aws_access_key_id"),
		.secret_access_key = file->get(profiles, profile, "aws_secret_access_key"),
		.session_token = file->get(profiles, profile, "aws_security_token"), /* its name of old, and first */
		.account = file->get(profiles, profile, "aws_account_id"),
	};

	if (credentials.session_token == NULL)
		credentials.session_token = file->get(profiles, profile, "aws_session_token");
	if (credentials.access_key_id == NULL)
		return absent(ret_found, why, why_size, context, file);
	if (credentials.secret_access_key == NULL)
		return refuse_half(context, file, err);
	const char *where = arena_printf(context->arena, "profile %s of %s (aws_access_key_id, aws_secret_access_key, "
					 "aws_session_token)", profile, file->path);
	if (where == NULL)
		return error_nomem(err);
	if (credentials_check(&credentials, where, err) != 0)
		return -1;
	/* the files may be forgotten before the credentials are */
	credentials.access_key_id = arena_strdup(context->arena, credentials.access_key_id);
	credentials.secret_access_key = arena_strdup(context->arena, credentials.secret_access_key);
	bool has_token = credentials.session_token != NULL;
	bool has_account = credentials.account != NULL;
	credentials.session_token = arena_strdup(context->arena, credentials.session_token);
	credentials.account = arena_strdup(context->arena, credentials.account);
	if (credentials.access_key_id == NULL || credentials.secret_access_key == NULL ||
	    (has_token && credentials.session_token == NULL) || (has_account && credentials.account == NULL))
		return error_nomem(err);
	*ret_credentials = credentials;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}
