/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text to a tree, and the questions that are asked of it. jsmn splits the text into tokens; that the text follows
 * the grammar is seen to before, in json_check.c. What a field must hold is for the callers. */
#include "common/json_read.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include "common/cleanup.h"
#include "common/json_check.h"
#include "common/parse.h"
#include "common/utf8.h"

/* Parent links: without them each closing bracket searches all tokens before it. */
#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

/* An array or object whose tokens are being read. */
struct open_value {
	struct json *node;
	struct json *last; /* its newest child */
	int end;           /* offset behind its closing bracket */
};

struct builder {
	const char *text;
	struct json *free_node; /* of n_values */
	char *free_text;        /* of len + 1 */
	const jsmntok_t *key;   /* the name of the member whose value comes next */
	struct open_value open[JSON_MAX_DEPTH];
	unsigned depth;
};

/* The escape behind the backslash at `from`; returns how much of the text it is. */
static size_t decode_escape(const char *from, char **to)
{
	static const char names[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";

	if (from[1] != 'u') {
		*(*to)++ = bytes[strchr(names, from[1]) - names];
		return 2;
	}
	uint32_t code = (uint32_t)json_check_hex4(from + 2, 4);
	size_t used = 6;
	if (code >= 0xD800 && code <= 0xDBFF) {
		uint32_t second = (uint32_t)json_check_hex4(from + 8, 4);
		code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
		used = 12;
	}
	*to += utf8_encode(code, *to);
	return used;
}

/* What a token between quotes stands for. Never longer than the token, so the NUL has the place of the quote. */
static const char *decode_string(struct builder *builder, const jsmntok_t *token, size_t *ret_len)
{
	const char *from = builder->text + token->start;
	const char *end = builder->text + token->end;
	char *start = builder->free_text;
	char *to = start;

	while (from < end) {
		const char *escape = memchr(from, '\\', (size_t)(end - from));
		size_t plain = (size_t)((escape == NULL ? end : escape) - from);
		memcpy(to, from, plain);
		to += plain;
		from += plain;
		if (from < end)
			from += decode_escape(from, &to);
	}
	*ret_len = (size_t)(to - start);
	*to++ = '\0';
	builder->free_text = to;
	return start;
}

static void fill_primitive(struct builder *builder, const jsmntok_t *token, struct json *node)
{
	const char *from = builder->text + token->start;

	switch (*from) {
	case 'n':
		node->type = JSON_NULL;
		return;
	case 't':
	case 'f':
		node->type = JSON_BOOL;
		node->boolean = *from == 't';
		return;
	default:
		/* the NUL has the place of what ended the number */
		node->type = JSON_NUMBER;
		node->len = (size_t)(token->end - token->start);
		memcpy(builder->free_text, from, node->len);
		builder->free_text[node->len] = '\0';
		node->text = builder->free_text;
		builder->free_text += node->len + 1;
	}
}

static void fill_node(struct builder *builder, const jsmntok_t *token, struct json *node)
{
	if (token->type == JSMN_STRING) {
		node->type = JSON_STRING;
		node->text = decode_string(builder, token, &node->len);
	} else if (token->type == JSMN_PRIMITIVE) {
		fill_primitive(builder, token, node);
	} else {
		node->type = token->type == JSMN_OBJECT ? JSON_OBJECT : JSON_ARRAY;
	}
}

static void append_child(struct open_value *parent, struct json *node)
{
	if (parent->last == NULL)
		parent->node->child = node;
	else
		parent->last->next = node;
	parent->last = node;
	parent->node->count++;
}

/* Tokens come in the order of the text, so one that begins behind an open value's end has closed it. */
static void add_token(struct builder *builder, const jsmntok_t *token)
{
	while (builder->depth > 0 && token->start >= builder->open[builder->depth - 1].end)
		builder->depth--;
	struct open_value *parent = builder->depth > 0 ? &builder->open[builder->depth - 1] : NULL;
	if (parent != NULL && parent->node->type == JSON_OBJECT && builder->key == NULL) {
		builder->key = token;
		return;
	}

	struct json *node = builder->free_node++;
	if (builder->key != NULL)
		node->key = decode_string(builder, STEAL(builder->key), &node->key_len);
	fill_node(builder, token, node);
	if (parent != NULL)
		append_child(parent, node);
	if (token->type == JSMN_OBJECT || token->type == JSMN_ARRAY)
		builder->open[builder->depth++] = (struct open_value){ .node = node, .end = token->end };
}

/* A root that is a bare number or word is no matter for jsmn, which in strict mode wants a delimiter behind those. */
static bool bare_root(const char *text, const struct json_shape *shape, jsmntok_t *token)
{
	if (strchr("{[\"", text[shape->root_start]) != NULL)
		return false;
	*token = (jsmntok_t){ .type = JSMN_PRIMITIVE,
			      .start = (int)shape->root_start,
			      .end = (int)shape->root_end };
	return true;
}

static int find_tokens(const char *text, size_t len, const struct json_shape *shape, jsmntok_t *tokens, size_t n_tokens,
		       struct error *err)
{
	if (bare_root(text, shape, &tokens[0]))
		return 0;
	jsmn_parser parser;
	jsmn_init(&parser);
	int found = jsmn_parse(&parser, text, len, tokens, (unsigned)n_tokens);
	if (found < 0 || (size_t)found != n_tokens)
		return error_set(err, ERROR_INTERNAL, "jsmn found other tokens (%d) than the check (%zu)", found,
				 n_tokens);
	return 0;
}

static int build(struct builder *builder, size_t len, const struct json_shape *shape, struct error *err)
{
	size_t n_tokens = shape->n_values + shape->n_keys;
	jsmntok_t *tokens = calloc(n_tokens, sizeof(*tokens));

	if (tokens == NULL)
		return error_nomem(err);
	int result = find_tokens(builder->text, len, shape, tokens, n_tokens, err);
	for (size_t i = 0; result == 0 && i < n_tokens; i++)
		add_token(builder, &tokens[i]);
	free(tokens);
	return result;
}

int json_parse(struct arena *arena, const char *text, size_t len, size_t max_len, const struct json **ret_root,
	       struct error *err)
{
	if (len > max_len)
		return error_set(err, ERROR_TOO_BIG, "the JSON text is %zu bytes long; %zu are allowed", len, max_len);
	if (len >= INT_MAX)
		return error_set(err, ERROR_TOO_BIG, "the JSON text is %zu bytes long; %d are possible", len,
				 INT_MAX - 1);
	struct json_shape shape;
	if (json_check(text, len, &shape, err) != 0)
		return -1;

	struct json *nodes = arena_array(arena, shape.n_values, sizeof(*nodes));
	char *texts = arena_alloc(arena, len + 1);
	if (nodes == NULL || texts == NULL)
		return error_nomem(err);
	struct builder builder = { .text = text, .free_node = nodes, .free_text = texts };
	if (build(&builder, len, &shape, err) != 0)
		return -1;
	*ret_root = nodes;
	return 0;
}

const struct json *json_get(const struct json *value, const char *key)
{
	const struct json *found = NULL;
	size_t len = strlen(key);

	if (!json_is(value, JSON_OBJECT))
		return NULL;
	for (const struct json *member = value->child; member != NULL; member = member->next) {
		if (member->key_len == len && memcmp(member->key, key, len) == 0)
			found = member;
	}
	return found;
}

const struct json *json_path(const struct json *value, ...)
{
	va_list keys;
	const char *key;

	va_start(keys, value);
	while (value != NULL && (key = va_arg(keys, const char *)) != NULL)
		value = json_get(value, key);
	va_end(keys);
	return value;
}

const struct json *json_at(const struct json *array, size_t index)
{
	if (!json_is(array, JSON_ARRAY))
		return NULL;
	const struct json *element = array->child;
	while (element != NULL && index-- > 0)
		element = element->next;
	return element;
}

bool json_is(const struct json *value, enum json_type type)
{
	return value != NULL && value->type == type;
}

const char *json_text(const struct json *value)
{
	if (!json_is(value, JSON_STRING) || strlen(value->text) != value->len)
		return NULL;
	return value->text;
}

bool json_int(const struct json *value, int64_t *ret_value)
{
	return json_is(value, JSON_NUMBER) && parse_i64(value->text, ret_value);
}

bool json_double(const struct json *value, double *ret_value)
{
	if (!json_is(value, JSON_NUMBER))
		return false;
	/* whoever loads us as a library may have set a locale with a decimal comma */
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (plain == (locale_t)0)
		return false;
	locale_t before = uselocale(plain);
	double number = strtod(value->text, NULL);
	uselocale(before);
	freelocale(plain);
	if (!isfinite(number))
		return false;
	*ret_value = number;
	return true;
}

bool json_true(const struct json *value)
{
	return json_is(value, JSON_BOOL) && value->boolean;
}

bool json_truthy(const struct json *value)
{
	if (value == NULL || value->type == JSON_NULL)
		return false;
	return value->type != JSON_BOOL || value->boolean;
}
