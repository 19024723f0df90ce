/* SPDX-License-Identifier: Apache-2.0 */
/* Single characters of UTF-8, for the JSON reader and writer. What to do about malformed text is theirs to decide. */
#include "common/utf8.h"

#include <stdbool.h>

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

/* The second byte is where overlong forms, surrogates and too high code points show (RFC 3629, section 4). */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xE0:
		return second >= 0xA0;
	case 0xED:
		return second <= 0x9F;
	case 0xF0:
		return second >= 0x90;
	case 0xF4:
		return second <= 0x8F;
	default:
		return true;
	}
}

size_t utf8_length(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;

	if (len == 0)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] < 0xC2 || bytes[0] > 0xF4)
		return 0;
	size_t need = bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
	if (len < need)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if (!is_continuation(bytes[i]))
			return 0;
	}
	return second_byte_fits(bytes[0], bytes[1]) ? need : 0;
}

size_t utf8_encode(uint32_t code, char ret_bytes[4])
{
	if (code < 0x80) {
		ret_bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret_bytes[0] = (char)(0xC0 | code >> 6);
		ret_bytes[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		ret_bytes[0] = (char)(0xE0 | code >> 12);
		ret_bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
		ret_bytes[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	ret_bytes[0] = (char)(0xF0 | code >> 18);
	ret_bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
	ret_bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
	ret_bytes[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}
