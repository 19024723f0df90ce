/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the sources, and what is said when none has any. How each one is read is in its own file. */
#include "cpi/aws/credentials/credentials.h"

#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "cpi/aws/environment.h"
#include "cpi/aws/sts.h"

#define REFRESH_BEFORE_S 300
#define MAX_WHY 512

static const struct credentials_source *const of_configuration[] = { &credentials_static, NULL };
/* botocore's order */
static const struct credentials_source *const of_machine[] = {
	&credentials_environment, &credentials_assume_role, &credentials_web_identity, &credentials_sso,
	&credentials_shared_file, &credentials_login, &credentials_process, &credentials_config_file,
	&credentials_container, &credentials_instance_metadata, NULL,
};
static const struct credentials_source *const of_profile[] = {
	&credentials_web_identity, &credentials_sso, &credentials_shared_file, &credentials_login,
	&credentials_process, &credentials_config_file, NULL,
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

/* --- one source --------------------------------------------------------------------------------------------------- */

static bool is_of_profile(const struct credentials_source *source)
{
	for (size_t i = 0; of_profile[i] != NULL; i++) {
		if (of_profile[i] == source)
			return true;
	}
	return false;
}

/* Texts that stand for the whole program are not copied. */
static int name_source(const struct credentials_context *context, const struct credentials_source *source,
		       struct credentials *credentials, struct error *err)
{
	if (credentials->source != NULL)
		return 0;
	if (is_of_profile(source) && context->profile != NULL)
		credentials->source = arena_printf(context->arena, "%s of profile %s", source->name, context->profile);
	else
		credentials->source = source->name;
	return credentials->source == NULL ? error_nomem(err) : 0;
}

int credentials_ask(const struct credentials_context *context, const struct credentials_source *source,
		    struct credentials *ret_credentials, enum credentials_found *ret_found, char *why, size_t why_size,
		    struct error *err)
{
	struct credentials credentials = { 0 };
	enum credentials_found found;
	struct log *log = context->runtime->log;

	if (source->load(context, &credentials, &found, why, why_size, err) != 0)
		return -1;
	*ret_found = found;
	if (found == CREDENTIALS_ABSENT)
		return 0;
	if (name_source(context, source, &credentials, err) != 0)
		return -1;
	log_add_secret(log, credentials.secret_access_key);
	log_add_secret(log, credentials.session_token);
	log_debug(log, "AWS credentials: access key %s from %s", credentials.access_key_id, credentials.source);
	*ret_credentials = credentials;
	return 0;
}

/* --- in order ----------------------------------------------------------------------------------------------------- */

/* A name that is misspelt must not mean working as somebody else. */
static int refuse_unknown_profile(const struct credentials_context *context, struct error *err)
{
	const struct profiles *profiles = context->profiles;

	if (profiles == NULL || !profiles->active_is_chosen || profiles_has(profiles, context->profile))
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "AWS_PROFILE (or AWS_DEFAULT_PROFILE) is '%s', and there is no such profile in %s or in %s: "
			 "correct or unset it",
			 context->profile, profiles->config_path == NULL ? "~/.aws/config" : profiles->config_path,
			 profiles->credentials_path == NULL ? "~/.aws/credentials" : profiles->credentials_path);
}

/* What boto3 would read between profile and container; passing over it would mean working as somebody else. */
static int refuse_unread(struct error *err)
{
	if (environment_get("AWS_CREDENTIAL_FILE") == NULL)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "AWS_CREDENTIAL_FILE is set, but credentials in that old form are not read: put them into "
			 "~/.aws/credentials, and unset it");
}

static int refuse_before(const struct credentials_context *context, const struct credentials_source *source,
			 struct error *err)
{
	if (source == &credentials_assume_role)
		return refuse_unknown_profile(context, err);
	return source == &credentials_container ? refuse_unread(err) : 0;
}

/* The first that has any; looked_at says why the others have none. */
static int ask_sources(const struct credentials_context *context, const struct credentials_source *const *sources,
		       struct buf *looked_at, struct credentials *ret_credentials, enum credentials_found *ret_found,
		       struct error *err)
{
	*ret_found = CREDENTIALS_ABSENT;
	for (; *sources != NULL; sources++) {
		char why[MAX_WHY] = "";
		if (refuse_before(context, *sources, err) != 0 ||
		    credentials_ask(context, *sources, ret_credentials, ret_found, why, sizeof(why), err) != 0)
			return -1;
		if (*ret_found == CREDENTIALS_LOADED)
			return 0;
		buf_printf(looked_at, "%s%s (%s)", looked_at->len == 0 ? "" : ", ", (*sources)->name, why);
	}
	return 0;
}

int credentials_of_profile(const struct credentials_context *context, const char *profile,
			   struct credentials *ret_credentials, struct error *err)
{
	struct buf looked_at CLEANUP_BUF = BUF_INIT(4096);
	struct credentials_context own = *context;
	enum credentials_found found;

	own.profile = profile;
	own.profile_only = true;
	if (ask_sources(&own, of_profile, &looked_at, ret_credentials, &found, err) != 0)
		return error_prefix(err, "profile %s as source_profile", profile);
	if (found == CREDENTIALS_LOADED)
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "profile %s is named as source_profile and has no credentials; looked at: %s. Give it keys, a "
			 "role_arn, sso_session or credential_process",
			 profile, buf_text(&looked_at));
}

static int load_first(const struct credentials_context *context, const struct credentials_source *const *sources,
		      struct credentials *ret_credentials, struct error *err)
{
	struct buf looked_at CLEANUP_BUF = BUF_INIT(4096);
	enum credentials_found found;

	if (ask_sources(context, sources, &looked_at, ret_credentials, &found, err) != 0)
		return -1;
	if (found == CREDENTIALS_LOADED)
		return 0;
	return error_set(err, ERROR_CONFIG, "no AWS credentials were found; looked at: %s. Set aws.access_key_id and "
			 "aws.secret_access_key (with aws.credentials_source static), or AWS_ACCESS_KEY_ID and "
			 "AWS_SECRET_ACCESS_KEY or AWS_PROFILE in the environment, or give the instance a profile (these "
			 "with env_or_profile)", buf_text(&looked_at));
}

/* aws.role_arn */
static int assume_on_top(const struct credentials_context *context, const struct credentials *base,
			 struct credentials *ret_credentials, struct error *err)
{
	const struct sts_role role = { .role_arn = context->settings->role_arn };

	if (sts_assume_role(context, base, &role, ret_credentials, err) != 0)
		return error_prefix(err, "aws.role_arn");
	return 0;
}

int credentials_load(const struct credentials_context *context, struct credentials *ret_credentials, struct error *err)
{
	const struct aws_settings *settings = context->settings;
	const char *source = settings->credentials_source == NULL ? "static" : settings->credentials_source;
	bool is_static = strcmp(source, "static") == 0;
	struct credentials_context own = *context;
	struct credentials credentials;

	if (!is_static && strcmp(source, "env_or_profile") != 0)
		return error_set(err, ERROR_CONFIG,
				 "aws.credentials_source is '%s': it must be static or env_or_profile", source);
	if (is_static)
		own.profiles = NULL;
	if (own.profile == NULL)
		own.profile = own.profiles == NULL ? "default" : own.profiles->active;
	/* the environment's keys come first of the machine's */
	const struct credentials_source *const *machine = settings->profile_is_chosen ? of_machine + 1 : of_machine;
	if (load_first(&own, is_static ? of_configuration : machine, &credentials, err) != 0)
		return -1;
	if (settings->role_arn != NULL && *settings->role_arn != '\0' &&
	    assume_on_top(&own, &credentials, &credentials, err) != 0)
		return -1;
	*ret_credentials = credentials;
	return 0;
}
