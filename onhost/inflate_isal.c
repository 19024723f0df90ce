/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating with ISA-L, which has its only home here, where it was there at build time. gzip around it is gunzip.c's. */
#include "onhost/inflater.h"

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "onhost/byte_run.h"

/* Bytes of a run that are inflated at a time. At two bits a match, the least there is, they give 66,048: more than the window. */
#define RUN_STEP ((size_t)64)

struct isal {
	struct inflate_state state;
	struct inflate_state before; /* a run's second step: is_as_before */
	uint64_t zeros;              /* still to be given out: the input that they stand for is taken */
};

static enum inflater_result isal_reset(void *self)
{
	struct isal *isal = self;

	isal_inflate_reset(&isal->state);
	isal->state.crc_flag = ISAL_DEFLATE;
	return INFLATER_OK;
}

static void *isal_open(void)
{
	struct isal *isal = calloc(1, sizeof(*isal));

	if (isal != NULL) {
		isal_inflate_init(&isal->state);
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

/* With the first in_len bytes of the input. */
static enum inflater_result inflate(struct inflate_state *state, struct inflater_io *io, size_t in_len, const char **ret_why)
{
	/* ISA-L's interface knows no const, and does not write here */
	state->next_in = (uint8_t *)(uintptr_t)io->in;
	state->avail_in = in_len < UINT32_MAX ? (uint32_t)in_len : UINT32_MAX;
	state->next_out = io->out;
	state->avail_out = io->out_len < UINT32_MAX ? (uint32_t)io->out_len : UINT32_MAX;
	int result = isal_inflate(state);
	io->in_len -= (size_t)(state->next_in - io->in);
	io->in = state->next_in;
	io->out_len -= (size_t)(state->next_out - io->out);
	io->out = state->next_out;
	if (result < 0) {
		*ret_why = why(result);
		return INFLATER_DAMAGED;
	}
	return state->block_state == ISAL_BLOCK_FINISH ? INFLATER_END : INFLATER_OK;
}

/* Inflating depends on the state and the input alone: where a step leaves the state as it was, the next step of the same bytes
 * gives the same again. Not compared: where input and output stand, and a total that ISA-L only counts. */
static bool is_as_before(struct isal *isal)
{
	const void *state = &isal->state, *before = &isal->before;

	isal->before.next_in = isal->state.next_in;
	isal->before.avail_in = isal->state.avail_in;
	isal->before.next_out = isal->state.next_out;
	isal->before.avail_out = isal->state.avail_out;
	isal->before.total_out = isal->state.total_out;
	return memcmp(state, before, sizeof(isal->state)) == 0;
}

static void give_zeros(struct isal *isal, struct inflater_io *io)
{
	size_t n = isal->zeros < io->out_len ? (size_t)isal->zeros : io->out_len;

	memset(io->out, 0, n);
	io->out += n;
	io->out_len -= n;
	isal->zeros -= n;
}

/* Input that begins with a run of equal bytes. In an image these are matches, most often, of the zeros in a large free area;
 * ISA-L, which copies each match from the bytes just written, takes 0.4 s a GiB for them, and memset a tenth of that. */
static enum inflater_result inflate_run(struct isal *isal, struct inflater_io *io, size_t run, const char **ret_why)
{
	const uint8_t *end = io->in + run;
	struct inflater_io before = *io;
	enum inflater_result result = inflate(&isal->state, io, RUN_STEP, ret_why);

	if (result != INFLATER_OK || io->out_len == 0)
		return result;
	if (before.out_len - io->out_len >= ISAL_DEF_HIST_SIZE) {
		before = *io;
		isal->before = isal->state;
		result = inflate(&isal->state, io, RUN_STEP, ret_why);
		if (result != INFLATER_OK || io->out_len == 0)
			return result;
		size_t made = before.out_len - io->out_len;
		if (io->in == before.in + RUN_STEP && byte_run_of_zeros(before.out, made) && is_as_before(isal)) {
			size_t steps = (size_t)(end - io->in) / RUN_STEP;
			isal->zeros = (uint64_t)steps * made;
			io->in += steps * RUN_STEP;
			io->in_len -= steps * RUN_STEP;
			return INFLATER_OK;
		}
	}
	return inflate(&isal->state, io, (size_t)(end - io->in), ret_why);
}

static enum inflater_result isal_step(void *self, struct inflater_io *io, const char **ret_why)
{
	struct isal *isal = self;
	size_t run;

	if (isal->zeros > 0) {
		give_zeros(isal, io);
		return INFLATER_OK;
	}
	size_t ordinary = byte_run_find(io->in, io->in_len, &run);
	if (ordinary > 0 || io->in_len == 0)
		return inflate(&isal->state, io, ordinary, ret_why);
	return inflate_run(isal, io, run, ret_why);
}

/* It takes input eight bytes at a time, into a word whose lowest bits come first. */
static size_t isal_held(const void *self, uint8_t ret_bytes[INFLATER_HELD_MAX])
{
	const struct isal *isal = self;
	size_t count = (size_t)isal->state.read_in_length / 8;
	uint64_t bits = isal->state.read_in >> isal->state.read_in_length % 8; /* the rest of the last block's last byte */

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
