/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the image pipeline share: images made in memory (tar by hand, so that it can be wrong in any way;
 * packed by the real libraries), sources that fail or dawdle, and slots that are collected. */
#ifndef TESTS_UNIT_IMAGE_KIT_H
#define TESTS_UNIT_IMAGE_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "common/buf.h"
#include "onhost/extents.h"
#include "onhost/pipeline.h"
#include "onhost/stream.h"

#define KIT_MAX ((size_t)64 * 1024 * 1024)

/* A disk: bytes that depend on the seed, with a boot signature. len is at least 512. */
void kit_disk(uint8_t *data, size_t len, unsigned seed);
void kit_file(int *ret_fd); /* an unlinked file in /tmp; closed by the caller */
void kit_read_file(int fd, uint8_t *data, size_t len);

enum kit_dialect { KIT_V7, KIT_USTAR, KIT_GNU };

struct kit_member {
	enum kit_dialect dialect;
	const char *name;
	const char *link; /* NULL: none */
	char type;        /* '0' … */
	uint64_t size;
};

/* 512 bytes of header with the right checksum. */
void kit_tar_header(uint8_t block[512], const struct kit_member *member);
void kit_tar_checksum(uint8_t block[512]);
void kit_tar_member(struct buf *out, const struct kit_member *member, const void *data, size_t len);
void kit_tar_end(struct buf *out);
/* root.img and the end. */
void kit_tar(struct buf *out, const void *data, size_t len);
/* A 'x' or 'g' header with these "key=value" records (the list ends with NULL). */
void kit_pax(struct buf *out, char type, const char *const *records);

void kit_gzip(struct buf *out, const void *data, size_t len);
void kit_gzip_header(struct buf *out, gz_header *header, const void *data, size_t len);
/* As zlib's deflateInit2 takes them. */
struct kit_deflate {
	int level;
	int mem_level;
	int strategy;
};
void kit_gzip_as(struct buf *out, struct kit_deflate how, const void *data, size_t len);
void kit_zstd(struct buf *out, const void *data, size_t len, int level, int window_log);
void kit_xz(struct buf *out, const void *data, size_t len, uint32_t preset);

/* Pieces of memory. */
struct kit_stream {
	const uint8_t *data;
	size_t len;
	size_t step;    /* bytes a piece, 0: all at once */
	size_t fail_at; /* after that many bytes ERROR_NETWORK "the kit failed"; SIZE_MAX: never */
	size_t taken;
};
struct stream_in kit_stream_in(struct kit_stream *stream);
struct image_source kit_source(struct kit_stream *stream);
/* All that the codec gives, in reads of step bytes, each checked when the next is over. */
int kit_decode(const struct stream_codec *codec, struct kit_stream *stream, size_t step, struct buf *out,
	       struct error *err);

/* Slots that come out of extents are put together here: bytes that nobody wanted stay KIT_UNTOUCHED. */
#define KIT_UNTOUCHED 0xA5
struct kit_disk_image {
	struct slots slots;
	uint8_t *data;
	size_t size;
	uint64_t next_offset; /* slots must come in order */
};
void kit_collect_init(struct kit_disk_image *disk, size_t size);
void kit_collect_free(struct kit_disk_image *disk);
int kit_collect(void *self, struct slot *slot, struct error *err);

void kit_runtime(struct runtime *ret_runtime, struct cancel *cancel);

#endif
