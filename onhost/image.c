/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the decoder and looks at the first bytes. Unpacking is the decoders', tar is untar.c's. */
#include "onhost/image.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "onhost/gunzip.h"
#include "onhost/unxz.h"
#include "onhost/unzstd.h"

struct image {
	struct stream_in source;
	const uint8_t *first; /* the first piece, until it is handed on */
	size_t first_len;
	bool first_taken;
	enum format_packing packing;
	enum format_content content;
	const struct stream_codec *codec;
	void *codec_state;
	uint8_t peek[FORMAT_PEEK];
	size_t peek_len;
	size_t peek_taken;
};

/* What is not packed. */
struct plain {
	struct stream_in in;
	const uint8_t *data;
	size_t len;
};

static int plain_open(const struct stream_in *in, void **ret_codec, struct error *err)
{
	struct plain *plain = calloc(1, sizeof(*plain));
	if (plain == NULL)
		return error_nomem(err);
	plain->in = *in;
	*ret_codec = plain;
	return 0;
}

static int plain_read(void *codec, void *data, size_t len, struct stream_part *ret_part, struct error *err)
{
	struct plain *plain = codec;
	size_t got = 0;

	while (got < len) {
		if (plain->len == 0 && plain->in.next(plain->in.self, &plain->data, &plain->len, err) != 0)
			return -1;
		if (plain->len == 0)
			break;
		size_t n = len - got < plain->len ? len - got : plain->len;
		memcpy((uint8_t *)data + got, plain->data, n);
		plain->data += n;
		plain->len -= n;
		got += n;
	}
	*ret_part = (struct stream_part){ .len = got };
	return 0;
}

static void plain_close(void *codec)
{
	free(codec);
}

static const struct stream_codec plain_codec = { plain_open, plain_read, NULL, plain_close };

static const struct stream_codec *codec_of(enum format_packing packing)
{
	switch (packing) {
	case FORMAT_GZIP:
		return &gunzip_codec;
	case FORMAT_ZSTD:
		return &unzstd_codec;
	case FORMAT_XZ:
		return &unxz_codec;
	case FORMAT_PLAIN:
	default:
		return &plain_codec;
	}
}

/* The input with the piece in front that was looked at already. */
static int next_piece(void *self, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	struct image *image = self;

	if (image->first_taken)
		return image->source.next(image->source.self, ret_data, ret_len, err);
	image->first_taken = true;
	*ret_data = image->first;
	*ret_len = image->first_len;
	return 0;
}

static int refuse_content(const struct image *image, struct error *err)
{
	static const char what[] =
		"what is taken is root.img in a tar archive, or a disk image as it is; each plain or "
		"packed by gzip, zstd or xz";
	const char *guess = format_guess(image->peek, image->peek_len);
	const char *packed = image->packing == FORMAT_PLAIN ? "" : "unpacked, ";

	if (image->peek_len == 0)
		return error_set(err, ERROR_IMAGE, "the image is empty; %s", what);
	if (guess != NULL)
		return error_set(err, ERROR_IMAGE, "%sthe image looks like %s: %s", packed, guess, what);
	return error_set(err, ERROR_IMAGE, "%sthe image is neither a tar archive nor a disk image: %s", packed, what);
}

static int read_codec(struct image *image, void *data, size_t len, struct stream_part *ret_part, struct error *err)
{
	return image->codec->read(image->codec_state, data, len, ret_part, err);
}

static int check_codec(struct image *image, const void *data, const struct stream_part *part, struct error *err)
{
	return image->codec->check == NULL ? 0 : image->codec->check(image->codec_state, data, part, err);
}

static int start(struct image *image, struct error *err)
{
	struct stream_part part;

	if (image->source.next(image->source.self, &image->first, &image->first_len, err) != 0)
		return -1;
	image->packing = format_packing(image->first, image->first_len);
	image->codec = codec_of(image->packing);
	struct stream_in in = { next_piece, image };
	if (image->codec->open(&in, &image->codec_state, err) != 0)
		return -1;
	if (read_codec(image, image->peek, sizeof(image->peek), &part, err) != 0 ||
	    check_codec(image, image->peek, &part, err) != 0)
		return -1;
	image->peek_len = part.len;
	image->content = format_content(image->peek, image->peek_len);
	return image->content == FORMAT_UNKNOWN ? refuse_content(image, err) : 0;
}

int image_open(const struct stream_in *in, struct image **ret_image, struct error *err)
{
	CLEANUP_IMAGE struct image *image = calloc(1, sizeof(*image));
	if (image == NULL)
		return error_nomem(err);
	image->source = *in;
	if (start(image, err) != 0)
		return -1;
	*ret_image = STEAL(image);
	return 0;
}

void image_close(struct image *image)
{
	if (image->codec_state != NULL)
		image->codec->close(image->codec_state);
	free(image);
}

enum format_content image_content(const struct image *image)
{
	return image->content;
}

const char *image_format(const struct image *image)
{
	return format_name(image->packing, image->content);
}

int image_decode(struct image *image, void *data, size_t len, struct image_part *ret_part, struct error *err)
{
	size_t peeked = image->peek_len - image->peek_taken;
	size_t n = len < peeked ? len : peeked;

	memcpy(data, image->peek + image->peek_taken, n);
	image->peek_taken += n;
	*ret_part = (struct image_part){ .peeked = n };
	return n == len ? 0 : read_codec(image, (uint8_t *)data + n, len - n, &ret_part->decoded, err);
}

int image_check(struct image *image, const void *data, const struct image_part *part, struct error *err)
{
	return check_codec(image, (const uint8_t *)data + part->peeked, &part->decoded, err);
}

int image_read(struct image *image, void *data, size_t len, size_t *ret_got, struct error *err)
{
	struct image_part part;

	if (image_decode(image, data, len, &part, err) != 0 || image_check(image, data, &part, err) != 0)
		return -1;
	*ret_got = image_part_len(&part);
	return 0;
}
