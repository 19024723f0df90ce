/* SPDX-License-Identifier: Apache-2.0 */
#include "common/url.h"

#include <string.h>

#include "common/parse.h"

void url_split(const char *url, struct url_parts *ret_parts)
{
	struct url_parts parts = { 0 };
	const char *colon = strstr(url, "://");

	/* "host/a://b" has none: a scheme stands before any slash */
	if (colon != NULL && (size_t)(colon - url) == strcspn(url, ":/?#@"))
		parts.scheme_len = (size_t)(colon - url) + strlen("://");
	parts.rest = url + parts.scheme_len;
	const char *at = parts.rest + strcspn(parts.rest, "/?#");
	while (at > parts.rest && *at != '@')
		at--;
	if (*at == '@') {
		parts.user = parts.rest;
		parts.rest = at + 1;
		const char *divider = memchr(parts.user, ':', (size_t)(at - parts.user));
		parts.user_len = (size_t)((divider == NULL ? at : divider) - parts.user);
		if (divider != NULL) {
			parts.password = divider + 1;
			parts.password_len = (size_t)(at - parts.password);
		}
	}
	*ret_parts = parts;
}

const char *url_decode(struct arena *arena, const char *text, size_t len)
{
	char *decoded = arena_strndup(arena, text, len);
	size_t out = 0;

	for (size_t i = 0; decoded != NULL && i < len; out++) {
		int byte = text[i] == '%' && len - i >= 3 ? parse_hex(text + i + 1, 2) : 0;
		decoded[out] = byte > 0 ? (char)byte : text[i];
		i += byte > 0 ? 3 : 1;
	}
	if (decoded != NULL)
		decoded[out] = '\0';
	return decoded;
}
