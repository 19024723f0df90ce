/* SPDX-License-Identifier: Apache-2.0 */
/* An image as it comes, opened: recognises the packing and the content, and gives the plain bytes. What is inside a tar
 * is untar's. */
#ifndef ONHOST_IMAGE_H
#define ONHOST_IMAGE_H

#include "onhost/format.h"
#include "onhost/stream.h"

struct image;

/* Reads the beginning. ERROR_IMAGE when it is empty or nothing that is taken. in is copied. Freed by image_close. */
int image_open(const struct stream_in *in, struct image **ret_image, struct error *err);
void image_close(struct image *image);
enum format_content image_content(const struct image *image);
const char *image_format(const struct image *image); /* "gzip tar", …: a literal */
/* *ret_got < len means that the whole input was read and is right. */
int image_read(struct image *image, void *data, size_t len, size_t *ret_got, struct error *err);

/* The two halves of image_read, for two threads: decoding the next bytes while the last are checked. Each read is
 * checked, in the order of the reads. */
struct image_part {
	size_t peeked; /* bytes that image_open had read and checked */
	struct stream_part decoded;
};

int image_decode(struct image *image, void *data, size_t len, struct image_part *ret_part, struct error *err);
int image_check(struct image *image, const void *data, const struct image_part *part, struct error *err);

static inline size_t image_part_len(const struct image_part *part)
{
	return part->peeked + part->decoded.len;
}

static inline void image_close_ptr(struct image **image)
{
	if (*image != NULL)
		image_close(*image);
}
#define CLEANUP_IMAGE __attribute__((cleanup(image_close_ptr)))

#endif
