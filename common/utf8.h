/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes (1 to 4) of the well-formed character that text begins with; 0 when it begins with none or len is 0. */
size_t utf8_length(const char *text, size_t len);
/* Writes a code point (no surrogate, at most 0x10FFFF) and returns its bytes. No NUL behind it. */
size_t utf8_encode(uint32_t code, char ret_bytes[4]);

#endif
