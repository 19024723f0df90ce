/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials inside a URL, scheme://user:password@host…: found, and freed of their percent-encoding. */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"

/* Pieces of the URL, none of them NUL-terminated but the last. */
struct url_parts {
	size_t scheme_len;    /* of "https://"; 0 where the URL has none */
	const char *user;     /* NULL: no credentials */
	size_t user_len;
	const char *password; /* NULL: none */
	size_t password_len;
	const char *rest;     /* host, port, path … */
};

/* The last @ before the path ends the credentials: passwords may hold one unescaped. */
void url_split(const char *url, struct url_parts *ret_parts);
/* %41 becomes A; what is no such triple stays, and so does %00. In the arena; NULL when memory runs out. */
const char *url_decode(struct arena *arena, const char *text, size_t len);

#endif
