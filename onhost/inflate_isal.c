/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating with ISA-L, which has its only home here, where it was there at build time. gzip around it is gunzip.c's. */
#include "onhost/inflater.h"

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdlib.h>

static enum inflater_result isal_reset(void *state)
{
	struct inflate_state *isal = state;

	isal_inflate_reset(isal);
	isal->crc_flag = ISAL_DEFLATE;
	return INFLATER_OK;
}

static void *isal_open(void)
{
	struct inflate_state *isal = malloc(sizeof(*isal));

	if (isal != NULL) {
		isal_inflate_init(isal);
		isal_reset(isal);
	}
	return isal;
}

static const char *why(int result)
{
	switch (result) {
	case ISAL_INVALID_BLOCK:
		return "invalid block";
	case ISAL_INVALID_SYMBOL:
		return "invalid code";
	case ISAL_INVALID_LOOKBACK:
		return "invalid distance";
	default:
		return "not valid";
	}
}

static enum inflater_result isal_step(void *state, struct inflater_io *io, const char **ret_why)
{
	struct inflate_state *isal = state;

	/* ISA-L's interface knows no const, and does not write here */
	isal->next_in = (uint8_t *)(uintptr_t)io->in;
	isal->avail_in = io->in_len < UINT32_MAX ? (uint32_t)io->in_len : UINT32_MAX;
	isal->next_out = io->out;
	isal->avail_out = io->out_len < UINT32_MAX ? (uint32_t)io->out_len : UINT32_MAX;
	int result = isal_inflate(isal);
	io->in_len -= (size_t)(isal->next_in - io->in);
	io->in = isal->next_in;
	io->out_len -= (size_t)(isal->next_out - io->out);
	io->out = isal->next_out;
	if (result < 0) {
		*ret_why = why(result);
		return INFLATER_DAMAGED;
	}
	return isal->block_state == ISAL_BLOCK_FINISH ? INFLATER_END : INFLATER_OK;
}

/* It takes input eight bytes at a time, into a word whose lowest bits come first. */
static size_t isal_held(const void *state, uint8_t ret_bytes[INFLATER_HELD_MAX])
{
	const struct inflate_state *isal = state;
	size_t count = (size_t)isal->read_in_length / 8;
	uint64_t bits = isal->read_in >> isal->read_in_length % 8; /* the rest of the last block's last byte */

	for (size_t i = 0; i < count; i++)
		ret_bytes[i] = (uint8_t)(bits >> 8 * i);
	return count;
}

static uint32_t isal_crc(uint32_t crc, const uint8_t *data, size_t len)
{
	return crc32_gzip_refl(crc, data, len);
}

const struct inflater inflate_isal = { isal_open, free, isal_reset, isal_step, isal_held, isal_crc };
#endif
