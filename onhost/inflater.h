/* SPDX-License-Identifier: Apache-2.0 */
/* What gunzip.c needs of a library that inflates: one gzip member at a time, in pieces. Each library is one of these
 * tables, in a file of its own. */
#ifndef ONHOST_INFLATER_H
#define ONHOST_INFLATER_H

#include <stddef.h>
#include <stdint.h>

/* Moved on by what was taken and made. */
struct inflater_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

enum inflater_result {
	INFLATER_OK,     /* input or room for output has run out */
	INFLATER_END,    /* the member has ended: its checksum and length are right, and in stands behind it */
	INFLATER_DAMAGED,
	INFLATER_NOMEM,
};

struct inflater {
	/* NULL without memory. What was opened stands before a member. */
	void *(*open)(void);
	void (*close)(void *state);
	/* Stands before a member again, after INFLATER_END. */
	enum inflater_result (*reset)(void *state);
	/* With in_len 0, what is still held back comes out. *ret_why: for INFLATER_DAMAGED, what the library says. */
	enum inflater_result (*step)(void *state, struct inflater_io *io, const char **ret_why);
};

/* zlib: everywhere. */
extern const struct inflater inflate_zlib;
#ifdef HAVE_ISAL
/* ISA-L: some four times as fast as zlib. */
extern const struct inflater inflate_isal;
#endif

#endif
