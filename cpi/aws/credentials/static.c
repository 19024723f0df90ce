/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that stand in the CPI's configuration. Whether the configuration may hold them is cpi/config.c's. */
#include "cpi/aws/credentials/credentials.h"

#include <stdio.h>

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	const struct aws_settings *settings = context->settings;

	if (settings->access_key_id == NULL && settings->secret_access_key == NULL) {
		snprintf(why, why_size, "aws.access_key_id is not set");
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	if (settings->access_key_id == NULL || settings->secret_access_key == NULL)
		return error_set(err, ERROR_CONFIG, "aws.%s is set and aws.%s is not: set both",
				 settings->access_key_id == NULL ? "secret_access_key" : "access_key_id",
				 settings->access_key_id == NULL ? "access_key_id" : "secret_access_key");
	struct credentials credentials = {
		.access_key_id = arena_strdup(context->arena, settings->access_key_id),
		.secret_access_key = arena_strdup(context->arena, settings->secret_access_key),
	};
	bool has_token = settings->session_token != NULL && *settings->session_token != '\0';
	if (has_token)
		credentials.session_token = arena_strdup(context->arena, settings->session_token);
	if (credentials.access_key_id == NULL || credentials.secret_access_key == NULL ||
	    (has_token && credentials.session_token == NULL))
		return error_nomem(err);
	if (credentials_check(&credentials, "the configuration (aws.access_key_id, aws.secret_access_key, "
			      "aws.session_token)", err) != 0)
		return -1;
	*ret_credentials = credentials;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_static = { "configuration", load };
