/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a login by IAM Identity Center. A session's values count as the profile's, and must not differ from them. */
#include "cpi/aws/credentials/sso_login.h"

#include <string.h>

#include "cpi/aws/endpoint.h"

#define SESSION_KIND "sso-session"

static int read_key(const struct credentials_context *context, const struct sso_login *login, const char *key,
		    const char **ret_value, struct error *err)
{
	const char *value = profiles_get(context->profiles, context->profile, key);
	const char *of_session = login->session == NULL ? NULL :
				 profiles_get_section(context->profiles, SESSION_KIND, login->session, key);

	if (value == NULL && of_session == NULL)
		return error_set(err, ERROR_CONFIG, "%s is set up for SSO, but %s is missing%s: add it, or run "
				 "`aws configure sso`", login->where, key, login->session == NULL ? "" :
				 " there and in its sso_session");
	if (value != NULL && of_session != NULL && strcmp(value, of_session) != 0)
		return error_set(err, ERROR_CONFIG, "%s and its sso_session %s have different values for %s: remove one "
				 "of them", login->where, login->session, key);
	*ret_value = value != NULL ? value : of_session;
	return 0;
}

static int read_all(const struct credentials_context *context, struct sso_login *login, struct error *err)
{
	if (login->session != NULL && !profiles_has_section(context->profiles, SESSION_KIND, login->session))
		return error_set(err, ERROR_CONFIG, "%s names sso_session %s, and there is no section [" SESSION_KIND
				 " %s] in the config file", login->where, login->session, login->session);
	if (read_key(context, login, "sso_role_name", &login->role_name, err) != 0 ||
	    read_key(context, login, "sso_account_id", &login->account_id, err) != 0 ||
	    read_key(context, login, "sso_start_url", &login->start_url, err) != 0)
		return -1;
	return read_key(context, login, "sso_region", &login->region, err);
}

int sso_login_find(const struct credentials_context *context, const struct sso_login **ret_login, struct error *err)
{
	const struct profiles *profiles = context->profiles;
	const char *profile = context->profile;

	*ret_login = NULL;
	if (profiles == NULL || (profiles_get(profiles, profile, "sso_role_name") == NULL &&
				 profiles_get(profiles, profile, "sso_account_id") == NULL))
		return 0;
	struct sso_login *login = arena_alloc(context->arena, sizeof(*login));
	if (login == NULL)
		return error_nomem(err);
	login->session = profiles_get(profiles, profile, "sso_session");
	login->where = profiles_where(profiles, profile, context->arena);
	login->advice = arena_printf(context->arena, "run `aws sso login --profile %s`", profile);
	if (login->where == NULL || login->advice == NULL)
		return error_nomem(err);
	if (read_all(context, login, err) != 0)
		return -1;
	*ret_login = login;
	return 0;
}

int sso_login_url(const struct credentials_context *context, const struct sso_login *login, const char *service,
		  const char *path, const char **ret_url, struct error *err)
{
	struct aws_settings settings = *context->settings;
	struct endpoint endpoint;

	settings.region = login->region;
	if (endpoint_find(&settings, service, context->arena, &endpoint, err) != 0)
		return error_prefix(err, "sso_region of %s", login->where);
	size_t len = strlen(endpoint.url);
	bool has_slash = len > 0 && endpoint.url[len - 1] == '/';
	const char *url = arena_printf(context->arena, "%s%s%s", endpoint.url, has_slash ? "" : "/", path);
	if (url == NULL)
		return error_nomem(err);
	*ret_url = url;
	return 0;
}
