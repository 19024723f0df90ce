/* SPDX-License-Identifier: Apache-2.0 */
/* For the bench: `inflate_alone zlib|isal FILE` inflates one gzip member to nowhere, with the library alone and the
 * pieces that onhost uses: what no program that inflates with it on one thread can be faster than. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onhost/inflater.h"

#define PIECE_SIZE ((size_t)256 * 1024)
#define OUT_SIZE ((size_t)1024 * 1024)

static const struct inflater *inflater_by_name(const char *name)
{
#ifdef HAVE_ISAL
	if (strcmp(name, "isal") == 0)
		return &inflate_isal;
#endif
	return strcmp(name, "zlib") == 0 ? &inflate_zlib : NULL;
}

static int run(const struct inflater *inflater, int fd)
{
	uint8_t *piece = malloc(PIECE_SIZE);
	uint8_t *out = malloc(OUT_SIZE);
	void *state = inflater->open();
	struct inflater_io io = { .in_len = 0, .out = out, .out_len = OUT_SIZE };
	enum inflater_result result = INFLATER_OK;
	const char *why = "cut short";

	while (piece != NULL && out != NULL && state != NULL && result == INFLATER_OK) {
		ssize_t n = io.in_len > 0 ? 0 : read(fd, piece, PIECE_SIZE);
		if (io.in_len == 0 && n <= 0)
			break;
		if (io.in_len == 0) {
			io.in = piece;
			io.in_len = (size_t)n;
		}
		result = inflater->step(state, &io, &why);
		if (io.out_len == 0) {
			io.out = out;
			io.out_len = OUT_SIZE;
		}
	}
	if (result != INFLATER_END)
		fprintf(stderr, "inflate_alone: %s\n", why);
	return result == INFLATER_END ? 0 : 1;
}

int main(int argc, char *argv[])
{
	const struct inflater *inflater = argc == 3 ? inflater_by_name(argv[1]) : NULL;
	int fd = inflater == NULL ? -1 : open(argv[2], O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "usage: inflate_alone zlib|isal FILE (isal only where onhost was built with it)\n");
		return 2;
	}
	return run(inflater, fd);
}
