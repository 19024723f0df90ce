/* SPDX-License-Identifier: Apache-2.0 */
/* What gunzip.c needs of a library that inflates: raw DEFLATE (RFC 1951) in pieces, and gzip's CRC. Each library is one
 * of these tables, in a file of its own. */
#ifndef ONHOST_INFLATER_H
#define ONHOST_INFLATER_H

#include <stddef.h>
#include <stdint.h>

#define INFLATER_HELD_MAX ((size_t)8)

/* Moved on by what was taken and made. */
struct inflater_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

enum inflater_result {
	INFLATER_OK,  /* to be called again, with input and room for output */
	INFLATER_END, /* the last block has ended: what follows it is what the library holds, and then in */
	INFLATER_DAMAGED,
	INFLATER_NOMEM,
};

struct inflater {
	/* NULL without memory. What was opened stands before a first block. */
	void *(*open)(void);
	void (*close)(void *state);
	/* Stands before a first block again, after INFLATER_END. */
	enum inflater_result (*reset)(void *state);
	/* With in_len 0, what is still held back comes out. *ret_why: for INFLATER_DAMAGED, what the library says. */
	enum inflater_result (*step)(void *state, struct inflater_io *io, const char **ret_why);
	/* After INFLATER_END: bytes that were taken from the input and stand behind the last block. NULL: never any. */
	size_t (*held)(const void *state, uint8_t ret_bytes[INFLATER_HELD_MAX]);
	/* gzip's checksum of what crc is that of, and data behind it; crc 0 is that of nothing. */
	uint32_t (*crc)(uint32_t crc, const uint8_t *data, size_t len);
};

/* zlib: everywhere. */
extern const struct inflater inflate_zlib;
#ifdef HAVE_ISAL
/* ISA-L: some three times as fast as zlib. */
extern const struct inflater inflate_isal;
#endif

#endif
