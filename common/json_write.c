/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text from calls, straight into a buffer. Puts commas, quotes and escapes; that keys and values alternate as they
 * must is the caller's part. */
#include "common/json_write.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include "common/utf8.h"

#define MAX_DEPTH (8 * sizeof(((struct json_writer *)NULL)->has_element))

void json_writer_init(struct json_writer *writer, struct buf *out)
{
	*writer = (struct json_writer){ .out = out };
}

/* The comma that is due in front of a key, or of a value that has none. */
static void separate(struct json_writer *writer)
{
	if (writer->after_key) {
		writer->after_key = false;
		return;
	}
	if (writer->depth == 0 || writer->depth > MAX_DEPTH)
		return;
	unsigned level = writer->depth - 1;
	uint64_t bit = (uint64_t)1 << (level % 64);
	if ((writer->has_element[level / 64] & bit) != 0)
		buf_char(writer->out, ',');
	writer->has_element[level / 64] |= bit;
}

static void begin(struct json_writer *writer, char bracket)
{
	separate(writer);
	buf_char(writer->out, bracket);
	if (writer->depth >= MAX_DEPTH)
		writer->out->failed = true;
	else
		writer->has_element[writer->depth / 64] &= ~((uint64_t)1 << (writer->depth % 64));
	writer->depth++;
}

static void end(struct json_writer *writer, char bracket)
{
	buf_char(writer->out, bracket);
	writer->depth--;
}

void json_begin_object(struct json_writer *writer)
{
	begin(writer, '{');
}

void json_end_object(struct json_writer *writer)
{
	end(writer, '}');
}

void json_begin_array(struct json_writer *writer)
{
	begin(writer, '[');
}

void json_end_array(struct json_writer *writer)
{
	end(writer, ']');
}

/* Bytes at the beginning of text that stand for themselves. */
static size_t plain_run(const char *text, size_t len)
{
	size_t run = 0;

	while (run < len) {
		unsigned char c = (unsigned char)text[run];
		size_t bytes = c < 0x20 || c == '"' || c == '\\' ? 0 : utf8_length(text + run, len - run);
		if (bytes == 0)
			break;
		run += bytes;
	}
	return run;
}

static void write_special(struct buf *out, unsigned char c)
{
	static const char bytes[] = "\"\\\b\f\n\r\t";
	static const char names[] = "\"\\bfnrt";

	if (c >= 0x80) {
		buf_str(out, "\xEF\xBF\xBD");
		return;
	}
	const char *found = c == '\0' ? NULL : strchr(bytes, c);
	if (found == NULL) {
		buf_printf(out, "\\u%04x", c);
		return;
	}
	buf_char(out, '\\');
	buf_char(out, names[found - bytes]);
}

static void write_quoted(struct buf *out, const char *text, size_t len)
{
	buf_char(out, '"');
	while (len > 0) {
		size_t run = plain_run(text, len);
		buf_append(out, text, run);
		text += run;
		len -= run;
		if (len > 0) {
			write_special(out, (unsigned char)*text++);
			len--;
		}
	}
	buf_char(out, '"');
}

void json_key_n(struct json_writer *writer, const char *key, size_t len)
{
	separate(writer);
	write_quoted(writer->out, key, len);
	buf_char(writer->out, ':');
	writer->after_key = true;
}

void json_key(struct json_writer *writer, const char *key)
{
	json_key_n(writer, key, strlen(key));
}

static void write_raw(struct json_writer *writer, const char *text)
{
	separate(writer);
	buf_str(writer->out, text);
}

void json_string(struct json_writer *writer, const char *text)
{
	if (text == NULL)
		json_null(writer);
	else
		json_string_n(writer, text, strlen(text));
}

void json_string_n(struct json_writer *writer, const char *text, size_t len)
{
	separate(writer);
	write_quoted(writer->out, text, len);
}

void json_integer(struct json_writer *writer, int64_t value)
{
	separate(writer);
	buf_printf(writer->out, "%" PRId64, value);
}

void json_unsigned(struct json_writer *writer, uint64_t value)
{
	separate(writer);
	buf_printf(writer->out, "%" PRIu64, value);
}

/* The shortest of the usual precisions that reads back as the same number. */
static void format_double(double value, char *text, size_t size)
{
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, size, "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

void json_number(struct json_writer *writer, double value)
{
	char text[40];

	if (!isfinite(value)) {
		json_null(writer);
		return;
	}
	/* whoever loads us as a library may have set a locale with a decimal comma */
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (plain == (locale_t)0) {
		writer->out->failed = true;
		return;
	}
	locale_t before = uselocale(plain);
	format_double(value, text, sizeof(text));
	uselocale(before);
	freelocale(plain);
	write_raw(writer, text);
}

void json_boolean(struct json_writer *writer, bool value)
{
	write_raw(writer, value ? "true" : "false");
}

void json_null(struct json_writer *writer)
{
	write_raw(writer, "null");
}

static void write_children(struct json_writer *writer, const struct json *value)
{
	for (const struct json *child = value->child; child != NULL && !writer->out->failed; child = child->next) {
		if (value->type == JSON_OBJECT)
			json_key_n(writer, child->key, child->key_len);
		json_value(writer, child);
	}
}

/* Recursion ends with the tree's depth, which the reader bounds, or with the writer's, which fails the buffer. */
void json_value(struct json_writer *writer, const struct json *value)
{
	switch (value->type) {
	case JSON_BOOL:
		json_boolean(writer, value->boolean);
		return;
	case JSON_NUMBER:
		write_raw(writer, value->text);
		return;
	case JSON_STRING:
		json_string_n(writer, value->text, value->len);
		return;
	case JSON_ARRAY:
		json_begin_array(writer);
		write_children(writer, value);
		json_end_array(writer);
		return;
	case JSON_OBJECT:
		json_begin_object(writer);
		write_children(writer, value);
		json_end_object(writer);
		return;
	case JSON_NULL:
	default:
		json_null(writer);
	}
}

void json_member_string(struct json_writer *writer, const char *key, const char *text)
{
	json_key(writer, key);
	json_string(writer, text);
}

void json_member_integer(struct json_writer *writer, const char *key, int64_t value)
{
	json_key(writer, key);
	json_integer(writer, value);
}

void json_member_unsigned(struct json_writer *writer, const char *key, uint64_t value)
{
	json_key(writer, key);
	json_unsigned(writer, value);
}

void json_member_boolean(struct json_writer *writer, const char *key, bool value)
{
	json_key(writer, key);
	json_boolean(writer, value);
}
