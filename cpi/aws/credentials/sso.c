/* SPDX-License-Identifier: Apache-2.0 */
/* A role's credentials by a login at IAM Identity Center: GetRoleCredentials, authorised by the login's token alone.
 * Fact: IAM Identity Center Portal API Reference. */
#include <stdio.h>

#include "common/buf.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/credentials/document.h"
#include "cpi/aws/credentials/fetch.h"
#include "cpi/aws/credentials/sso_login.h"
#include "cpi/aws/credentials/sso_token.h"
#include "cpi/aws/sigv4.h"

#define TIMEOUT_MS 10000
#define MAX_PATH 4096

static int find_url(const struct credentials_context *context, const struct sso_login *login, const char **ret_url,
		    struct error *err)
{
	struct buf path CLEANUP_BUF = BUF_INIT(MAX_PATH);

	buf_str(&path, "federation/credentials?role_name=");
	sigv4_encode(&path, login->role_name, "");
	buf_str(&path, "&account_id=");
	sigv4_encode(&path, login->account_id, "");
	if (buf_check(&path, "sso_role_name", err) != 0)
		return -1;
	return sso_login_url(context, login, "sso", buf_text(&path), ret_url, err);
}

static const char *advice_for(struct arena *arena, const struct sso_login *login, int status)
{
	if (status == 401)
		return arena_printf(arena, "the login has ended, or was ended: %s", login->advice);
	if (status == 403)
		return arena_printf(arena, "whoever has logged in may not use role %s in account %s: check sso_role_name "
				    "and sso_account_id, or ask for the permission set", login->role_name,
				    login->account_id);
	if (status == 404)
		return arena_printf(arena, "there is no role %s in account %s: check sso_role_name, sso_account_id and "
				    "sso_region", login->role_name, login->account_id);
	if (status >= 400 && status < 500 && status != 429)
		return "check sso_role_name, sso_account_id and sso_region";
	return "try again";
}

static int ask(const struct credentials_context *context, const struct sso_login *login, const char *token,
	       struct credentials *ret_credentials, struct error *err)
{
	const struct http_header header = { "x-amz-sso_bearer_token", token };
	struct fetch fetch = {
		.what = "the SSO service (GetRoleCredentials)",
		.action = "GetRoleCredentials",
		.purpose = "credentials",
		.method = "GET",
		.headers = &header,
		.n_headers = 1,
		.timeout_ms = TIMEOUT_MS,
	};
	const struct document document = {
		.whose = fetch.what,
		.id = "accessKeyId",
		.secret = "secretAccessKey",
		.token = "sessionToken",
		.expiration = "expiration",
		.milliseconds = true,
	};
	struct fetch_answer answer;

	if (find_url(context, login, &fetch.url, err) != 0 || fetch_json(context, &fetch, &answer, err) != 0)
		return -1;
	if (answer.status != 200) {
		const char *advice = advice_for(context->arena, login, answer.status);
		return advice == NULL ? error_nomem(err) : fetch_refused(&fetch, &answer, advice, err);
	}
	const struct json *credentials = json_get(answer.root, "roleCredentials");
	if (!json_is(credentials, JSON_OBJECT))
		return error_set(err, ERROR_CONFIG, "%s: roleCredentials is missing", fetch.what);
	return document_read(context, credentials, &document, ret_credentials, err);
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	const struct sso_login *login;
	struct credentials credentials = { 0 };
	const char *token;

	if (sso_login_find(context, &login, err) != 0)
		return -1;
	if (login == NULL) {
		snprintf(why, why_size, "no sso_account_id and no sso_role_name in profile %s", context->profile);
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	if (sso_token_get(context, login, &token, err) != 0)
		return -1;
	if (ask(context, login, token, &credentials, err) != 0) {
		if (err != NULL && err->kind == ERROR_CANCELLED)
			return -1;
		return error_prefix(err, "%s", login->where);
	}
	credentials.account = arena_strdup(context->arena, login->account_id);
	if (credentials.account == NULL)
		return error_nomem(err);
	*ret_credentials = credentials;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_sso = { "SSO", load };
