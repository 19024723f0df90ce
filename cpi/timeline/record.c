/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/record.h"

#include <string.h>

#include "common/parse.h"
#include "common/utf8.h"

#define END (-1)
#define MAX_DIGITS 10 /* milliseconds: 115 days */
#define TIME_LEN 19   /* up to the seconds */

/* A text that is unescaped while it is read. */
struct source {
	const char *at;
	const char *end;
	/* by level: what is left of a character that \u has written */
	char left[RECORD_MAX_LEVEL + 1][4];
	size_t n_left[RECORD_MAX_LEVEL + 1];
};

static int next_byte(struct source *source, unsigned level);

static int hex_digit(int c)
{
	char text[2] = { (char)c, '\0' };

	return c == END ? -1 : parse_hex(text, 1);
}

/* Behind "\u". The first byte of the character, the others are kept. */
static int next_code(struct source *source, unsigned level)
{
	uint32_t code = 0;
	char bytes[4];

	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(next_byte(source, level - 1));
		if (digit < 0)
			return '?';
		code = code * 16 + (uint32_t)digit;
	}
	if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
		return '?';
	size_t len = utf8_encode(code, bytes);
	for (size_t i = 1; i < len; i++)
		source->left[level][len - 1 - i] = bytes[i];
	source->n_left[level] = len - 1;
	return (unsigned char)bytes[0];
}

/* One byte of the text as it was before it was escaped `level` times. */
static int next_byte(struct source *source, unsigned level)
{
	static const char letters[] = "nrtbf";
	static const char meanings[] = "\n\r\t\b\f";

	if (level == 0)
		return source->at < source->end ? (unsigned char)*source->at++ : END;
	if (source->n_left[level] > 0)
		return (unsigned char)source->left[level][--source->n_left[level]];
	int c = next_byte(source, level - 1);
	/* a bare quote ends the string in which all this stands */
	if (c == '"')
		return END;
	if (c != '\\')
		return c;
	c = next_byte(source, level - 1);
	if (c == 'u')
		return next_code(source, level);
	const char *letter = c == END || c == '\0' ? NULL : strchr(letters, c);
	return letter == NULL ? c : meanings[letter - letters];
}

static void put(char *text, size_t size, size_t *len, int c)
{
	if (*len < size - 1)
		text[(*len)++] = (char)(c == '\0' ? '?' : c);
}

void record_unescape(const char *text, const char *end, unsigned level, char *ret_text, size_t size)
{
	struct source source = { .at = text, .end = end };
	size_t len = 0;

	while (len < size - 1) {
		int c = next_byte(&source, level);
		if (c == END || c == '\n')
			break;
		put(ret_text, size, &len, c);
	}
	ret_text[len] = '\0';
}

bool record_time(const char *text, size_t len, int64_t *ret_us)
{
	char whole[TIME_LEN + 2] = { 0 };
	int64_t seconds;
	int64_t us = 0;
	int64_t unit = 100000;

	if (len < TIME_LEN)
		return false;
	memcpy(whole, text, TIME_LEN);
	whole[TIME_LEN] = 'Z';
	if (!parse_iso8601(whole, &seconds))
		return false;
	if (len > TIME_LEN && text[TIME_LEN] == '.') {
		for (size_t i = TIME_LEN + 1; i < len && text[i] >= '0' && text[i] <= '9'; i++, unit /= 10)
			us += (text[i] - '0') * unit;
	}
	*ret_us = seconds * 1000000 + us;
	return true;
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

enum field { FIELD_ACTION, FIELD_START, FIELD_DURATION, FIELD_ATTEMPTS, FIELD_WAIT, FIELD_STATUS, FIELD_AWS_ID,
	     FIELD_THROTTLED, FIELD_THROTTLE, FIELD_CODE, FIELD_FOR, N_FIELDS };

static const char *const names[N_FIELDS] = { "action", "start", "duration_ms", "attempts", "wait_ms", "status",
					     "aws_request_id", "throttled", "throttle_ms", "code", "for" };

#define BIT(field) (1U << (field))
#define NEEDED                                                                                                         \
	(BIT(FIELD_ACTION) | BIT(FIELD_START) | BIT(FIELD_DURATION) | BIT(FIELD_ATTEMPTS) | BIT(FIELD_WAIT) |          \
	 BIT(FIELD_STATUS) | BIT(FIELD_AWS_ID))

struct value {
	char text[256];
	size_t len;
	bool begun; /* its first quote was there */
	bool whole;
};

static enum field find_field(const char *name, size_t len)
{
	for (enum field field = FIELD_ACTION; field < N_FIELDS; field++) {
		if (strlen(names[field]) == len && memcmp(names[field], name, len) == 0)
			return field;
	}
	return N_FIELDS;
}

/* How often the text was escaped in which this value stands: by the backslashes before its first quote. -1: no quote. */
static int level_of(const char *text, const char *end)
{
	size_t backslashes = 0;

	while (text + backslashes < end && text[backslashes] == '\\')
		backslashes++;
	if (text + backslashes >= end || text[backslashes] != '"')
		return -1;
	for (int level = 0; level <= RECORD_MAX_LEVEL; level++) {
		if (backslashes == (1U << level) - 1)
			return level;
	}
	return -1;
}

static const char *take_quoted(const char *text, const char *end, unsigned level, struct value *ret_value)
{
	struct source source = { .at = text, .end = end };

	ret_value->begun = true;
	(void)next_byte(&source, level);
	for (;;) {
		int c = next_byte(&source, level);
		if (c == '"') {
			ret_value->whole = true;
			break;
		}
		if (c == '\\')
			c = next_byte(&source, level);
		if (c == END || c == '\n')
			break;
		put(ret_value->text, sizeof(ret_value->text), &ret_value->len, c);
	}
	return source.at;
}

static bool ends_plain(char c)
{
	return (unsigned char)c <= ' ' || c == '"' || c == '\\';
}

/* Where the value ends. */
static const char *take_value(const char *text, const char *end, struct value *ret_value)
{
	int level = level_of(text, end);

	ret_value->len = 0;
	ret_value->begun = false;
	ret_value->whole = false;
	if (level >= 0) {
		text = take_quoted(text, end, (unsigned)level, ret_value);
	} else {
		for (; text < end && !ends_plain(*text); text++)
			put(ret_value->text, sizeof(ret_value->text), &ret_value->len, (unsigned char)*text);
		/* at the end of the line nobody knows whether more was to come */
		ret_value->whole = text < end && *text == ' ';
	}
	ret_value->text[ret_value->len] = '\0';
	return text;
}

static bool take_number(const struct value *value, int64_t *ret_number)
{
	return value->len <= MAX_DIGITS && parse_i64(value->text, ret_number) && *ret_number >= 0;
}

static bool take_count(const struct value *value, unsigned *ret_count)
{
	int64_t number;

	if (!take_number(value, &number) || number > 1000000)
		return false;
	*ret_count = (unsigned)number;
	return true;
}

static bool is_action(const struct value *value, size_t max)
{
	for (const char *c = value->text; *c != '\0'; c++) {
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
			return false;
	}
	return value->len > 0 && value->len <= max;
}

static void copy(char *to, size_t size, const struct value *value)
{
	size_t len = value->len < size - 1 ? value->len : size - 1;

	memcpy(to, value->text, len);
	to[len] = '\0';
}

/* False when the value is none of this field's. */
static bool take_field(struct event_call *call, enum field field, const struct value *value)
{
	int64_t us;

	switch (field) {
	case FIELD_ACTION:
		copy(call->action, sizeof(call->action), value);
		return is_action(value, sizeof(call->action) - 1);
	case FIELD_START:
		if (!record_time(value->text, value->len, &us))
			return false;
		call->start_ms = us / 1000;
		return true;
	case FIELD_DURATION:
		return take_number(value, &call->duration_ms);
	case FIELD_ATTEMPTS:
		return take_count(value, &call->attempts);
	case FIELD_WAIT:
		return take_number(value, &call->wait_ms);
	case FIELD_STATUS:
		return take_count(value, &call->status);
	case FIELD_AWS_ID:
		copy(call->aws_request_id, sizeof(call->aws_request_id), value);
		return true;
	case FIELD_THROTTLED:
		return take_count(value, &call->throttled);
	case FIELD_THROTTLE:
		return take_number(value, &call->throttle_ms);
	case FIELD_CODE:
		copy(call->code, sizeof(call->code), value);
		return true;
	case FIELD_FOR:
		copy(call->purpose, sizeof(call->purpose), value);
		return true;
	default:
		return true;
	}
}

/* What is said twice must agree, and what an older log does not say is worked out. */
static void settle(struct event_call *call, unsigned seen)
{
	if ((seen & BIT(FIELD_THROTTLE)) == 0 && call->throttled > 0 && call->attempts > 1) {
		int64_t retries = call->attempts - 1;
		call->throttle_ms = call->throttled >= retries ? call->wait_ms :
								 call->wait_ms * call->throttled / retries;
	}
	if (call->wait_ms > call->duration_ms)
		call->wait_ms = call->duration_ms;
	if (call->throttle_ms > call->duration_ms)
		call->throttle_ms = call->duration_ms;
}

enum record_result record_parse(const char *text, const char *end, struct event_call *ret_call)
{
	struct value value;
	unsigned seen = 0;
	bool whole = false;

	*ret_call = (struct event_call){ 0 };
	while (text < end && *text == ' ') {
		const char *name = ++text;
		while (text < end && ((*text >= 'a' && *text <= 'z') || *text == '_'))
			text++;
		if (text == name || text >= end || *text != '=')
			break;
		enum field field = find_field(name, (size_t)(text - name));
		text = take_value(text + 1, end, &value);
		if (field == FIELD_FOR ? !value.begun : !value.whole)
			break;
		if (!take_field(ret_call, field, &value))
			return RECORD_CUT;
		if (field < N_FIELDS)
			seen |= BIT(field);
		if (field == FIELD_FOR)
			whole = value.whole;
	}
	if ((seen & NEEDED) != NEEDED || (seen & BIT(FIELD_FOR)) == 0)
		return RECORD_CUT;
	settle(ret_call, seen);
	return whole ? RECORD_WHOLE : RECORD_SHORT;
}
