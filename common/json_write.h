/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text from calls, into a buf. Commas and quoting are the writer's; failures stick in the buf. Always ASCII-safe
 * for line framing: no raw line breaks. Invalid UTF-8 becomes U+FFFD, so that the output is always valid. */
#ifndef COMMON_JSON_WRITE_H
#define COMMON_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/json_read.h"

struct json_writer {
	struct buf *out;
	uint64_t has_element[2]; /* one bit a depth: a comma is due */
	unsigned depth;
	bool after_key;
};

void json_writer_init(struct json_writer *writer, struct buf *out);
void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *key);
void json_key_n(struct json_writer *writer, const char *key, size_t len);
void json_string(struct json_writer *writer, const char *text); /* NULL is null */
void json_string_n(struct json_writer *writer, const char *text, size_t len);
void json_integer(struct json_writer *writer, int64_t value);
void json_unsigned(struct json_writer *writer, uint64_t value);
void json_number(struct json_writer *writer, double value); /* not finite: null */
void json_boolean(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
/* A tree as it was read (numbers keep their literal). */
void json_value(struct json_writer *writer, const struct json *value);
/* Members in one call: key and value. */
void json_member_string(struct json_writer *writer, const char *key, const char *text);
void json_member_integer(struct json_writer *writer, const char *key, int64_t value);
void json_member_unsigned(struct json_writer *writer, const char *key, uint64_t value);
void json_member_boolean(struct json_writer *writer, const char *key, bool value);

#endif
