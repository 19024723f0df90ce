/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the environment, as every AWS tool reads them. An empty variable is absent. */
#include "cpi/aws/credentials/credentials.h"

#include <stdio.h>

#include "common/parse.h"
#include "cpi/aws/environment.h"

/* A session's end is known where the tool that made it says so: then AWS need not be asked. */
static int read_expiration(const struct credentials_context *context, struct credentials *credentials,
			   struct error *err)
{
	const char *text = environment_get("AWS_CREDENTIAL_EXPIRATION");
	const struct clock *clock = context->runtime->clock;

	if (text == NULL)
		return 0;
	if (!parse_zoned_time(text, &credentials->expires_at))
		return error_set(err, ERROR_CONFIG,
				 "AWS_CREDENTIAL_EXPIRATION is '%s', which is no time such as 2026-01-31T10:20:30Z: correct or "
				 "unset it",
				 text);
	if (credentials->expires_at <= clock->wall_us(clock->self) / 1000000)
		return error_set(err, ERROR_CONFIG,
				 "the AWS credentials of the environment have expired (AWS_CREDENTIAL_EXPIRATION is %s): set new "
				 "ones",
				 text);
	return 0;
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	const char *id = environment_get("AWS_ACCESS_KEY_ID");
	const char *secret = environment_get("AWS_SECRET_ACCESS_KEY");
	const char *token = environment_get("AWS_SECURITY_TOKEN"); /* the older name; botocore's first */
	const char *account = environment_get("AWS_ACCOUNT_ID");

	/* as botocore: without the id the others are not looked at */
	if (id == NULL) {
		snprintf(why, why_size, "AWS_ACCESS_KEY_ID is not set");
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	if (secret == NULL)
		return error_set(err, ERROR_CONFIG,
				 "AWS_ACCESS_KEY_ID is set in the environment and AWS_SECRET_ACCESS_KEY is "
				 "not: set both or neither");
	if (token == NULL)
		token = environment_get("AWS_SESSION_TOKEN");
	struct credentials credentials = {
		.access_key_id = arena_strdup(context->arena, id),
		.secret_access_key = arena_strdup(context->arena, secret),
		.session_token = arena_strdup(context->arena, token),
		.account = arena_strdup(context->arena, account),
	};
	if (credentials.access_key_id == NULL || credentials.secret_access_key == NULL ||
	    (token != NULL && credentials.session_token == NULL) || (account != NULL && credentials.account == NULL))
		return error_nomem(err);
	if (credentials_check(&credentials, "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
			      "AWS_SESSION_TOKEN)", err) != 0 ||
	    read_expiration(context, &credentials, err) != 0)
		return -1;
	*ret_credentials = credentials;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_environment = { "environment", load };
