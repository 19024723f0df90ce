/* SPDX-License-Identifier: Apache-2.0 */
#include "onhost/byte_run.h"

#include <string.h>

#define PIECE ((size_t)4096)
#define SAMPLE ((size_t)16)
/* A run of BYTE_RUN_LEAST bytes has a whole sample in it, wherever it starts. */
#define STRIDE (BYTE_RUN_LEAST - SAMPLE)

size_t byte_run(const uint8_t *data, size_t len)
{
	size_t run = len < 1 ? len : 1;

	/* each byte with the one before it */
	while (len - run >= PIECE && memcmp(data + run - 1, data + run, PIECE) == 0)
		run += PIECE;
	while (run < len && data[run] == data[run - 1])
		run++;
	return run;
}

bool byte_run_of_zeros(const uint8_t *data, size_t len)
{
	return len == 0 || (data[0] == 0 && byte_run(data, len) == len);
}

size_t byte_run_find(const uint8_t *data, size_t len, size_t *ret_run)
{
	for (size_t at = 0; at + SAMPLE <= len; at += STRIDE) {
		if (memcmp(data + at, data + at + 1, SAMPLE - 1) != 0)
			continue;
		size_t begin = at;
		while (begin > 0 && data[begin - 1] == data[at])
			begin--;
		*ret_run = byte_run(data + begin, len - begin);
		if (*ret_run >= BYTE_RUN_LEAST)
			return begin;
	}
	return len;
}
