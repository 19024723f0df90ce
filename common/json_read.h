/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text to a tree. Accepts exactly RFC 8259 with one root value, at most JSON_MAX_DEPTH nested arrays and objects,
 * valid UTF-8 and no lone surrogates. jsmn finds the tokens; the grammar, which jsmn does not enforce, is checked here. */
#ifndef COMMON_JSON_READ_H
#define COMMON_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"

#define JSON_MAX_DEPTH 64

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool boolean;
	const char *text;         /* a string's decoded UTF-8, or a number's literal; NUL-terminated */
	size_t len;               /* of text; a string may hold NULs */
	const char *key;          /* where it is a member of an object; NUL-terminated */
	size_t key_len;
	const struct json *child; /* first element or member */
	const struct json *next;  /* next sibling */
	size_t count;             /* children; a repeated key counts each time */
};

/* Parses len bytes (at most max_len: else ERROR_TOO_BIG); the tree lives in the arena and does not refer to text.
 * ERROR_INVALID with byte offset and reason otherwise. */
int json_parse(struct arena *arena, const char *text, size_t len, size_t max_len, const struct json **ret_root,
	       struct error *err);

/* The member of that name, NULL when there is none or value is not an object (or NULL). Of a repeated key the last. */
const struct json *json_get(const struct json *value, const char *key);
/* json_get along several keys; the list ends with NULL. */
const struct json *json_path(const struct json *value, ...) __attribute__((sentinel));
const struct json *json_at(const struct json *array, size_t index);

bool json_is(const struct json *value, enum json_type type); /* false for NULL */
/* The string without a NUL inside, else NULL (another type, NULL). */
const char *json_text(const struct json *value);
/* A number that is an integer literal (no fraction, no exponent) within int64_t. */
bool json_int(const struct json *value, int64_t *ret_value);
bool json_double(const struct json *value, double *ret_value);
/* true only for the literal true. */
bool json_true(const struct json *value);
/* What Ruby calls truthy: everything but null, false and absent. */
bool json_truthy(const struct json *value);

#endif
