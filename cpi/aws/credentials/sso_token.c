/* SPDX-License-Identifier: Apache-2.0 */
/* The cached token of a login. Other programs refresh the same file, and a refresh token may work only once: so a refresh
 * that fails looks whether somebody else's has succeeded. */
#include "cpi/aws/credentials/sso_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/parse.h"
#include "cpi/aws/credentials/document.h"
#include "cpi/aws/credentials/fetch.h"

#define CACHE "~/.aws/sso/cache"
#define REFRESH_BEFORE_S 900
#define MAX_FILE ((size_t)64 * 1024)
#define TIMEOUT_MS 10000
#define MAX_LIFE_S ((int64_t)366 * 24 * 3600)

struct token {
	const char *access;
	int64_t expires_at;
	/* for refreshing; NULL where it was made without */
	const char *refresh;
	const char *client_id;
	const char *client_secret;
	const char *registration_expires_at;
};

/* One look-up. */
struct lookup {
	const struct credentials_context *context;
	const struct sso_login *login;
	const char *path; /* of the cached token */
};

static int64_t now_s(const struct lookup *lookup)
{
	const struct clock *clock = lookup->context->runtime->clock;

	return clock->wall_us(clock->self) / 1000000;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static int find_path(struct lookup *lookup, struct error *err)
{
	const char *name = lookup->login->session != NULL ? lookup->login->session : lookup->login->start_url;
	const char *folder = profiles_expand(CACHE, lookup->context->arena);
	uint8_t sum[SHA1_LEN];
	char hex[2 * SHA1_LEN + 1];

	if (digest_sha1(name, strlen(name), sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), hex);
	lookup->path = folder == NULL ? NULL : arena_printf(lookup->context->arena, "%s/%s.json", folder, hex);
	return lookup->path == NULL ? error_nomem(err) : 0;
}

static int read_token(const struct lookup *lookup, const struct json *root, struct token *ret_token, struct error *err)
{
	struct log *log = lookup->context->runtime->log;
	const char *expires_at;
	struct token token = {
		.access = json_text(json_get(root, "accessToken")),
		.refresh = json_text(json_get(root, "refreshToken")),
		.client_id = json_text(json_get(root, "clientId")),
		.client_secret = json_text(json_get(root, "clientSecret")),
		.registration_expires_at = json_text(json_get(root, "registrationExpiresAt")),
	};

	log_add_secret(log, token.access);
	log_add_secret(log, token.refresh);
	log_add_secret(log, token.client_secret);
	if (document_text(root, lookup->path, "accessToken", &token.access, err) != 0 ||
	    document_text(root, lookup->path, "expiresAt", &expires_at, err) != 0)
		return -1;
	if (!parse_zoned_time(expires_at, &token.expires_at))
		return error_set(err, ERROR_CONFIG, "%s: expiresAt is not a time", lookup->path);
	*ret_token = token;
	return 0;
}

static int load_token(const struct lookup *lookup, struct token *ret_token, struct error *err)
{
	struct arena *arena = lookup->context->arena;
	const struct sso_login *login = lookup->login;
	const struct json *root;
	char *text;
	size_t len;

	if (access(lookup->path, F_OK) != 0 && errno == ENOENT)
		return error_set(err, ERROR_CONFIG, "%s: nobody has logged in yet (there is no %s): %s", login->where,
				 lookup->path, login->advice);
	int result = io_read_file(lookup->path, MAX_FILE, arena, &text, &len, err);
	if (result == 0 && json_parse(arena, text, len, MAX_FILE, &root, err) != 0)
		result = error_prefix(err, "%s", lookup->path);
	if (result == 0)
		result = read_token(lookup, root, ret_token, err);
	if (result == 0 || (err != NULL && err->kind == ERROR_NOMEM))
		return result;
	struct error why = { 0 };
	if (err != NULL)
		why = *err;
	return error_set(err, ERROR_CONFIG, "%s: the login's token cannot be read: %s: %s", login->where, why.message,
			 login->advice);
}

static void add_time(struct json_writer *writer, const char *key, int64_t seconds)
{
	char text[FORMAT_ISO8601_SIZE];
	char zoned[FORMAT_ISO8601_SIZE + 1];

	snprintf(zoned, sizeof(zoned), "%sZ", format_iso8601(seconds, text) ? text : "1970-01-01T00:00:00");
	json_member_string(writer, key, zoned);
}

/* The fields that the AWS CLI writes, and no others. */
static void write_token(const struct sso_login *login, const struct token *token, struct buf *out)
{
	struct json_writer writer;

	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_member_string(&writer, "startUrl", login->start_url);
	json_member_string(&writer, "region", login->region);
	json_member_string(&writer, "accessToken", token->access);
	add_time(&writer, "expiresAt", token->expires_at);
	json_member_string(&writer, "clientId", token->client_id);
	json_member_string(&writer, "clientSecret", token->client_secret);
	json_member_string(&writer, "registrationExpiresAt", token->registration_expires_at);
	if (token->refresh != NULL)
		json_member_string(&writer, "refreshToken", token->refresh);
	json_end_object(&writer);
}

static int replace_file(const char *path, const char *temporary, int fd, const struct buf *text, struct error *err)
{
	if (io_write_all(fd, text->data, text->len, temporary, err) != 0)
		return -1;
	if (fsync(fd) != 0 || rename(temporary, path) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot write %s", path);
	return 0;
}

/* At once or not at all, and for this user alone (mkstemps' own mode). */
static int save_token(const struct lookup *lookup, const struct token *token, struct error *err)
{
	struct buf text CLEANUP_BUF = BUF_INIT(MAX_FILE);
	size_t folder_len = (size_t)(strrchr(lookup->path, '/') - lookup->path);
	char *temporary = arena_printf(lookup->context->arena, "%.*s/XXXXXX.tmp", (int)folder_len, lookup->path);

	if (temporary == NULL)
		return error_nomem(err);
	write_token(lookup->login, token, &text);
	if (buf_check(&text, "the token", err) != 0)
		return -1;
	int fd CLEANUP_FD = mkstemps(temporary, (int)strlen(".tmp"));
	if (fd < 0)
		return error_errno(err, ERROR_IO, errno, "cannot make a file beside %s", lookup->path);
	if (replace_file(lookup->path, temporary, fd, &text, err) == 0)
		return 0;
	unlink(temporary);
	return -1;
}

/* --- refreshing --------------------------------------------------------------------------------------------------- */

/* What keeps a token from being refreshed, for people; NULL: nothing. */
static const char *obstacle(const struct lookup *lookup, const struct token *token)
{
	int64_t registration_ends;

	if (lookup->login->session == NULL)
		return "a login without sso_session cannot be refreshed";
	if (token->refresh == NULL || token->client_id == NULL || token->client_secret == NULL ||
	    token->registration_expires_at == NULL)
		return "the login came without a refresh token";
	if (!parse_zoned_time(token->registration_expires_at, &registration_ends))
		return "registrationExpiresAt is not a time";
	return registration_ends <= now_s(lookup) ? "the login's registration has expired too" : NULL;
}

static int make_request(const struct token *token, struct buf *out, struct error *err)
{
	struct json_writer writer;

	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_member_string(&writer, "grantType", "refresh_token");
	json_member_string(&writer, "clientId", token->client_id);
	json_member_string(&writer, "clientSecret", token->client_secret);
	json_member_string(&writer, "refreshToken", token->refresh);
	json_end_object(&writer);
	return buf_check(out, "the request for a token", err);
}

static int read_answer(const struct lookup *lookup, const struct fetch *fetch, const struct json *root,
		       struct token *token, struct error *err)
{
	struct log *log = lookup->context->runtime->log;
	int64_t life_s;

	token->refresh = json_text(json_get(root, "refreshToken"));
	log_add_secret(log, token->refresh);
	log_add_secret(log, json_text(json_get(root, "accessToken")));
	if (document_text(root, fetch->what, "accessToken", &token->access, err) != 0)
		return -1;
	if (!json_int(json_get(root, "expiresIn"), &life_s) || life_s <= 0 || life_s > MAX_LIFE_S)
		return error_set(err, ERROR_CONFIG, "%s: expiresIn is not a number of seconds", fetch->what);
	token->expires_at = now_s(lookup) + life_s;
	return 0;
}

/* CreateToken, whose answer goes into *token. */
static int create_token(const struct lookup *lookup, struct token *token, struct error *err)
{
	const struct http_header type = { "Content-Type", "application/json" };
	struct buf body CLEANUP_BUF = BUF_INIT(MAX_FILE);
	struct fetch fetch = {
		.what = "the SSO OIDC service (CreateToken)",
		.action = "CreateToken",
		.purpose = "credentials",
		.method = "POST",
		.headers = &type,
		.n_headers = 1,
		.timeout_ms = TIMEOUT_MS,
	};
	struct fetch_answer answer;

	if (sso_login_url(lookup->context, lookup->login, "sso-oidc", "token", &fetch.url, err) != 0 ||
	    make_request(token, &body, err) != 0)
		return -1;
	fetch.body = buf_text(&body);
	if (fetch_json(lookup->context, &fetch, &answer, err) != 0)
		return -1;
	if (answer.status != 200)
		return fetch_refused(&fetch, &answer, "it does not renew the login", err);
	return read_answer(lookup, &fetch, answer.root, token, err);
}

static bool is_fresh(const struct lookup *lookup, const struct token *token)
{
	return token->expires_at - now_s(lookup) >= REFRESH_BEFORE_S;
}

/* 0 and a new token in *token; else *token is as it was. */
static int refresh(const struct lookup *lookup, struct token *token, struct error *err)
{
	struct log *log = lookup->context->runtime->log;
	struct token fresh = *token;
	struct error failure = { 0 };
	const char *why = obstacle(lookup, token);

	if (why != NULL)
		return error_set(err, ERROR_CONFIG, "%s", why);
	if (create_token(lookup, &fresh, err) != 0) {
		if (load_token(lookup, &fresh, &failure) != 0 || !is_fresh(lookup, &fresh))
			return -1;
		log_debug(log, "somebody else has refreshed the SSO token meanwhile");
	} else if (save_token(lookup, &fresh, &failure) != 0) {
		log_warn(log, "the SSO token was refreshed, but cannot be kept for other programs: %s; they may have to log "
			 "in again", failure.message);
	} else {
		log_debug(log, "refreshed the SSO token of session %s", lookup->login->session);
	}
	*token = fresh;
	return 0;
}

int sso_token_get(const struct credentials_context *context, const struct sso_login *login, const char **ret_token,
		  struct error *err)
{
	struct lookup lookup = { .context = context, .login = login };
	struct error failure = { 0 };
	struct token token;

	if (find_path(&lookup, err) != 0 || load_token(&lookup, &token, err) != 0)
		return -1;
	/* the older form's is not refreshed, so there is nothing to try before it ends */
	bool is_due = login->session != NULL ? !is_fresh(&lookup, &token) : token.expires_at <= now_s(&lookup);
	if (is_due && refresh(&lookup, &token, &failure) != 0) {
		if (failure.kind == ERROR_CANCELLED || failure.kind == ERROR_NOMEM) {
			if (err != NULL)
				*err = failure;
			return -1;
		}
		if (token.expires_at <= now_s(&lookup))
			return error_set(err, ERROR_CONFIG, "%s: the login has expired (%s): %s", login->where,
					 failure.message, login->advice);
		log_debug(context->runtime->log, "the SSO token ends soon and could not be refreshed: %s",
			  failure.message);
	}
	*ret_token = token.access;
	return 0;
}
