/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a gzip member (RFC 1952, 2.3), a byte at a time. Nothing of it is kept: what counts is where it ends. */
#ifndef ONHOST_GZIP_HEADER_H
#define ONHOST_GZIP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gzip_header {
	int field; /* that the next byte belongs to */
	size_t count; /* bytes of it that came */
	uint8_t flags;
	size_t extra_len;
	uint32_t crc; /* of all so far, as crc.h runs it */
};

enum gzip_header_result {
	GZIP_HEADER_MORE,
	GZIP_HEADER_END, /* the byte was its last */
	GZIP_HEADER_BAD,
};

void gzip_header_start(struct gzip_header *header);
/* Still among the ten bytes that every header has. */
bool gzip_header_in_fixed(const struct gzip_header *header);
/* *ret_why: what is wrong, for GZIP_HEADER_BAD. */
enum gzip_header_result gzip_header_take(struct gzip_header *header, uint8_t byte, const char **ret_why);

#endif
