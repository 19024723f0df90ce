/* SPDX-License-Identifier: Apache-2.0 */
/* What the shared files say of a profile's login by IAM Identity Center (once "AWS SSO"): its sso_session, or the older form with all
 * of it in the profile. Asks nobody. */
#ifndef CPI_AWS_CREDENTIALS_SSO_LOGIN_H
#define CPI_AWS_CREDENTIALS_SSO_LOGIN_H

#include "cpi/aws/credentials/credentials.h"

struct sso_login {
	const char *session; /* the sso_session's name; NULL: the older form, whose token cannot be refreshed */
	const char *start_url;
	const char *region;
	const char *role_name;
	const char *account_id;
	const char *where;  /* "profile dev of /home/me/.aws/config" */
	const char *advice; /* "run `aws sso login --profile dev`" */
};

/* *ret_login is NULL where the profile has neither sso_role_name nor sso_account_id. Texts are in the arena or the
 * profiles'. ERROR_CONFIG names the key that is missing, the session that does not exist, or the key that profile and
 * session give different values. */
int sso_login_find(const struct credentials_context *context, const struct sso_login **ret_login, struct error *err);
/* The URL of a path ("token?x=y", without a slash before it) of endpoint_find's service "sso" or "sso-oidc", in the
 * login's region. In the arena. */
int sso_login_url(const struct credentials_context *context, const struct sso_login *login, const char *service,
		  const char *path, const char **ret_url, struct error *err);

#endif
