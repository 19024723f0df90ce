/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/secrets.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void secrets_of_environment(struct log *log)
{
	log_add_secret(log, getenv("AWS_SECRET_ACCESS_KEY"));
	log_add_secret(log, getenv("AWS_SESSION_TOKEN"));
}

static bool speaks_of_secret(const char *key)
{
	static const char *const words[] = {
		"password", "passwd", "secret", "token", "private_key", "account_key", "json_key", "credential",
	};

	/* names of places and choices, not secrets themselves */
	if (strcasecmp(key, "credentials_source") == 0 || strcasecmp(key, "http_tokens") == 0)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(key, words[i]) != NULL)
			return true;
	}
	return false;
}

/* scheme://user:PASSWORD@host… The last @ before the path ends it: passwords may hold one unescaped. */
static int add_url_password(struct log *log, const char *text, struct arena *arena, struct error *err)
{
	const char *authority = strstr(text, "://");
	if (authority == NULL)
		return 0;
	authority += 3;
	const char *at = authority + strcspn(authority, "/?#");
	while (at > authority && *at != '@')
		at--;
	if (*at != '@')
		return 0;
	const char *colon = memchr(authority, ':', (size_t)(at - authority));
	if (colon == NULL)
		return 0;
	const char *password = arena_strndup(arena, colon + 1, (size_t)(at - colon - 1));
	if (password == NULL)
		return error_nomem(err);
	log_add_secret(log, password);
	return 0;
}

/* The depth is the JSON reader's: at most JSON_MAX_DEPTH. */
static int add_all(struct log *log, const struct json *value, bool secret, struct arena *arena, struct error *err)
{
	if (value->type == JSON_STRING && value->text != NULL) {
		if (secret)
			log_add_secret(log, value->text);
		return add_url_password(log, value->text, arena, err);
	}
	for (const struct json *child = value->child; child != NULL; child = child->next) {
		bool named = value->type == JSON_OBJECT && speaks_of_secret(child->key);
		if (add_all(log, child, secret || named, arena, err) != 0)
			return -1;
	}
	return 0;
}

int secrets_of_json(struct log *log, const struct json *value, struct arena *arena, struct error *err)
{
	return value == NULL ? 0 : add_all(log, value, false, arena, err);
}
