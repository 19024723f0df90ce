/* SPDX-License-Identifier: Apache-2.0 */
/* For the bench: `inflate_alone zlib|isal FILE` unpacks a gzip file to nowhere on one thread, checksum and all, in the
 * pieces that onhost uses: what no program that uses the library on one thread can be faster than. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "onhost/gunzip.h"

#define PIECE_SIZE ((size_t)256 * 1024)
#define OUT_SIZE ((size_t)1024 * 1024)

struct file {
	int fd;
	uint8_t piece[PIECE_SIZE];
};

static int next_piece(void *self, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	struct file *file = self;
	ssize_t n = read(file->fd, file->piece, PIECE_SIZE);

	if (n < 0)
		return error_errno(err, ERROR_IO, errno, "cannot read the file");
	*ret_data = file->piece;
	*ret_len = (size_t)n;
	return 0;
}

static const struct stream_codec *codec_by_name(const char *name)
{
#ifdef HAVE_ISAL
	if (strcmp(name, "isal") == 0)
		return &gunzip_codec;
#endif
	return strcmp(name, "zlib") == 0 ? &gunzip_zlib_codec : NULL;
}

static int run(const struct stream_codec *codec, struct file *file, struct error *err)
{
	static uint8_t out[OUT_SIZE];
	const struct stream_in in = { next_piece, file };
	struct stream_part part = { .len = OUT_SIZE };
	void *state;

	if (codec->open(&in, &state, err) != 0)
		return -1;
	int result = 0;
	while (result == 0 && part.len == OUT_SIZE) {
		result = codec->read(state, out, OUT_SIZE, &part, err);
		if (result == 0)
			result = codec->check(state, out, &part, err);
	}
	codec->close(state);
	return result;
}

int main(int argc, char *argv[])
{
	static struct file file;
	const struct stream_codec *codec = argc == 3 ? codec_by_name(argv[1]) : NULL;
	struct error err;

	file.fd = codec == NULL ? -1 : open(argv[2], O_RDONLY | O_CLOEXEC);
	if (file.fd < 0) {
		fprintf(stderr, "usage: inflate_alone zlib|isal FILE (isal only where onhost was built with it)\n");
		return 2;
	}
	if (run(codec, &file, &err) != 0) {
		fprintf(stderr, "inflate_alone: %s\n", err.message);
		return 1;
	}
	return 0;
}
