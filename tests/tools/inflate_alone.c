/* SPDX-License-Identifier: Apache-2.0 */
/* For the bench: `inflate_alone zlib|isal FILE` has a library unpack a gzip file of one member to nowhere on one thread, checksum
 * and all, in the pieces that onhost uses. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

#include "common/cleanup.h"

#define PIECE_SIZE ((size_t)256 * 1024)
#define OUT_SIZE ((size_t)1024 * 1024)
#define GZIP_WINDOW (15 + 16) /* the largest window, in gzip */

static uint8_t piece[PIECE_SIZE];
static uint8_t out[OUT_SIZE];

/* Bytes; 0 at the end, or where nothing can be read. */
static unsigned next_piece(int fd)
{
	ssize_t n = read(fd, piece, PIECE_SIZE);

	return n > 0 ? (unsigned)n : 0;
}

static int zlib_alone(int fd)
{
	z_stream z = { .avail_in = 0 };
	int result = inflateInit2(&z, GZIP_WINDOW);

	while (result == Z_OK && (z.avail_in = next_piece(fd)) > 0) {
		z.next_in = piece;
		for (z.avail_out = 0; result == Z_OK && (z.avail_in > 0 || z.avail_out == 0);) {
			z.next_out = out;
			z.avail_out = OUT_SIZE;
			result = inflate(&z, Z_NO_FLUSH);
		}
		result = result == Z_BUF_ERROR ? Z_OK : result;
	}
	inflateEnd(&z);
	return result == Z_STREAM_END ? 0 : 1;
}

#ifdef HAVE_ISAL
static int isal_alone(int fd)
{
	static struct inflate_state isal;
	int result = ISAL_DECOMP_OK;

	isal_inflate_init(&isal);
	isal.crc_flag = ISAL_GZIP;
	while (result == ISAL_DECOMP_OK && (isal.avail_in = next_piece(fd)) > 0) {
		isal.next_in = piece;
		for (isal.avail_out = 0; result == ISAL_DECOMP_OK && (isal.avail_in > 0 || isal.avail_out == 0);) {
			isal.next_out = out;
			isal.avail_out = OUT_SIZE;
			result = isal_inflate(&isal);
		}
	}
	return result == ISAL_DECOMP_OK && isal.block_state == ISAL_BLOCK_FINISH ? 0 : 1;
}
#endif

int main(int argc, char *argv[])
{
	CLEANUP_FD int fd = argc == 3 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
	int result = 2;

	if (fd >= 0 && strcmp(argv[1], "zlib") == 0)
		result = zlib_alone(fd);
#ifdef HAVE_ISAL
	else if (fd >= 0 && strcmp(argv[1], "isal") == 0)
		result = isal_alone(fd);
#endif
	if (result == 2)
		fputs("usage: inflate_alone zlib|isal FILE (isal only where onhost was built with it)\n", stderr);
	else if (result == 1)
		fputs("inflate_alone: the file cannot be unpacked\n", stderr);
	return result;
}
