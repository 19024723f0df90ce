/* SPDX-License-Identifier: Apache-2.0 */
/* Strict readers for numbers and times in text, and a writer for times. Nothing before, nothing behind, no overflow, no
 * locale. */
#ifndef COMMON_PARSE_H
#define COMMON_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only. true and *ret_value on success. */
bool parse_u64(const char *text, uint64_t *ret_value);
/* An optional '-', then digits. */
bool parse_i64(const char *text, int64_t *ret_value);
/* AWS's times, "2026-01-31T10:20:30Z" or with a fraction, as seconds since 1970. */
bool parse_iso8601(const char *text, int64_t *ret_seconds);
/* The same as people's tools write it: also with a blank for the T, and "UTC", "+02:00" or "+0200" for the Z. */
bool parse_zoned_time(const char *text, int64_t *ret_seconds);
/* AWS's form the other way round, without the zone: "2026-01-31T10:20:30". false, and nothing written, where there is no such time. */
#define FORMAT_ISO8601_SIZE 32
bool format_iso8601(int64_t seconds, char ret_text[static FORMAT_ISO8601_SIZE]);
/* HTTP's Date header, "Sat, 31 Jan 2026 10:20:30 GMT". */
bool parse_http_date(const char *text, int64_t *ret_seconds);
/* A resource id such as vol-0123456789abcdef0: the prefix ("vol-"), then 8 or 17 lower-case hex digits. */
bool parse_aws_id(const char *text, const char *prefix);
/* The number that the first count (at most 7) characters make as hexadecimal digits, -1 when they are none. Stops at the
 * text's end. */
int parse_hex(const char *text, size_t count);

#endif
