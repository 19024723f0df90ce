/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the sources, and what is said when none has any. How each one is read is in its own file. */
#include "cpi/aws/credentials/credentials.h"

#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "cpi/aws/environment.h"

#define REFRESH_BEFORE_S 300

static const struct credentials_source *const of_configuration[] = { &credentials_static, NULL };
static const struct credentials_source *const of_machine[] = { &credentials_environment, &credentials_instance_metadata,
							       NULL };

/* Sources that every AWS tool would take before instance metadata and that are not read here. Passing over them would
 * mean working as somebody else. */
static const char *const not_read[] = {
	"AWS_PROFILE",
	"AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI",
};

bool credentials_expiring(const struct credentials *credentials, int64_t now)
{
	return credentials->expires_at != 0 && credentials->expires_at - REFRESH_BEFORE_S <= now;
}

/* Visible ASCII without blanks: what can stand in a header and in the signature's scope. */
static bool is_visible(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

int credentials_check(const struct credentials *credentials, const char *where, struct error *err)
{
	if (is_visible(credentials->access_key_id) && is_visible(credentials->secret_access_key) &&
	    (credentials->session_token == NULL || is_visible(credentials->session_token)))
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "the AWS credentials of %s are empty or hold blanks or line breaks: were they "
			 "copied whole?",
			 where);
}

static int refuse_unread(struct error *err)
{
	for (size_t i = 0; i < sizeof(not_read) / sizeof(not_read[0]); i++) {
		if (environment_get(not_read[i]) != NULL)
			return error_set(err, ERROR_CONFIG,
					 "%s is set, but this version does not read credentials from there: "
					 "unset it, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
					 not_read[i]);
	}
	return 0;
}

static void take(const struct credentials_context *context, const struct credentials_source *source,
		 struct credentials *credentials)
{
	credentials->source = source->name;
	log_add_secret(context->runtime->log, credentials->secret_access_key);
	log_add_secret(context->runtime->log, credentials->session_token);
	log_debug(context->runtime->log, "AWS credentials: access key %s from %s", credentials->access_key_id,
		  source->name);
}

static int ask_sources(const struct credentials_context *context, const struct credentials_source *const *sources,
		       struct credentials *ret_credentials, struct error *err)
{
	struct buf looked_at CLEANUP_BUF = BUF_INIT(4096);

	for (; *sources != NULL; sources++) {
		enum credentials_found found;
		struct credentials credentials = { 0 };
		char why[512] = "";
		if (*sources == &credentials_instance_metadata && refuse_unread(err) != 0)
			return -1;
		if ((*sources)->load(context, &credentials, &found, why, sizeof(why), err) != 0)
			return -1;
		if (found == CREDENTIALS_LOADED) {
			take(context, *sources, &credentials);
			*ret_credentials = credentials;
			return 0;
		}
		buf_printf(&looked_at, "%s%s (%s)", looked_at.len == 0 ? "" : ", ", (*sources)->name, why);
	}
	return error_set(err, ERROR_CONFIG, "no AWS credentials were found; looked at: %s. Set aws.access_key_id and "
			 "aws.secret_access_key (with aws.credentials_source static), or AWS_ACCESS_KEY_ID and "
			 "AWS_SECRET_ACCESS_KEY in the environment, or give the instance a profile (both with "
			 "env_or_profile)", buf_text(&looked_at));
}

int credentials_load(const struct credentials_context *context, struct credentials *ret_credentials, struct error *err)
{
	const struct aws_settings *settings = context->settings;
	const char *source = settings->credentials_source;

	if (settings->role_arn != NULL)
		return error_set(err, ERROR_CONFIG,
				 "aws.role_arn is not supported yet by this version: remove it, or give the "
				 "credentials of the role itself");
	if (source == NULL || strcmp(source, "static") == 0)
		return ask_sources(context, of_configuration, ret_credentials, err);
	if (strcmp(source, "env_or_profile") == 0)
		return ask_sources(context, of_machine, ret_credentials, err);
	return error_set(err, ERROR_CONFIG, "aws.credentials_source is '%s': it must be static or env_or_profile",
			 source);
}
