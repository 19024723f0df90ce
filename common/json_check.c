/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of RFC 8259, all of it, in one pass and without recursion. Says yes or no and counts; makes no tree,
 * which is json_read.c's, and decodes nothing. */
#include "common/json_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/json_read.h"
#include "common/parse.h"
#include "common/utf8.h"

_Static_assert(JSON_MAX_DEPTH <= 64, "one bit of check.is_object a depth");

/* What may come next. */
enum expect {
	EXPECT_VALUE,
	EXPECT_FIRST_VALUE, /* behind [ */
	EXPECT_KEY,
	EXPECT_FIRST_KEY, /* behind { */
	EXPECT_COMMA,     /* or the closing bracket */
	EXPECT_NOTHING,   /* behind the root */
};

struct check {
	const char *text;
	size_t len;
	size_t pos;
	enum expect expect;
	unsigned depth;
	uint64_t is_object; /* bit n: the bracket that is open at depth n is a { */
	struct json_shape shape;
	const char *reason; /* of a refusal */
	size_t bad_pos;
};

static bool refuse_at(struct check *check, size_t pos, const char *reason)
{
	check->reason = reason;
	check->bad_pos = pos;
	return false;
}

static bool refuse(struct check *check, const char *reason)
{
	return refuse_at(check, check->pos, reason);
}

/* The next byte, -1 at the end. */
static int peek(const struct check *check)
{
	return check->pos < check->len ? (unsigned char)check->text[check->pos] : -1;
}

static bool in_object(const struct check *check)
{
	return (check->is_object >> (check->depth - 1) & 1) != 0;
}

static void skip_blanks(struct check *check)
{
	int c;

	while ((c = peek(check)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		check->pos++;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool skip_digits(struct check *check)
{
	if (!is_digit(peek(check)))
		return false;
	while (is_digit(peek(check)))
		check->pos++;
	return true;
}

static bool take_number(struct check *check)
{
	if (peek(check) == '-')
		check->pos++;
	if (peek(check) == '0') {
		check->pos++;
		if (is_digit(peek(check)))
			return refuse(check, "a number begins with a needless zero");
	} else if (!skip_digits(check)) {
		return refuse(check, "a number has no digit behind its minus");
	}
	if (peek(check) == '.') {
		check->pos++;
		if (!skip_digits(check))
			return refuse(check, "a number has no digit behind its point");
	}
	if (peek(check) == 'e' || peek(check) == 'E') {
		check->pos++;
		if (peek(check) == '+' || peek(check) == '-')
			check->pos++;
		if (!skip_digits(check))
			return refuse(check, "a number has no digit in its exponent");
	}
	return true;
}

static bool take_literal(struct check *check, const char *literal)
{
	size_t len = strlen(literal);

	if (check->len - check->pos < len || memcmp(check->text + check->pos, literal, len) != 0)
		return refuse(check, "not one of the words true, false and null");
	check->pos += len;
	return true;
}

int json_check_hex4(const char *text, size_t len)
{
	return len < 4 ? -1 : parse_hex(text, 4);
}

/* The \uXXXX at pos, -1 when there is none. */
static int unicode_escape(const struct check *check, size_t pos)
{
	if (check->len - pos < 6 || check->text[pos] != '\\' || check->text[pos + 1] != 'u')
		return -1;
	return json_check_hex4(check->text + pos + 2, 4);
}

static bool take_unicode_escape(struct check *check)
{
	int code = unicode_escape(check, check->pos);

	if (code < 0)
		return refuse(check, "\\u without four hexadecimal digits behind it");
	if (code >= 0xDC00 && code <= 0xDFFF)
		return refuse(check, "the second half of a surrogate pair without the first");
	if (code >= 0xD800 && code <= 0xDBFF) {
		int second = unicode_escape(check, check->pos + 6);
		if (second < 0xDC00 || second > 0xDFFF)
			return refuse(check, "the first half of a surrogate pair without the second");
		check->pos += 6;
	}
	check->pos += 6;
	return true;
}

static bool take_escape(struct check *check)
{
	char c = check->pos + 1 < check->len ? check->text[check->pos + 1] : '\0';

	if (c == 'u')
		return take_unicode_escape(check);
	if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
		return refuse(check, "an escape that JSON does not have");
	check->pos += 2;
	return true;
}

static bool take_string(struct check *check)
{
	size_t start = check->pos++;

	for (;;) {
		int c = peek(check);
		if (c < 0)
			return refuse_at(check, start, "a string that begins here is not closed");
		if (c == '"') {
			check->pos++;
			return true;
		}
		if (c < 0x20)
			return refuse(check, "a control character in a string is not escaped");
		if (c == '\\') {
			if (!take_escape(check))
				return false;
			continue;
		}
		size_t bytes = utf8_length(check->text + check->pos, check->len - check->pos);
		if (bytes == 0)
			return refuse(check, "not UTF-8");
		check->pos += bytes;
	}
}

static bool open_bracket(struct check *check, bool object)
{
	if (check->depth == JSON_MAX_DEPTH)
		return refuse(check, "arrays and objects are nested too deeply (64 are allowed)");
	uint64_t bit = (uint64_t)1 << check->depth++;
	check->is_object = object ? check->is_object | bit : check->is_object & ~bit;
	check->expect = object ? EXPECT_FIRST_KEY : EXPECT_FIRST_VALUE;
	check->pos++;
	return true;
}

static void value_ended(struct check *check)
{
	check->expect = check->depth > 0 ? EXPECT_COMMA : EXPECT_NOTHING;
	if (check->depth == 0)
		check->shape.root_end = check->pos;
}

static void close_bracket(struct check *check)
{
	check->pos++;
	check->depth--;
	value_ended(check);
}

static bool take_scalar(struct check *check)
{
	switch (peek(check)) {
	case '"':
		return take_string(check);
	case 't':
		return take_literal(check, "true");
	case 'f':
		return take_literal(check, "false");
	case 'n':
		return take_literal(check, "null");
	case '-':
		return take_number(check);
	default:
		if (is_digit(peek(check)))
			return take_number(check);
		return refuse(check, "a value is missing");
	}
}

static bool take_value(struct check *check)
{
	if (check->depth == 0)
		check->shape.root_start = check->pos;
	check->shape.n_values++;
	if (peek(check) == '{' || peek(check) == '[')
		return open_bracket(check, peek(check) == '{');
	if (!take_scalar(check))
		return false;
	value_ended(check);
	return true;
}

static bool take_key(struct check *check)
{
	if (peek(check) != '"')
		return refuse(check, "a member's name, in double quotes, is missing");
	if (!take_string(check))
		return false;
	check->shape.n_keys++;
	skip_blanks(check);
	if (peek(check) != ':')
		return refuse(check, "a colon is missing");
	check->pos++;
	check->expect = EXPECT_VALUE;
	return true;
}

static bool take_comma(struct check *check)
{
	int closing = in_object(check) ? '}' : ']';

	if (peek(check) == closing) {
		close_bracket(check);
		return true;
	}
	if (peek(check) != ',')
		return refuse(check, closing == '}' ? "a comma or } is missing" : "a comma or ] is missing");
	check->pos++;
	check->expect = closing == '}' ? EXPECT_KEY : EXPECT_VALUE;
	return true;
}

static bool step(struct check *check)
{
	switch (check->expect) {
	case EXPECT_FIRST_VALUE:
		if (peek(check) == ']') {
			close_bracket(check);
			return true;
		}
		return take_value(check);
	case EXPECT_FIRST_KEY:
		if (peek(check) == '}') {
			close_bracket(check);
			return true;
		}
		return take_key(check);
	case EXPECT_KEY:
		return take_key(check);
	case EXPECT_COMMA:
		return take_comma(check);
	case EXPECT_NOTHING:
		return refuse(check, "something follows behind the end of the value");
	case EXPECT_VALUE:
	default:
		return take_value(check);
	}
}

static bool run(struct check *check)
{
	if (check->len >= 3 && memcmp(check->text, "\xEF\xBB\xBF", 3) == 0)
		return refuse(check, "a byte order mark, which must not be there");
	skip_blanks(check);
	if (check->pos == check->len)
		return refuse(check, "there is nothing but blanks");
	while (check->expect != EXPECT_NOTHING || check->pos < check->len) {
		if (!step(check))
			return false;
		skip_blanks(check);
	}
	return true;
}

int json_check(const char *text, size_t len, struct json_shape *ret_shape, struct error *err)
{
	struct check check = { .text = text, .len = len, .expect = EXPECT_VALUE };

	if (len == 0)
		return error_set(err, ERROR_INVALID, "not JSON: the text is empty");
	if (!run(&check))
		return error_set(err, ERROR_INVALID, "not JSON: at byte %zu: %s", check.bad_pos, check.reason);
	*ret_shape = check.shape;
	return 0;
}
