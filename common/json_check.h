/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a text is JSON: RFC 8259's grammar with one root value, at most JSON_MAX_DEPTH nested arrays and objects,
 * valid UTF-8, no byte order mark, and no surrogate without its other half. For json_read.c alone. */
#ifndef COMMON_JSON_CHECK_H
#define COMMON_JSON_CHECK_H

#include <stddef.h>

#include "common/error.h"

/* What the text is made of, so that memory for it is taken once and in the right size. */
struct json_shape {
	size_t n_values;   /* of every type, at every depth */
	size_t n_keys;     /* members, repeated ones each time */
	size_t root_start; /* offset of the root value's first byte */
	size_t root_end;   /* and behind its last */
};

/* One pass, linear in len, no allocation. ERROR_INVALID says at which byte and why, and quotes nothing of the text. */
int json_check(const char *text, size_t len, struct json_shape *ret_shape, struct error *err);
/* The value of the four hex digits that text begins with; -1 when there are not four. */
int json_check_hex4(const char *text, size_t len);

#endif
