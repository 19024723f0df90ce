/* SPDX-License-Identifier: Apache-2.0 */
/* A container's credentials: ECS and EKS name a local service by two variables. Plain HTTP only to addresses that do not
 * leave the machine; anywhere else what is sent and what comes would be everybody's.
 * Fact: "Container credential provider", AWS SDKs and Tools Reference Guide. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/io.h"
#include "common/log.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/credentials/document.h"
#include "cpi/aws/credentials/fetch.h"
#include "cpi/aws/environment.h"

#define RELATIVE_URI "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL_URI "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define ECS_ORIGIN "http://169.254.170.2"
#define TIMEOUT_MS 2000
#define MAX_URI 2000
#define MAX_TOKEN ((size_t)32 * 1024)
#define MAX_HOST 256

/* Whether the text is safe to be put into a URL and to be taken apart by simple rules: no blanks, and nothing that
 * different readers of URLs understand in different ways. */
static bool is_plain(const char *text)
{
	if (strlen(text) > MAX_URI)
		return false;
	for (; *text != '\0'; text++) {
		if (!isgraph((unsigned char)*text) || strchr("\\#\"<>", *text) != NULL)
			return false;
	}
	return true;
}

static bool is_port(const char *text, size_t len)
{
	return len >= 2 && len <= 6 && text[0] == ':' && strspn(text + 1, "0123456789") >= len - 1;
}

/* The host of "host", "host:80", "[::1]:80"; false where it is none of these. No user: that would look like a host. */
static bool split_host(const char *authority, size_t len, char ret_host[MAX_HOST])
{
	const char *end = authority + len;
	const char *host = authority;
	const char *after;

	if (len > 0 && *host == '[') {
		after = memchr(host, ']', len);
		if (after == NULL)
			return false;
		host++;
	} else {
		after = memchr(host, ':', len);
		if (after == NULL)
			after = end;
	}
	size_t host_len = (size_t)(after - host);
	if (after < end && *after == ']')
		after++;
	if (host_len == 0 || host_len >= MAX_HOST || memchr(authority, '@', len) != NULL)
		return false;
	snprintf(ret_host, MAX_HOST, "%.*s", (int)host_len, host);
	return after == end || is_port(after, (size_t)(end - after));
}

static bool is_local(const char *host)
{
	static const char *const names[] = { "localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23" };
	struct in_addr v4;
	struct in6_addr v6;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(host, names[i]) == 0)
			return true;
	}
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static int check_full_uri(const char *uri, struct error *err)
{
	bool https = strncmp(uri, "https://", 8) == 0;
	const char *authority = uri + (https ? 8 : 7);
	char host[MAX_HOST];

	if ((!https && strncmp(uri, "http://", 7) != 0) || !is_plain(uri) ||
	    !split_host(authority, strcspn(authority, "/?"), host))
		return error_set(err, ERROR_CONFIG, FULL_URI " is not a URL such as http://169.254.170.23/v1/credentials");
	if (!https && !is_local(host))
		return error_set(err, ERROR_CONFIG, FULL_URI " names the host %s: without https only a loopback "
				 "address, 169.254.170.2, 169.254.170.23 and [fd00:ec2::23] are taken, because credentials "
				 "would cross a network in the clear", host);
	return 0;
}

/* Where to ask. The relative one wins, as in the SDKs. */
static int find_url(struct arena *arena, const char *relative, const char *full, const char **ret_url, struct error *err)
{
	if (relative == NULL && check_full_uri(full, err) != 0)
		return -1;
	if (relative != NULL && (relative[0] != '/' || !is_plain(relative)))
		return error_set(err, ERROR_CONFIG, RELATIVE_URI " must be a path that begins with /");
	*ret_url = relative == NULL ? arena_strdup(arena, full) : arena_printf(arena, ECS_ORIGIN "%s", relative);
	return *ret_url == NULL ? error_nomem(err) : 0;
}

static bool may_stand_in_a_header(const char *token)
{
	for (; *token != '\0'; token++) {
		if (!isprint((unsigned char)*token))
			return false;
	}
	return true;
}

/* Read anew each time: EKS replaces the file's content. NULL where neither variable is set. */
static int find_token(const struct credentials_context *context, const char **ret_token, struct error *err)
{
	const char *file = environment_get(TOKEN_FILE);
	const char *from = file == NULL ? TOKEN : TOKEN_FILE;
	char *token = NULL;
	size_t len;

	if (file != NULL) {
		if (io_read_file(file, MAX_TOKEN, context->arena, &token, &len, err) != 0) {
			if (err != NULL && err->kind != ERROR_NOMEM)
				err->kind = ERROR_CONFIG;
			return error_prefix(err, TOKEN_FILE);
		}
		if (len != strlen(token))
			return error_set(err, ERROR_CONFIG, TOKEN_FILE ": %s holds a NUL: that is no token", file);
	} else if (environment_get(TOKEN) != NULL) {
		token = arena_strdup(context->arena, environment_get(TOKEN));
		if (token == NULL)
			return error_nomem(err);
	}
	log_add_secret(context->runtime->log, token);
	if (token != NULL && (*token == '\0' || !may_stand_in_a_header(token)))
		return error_set(err, ERROR_CONFIG, "%s%s%s: the token %s", from, file == NULL ? "" : ": ",
				 file == NULL ? "" : file, *token == '\0' ? "is empty" :
				 "holds a line break or another character that cannot stand in an HTTP header; there "
				 "must be none at its end either");
	*ret_token = token;
	return 0;
}

static const char *advice_for(int status, bool with_token)
{
	if ((status == 401 || status == 403) && !with_token)
		return "it may want a token (" TOKEN " or " TOKEN_FILE ")";
	if (status == 401 || status == 403)
		return "it does not take the token of " TOKEN_FILE " or " TOKEN;
	if (status >= 400 && status < 500)
		return "does the task or pod have a role (ECS taskRoleArn, EKS pod identity association)?";
	return "try again";
}

static int ask(const struct credentials_context *context, const char *url, const char *token,
	       struct credentials *ret_credentials, struct error *err)
{
	const struct http_header headers[] = { { "Accept", "application/json" }, { "Authorization", token } };
	const struct fetch fetch = {
		.what = "the container's credentials service",
		.method = "GET",
		.url = url,
		.headers = headers,
		.n_headers = token == NULL ? 1 : 2,
		.timeout_ms = TIMEOUT_MS,
		.no_proxy = true,
		.any_refusal_passes = true, /* a pod's association takes a moment until it is known everywhere */
	};
	const struct document document = {
		.whose = fetch.what,
		.id = "AccessKeyId",
		.secret = "SecretAccessKey",
		.token = "Token",
		.expiration = "Expiration",
		.account = "AccountId",
	};
	struct fetch_answer answer;

	if (fetch_json(context, &fetch, &answer, err) != 0)
		return -1;
	if (answer.status != 200)
		return fetch_refused(&fetch, &answer, advice_for(answer.status, token != NULL), err);
	return document_read(context, answer.root, &document, ret_credentials, err);
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	const char *relative = environment_get(RELATIVE_URI);
	const char *full = environment_get(FULL_URI);
	const char *url;
	const char *token;

	if (relative == NULL && full == NULL) {
		snprintf(why, why_size, RELATIVE_URI " and " FULL_URI " are not set");
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	if (find_url(context->arena, relative, full, &url, err) != 0 || find_token(context, &token, err) != 0)
		return -1;
	if (ask(context, url, token, ret_credentials, err) != 0) {
		if (err != NULL && err->kind == ERROR_CANCELLED)
			return -1;
		return error_prefix(err, "%s", relative != NULL ? RELATIVE_URI : FULL_URI);
	}
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_container = { "container", load };
