/* SPDX-License-Identifier: Apache-2.0 */
/* Made by hand where the real tools would not make it wrong enough. */
#include "tests/unit/image_kit.h"

#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
/* last: it redefines fail() and needs what stands above */
#include <cmocka.h>

void kit_disk(uint8_t *data, size_t len, unsigned seed)
{
	uint32_t state = seed * 2654435761U + 1;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525U + 1013904223U;
		/* compressible, never a block of zeros */
		data[i] = (uint8_t)((state >> 28) | 0x10);
	}
	data[510] = 0x55;
	data[511] = 0xAA;
}

void kit_file(int *ret_fd)
{
	char path[] = "/tmp/image_kit.XXXXXX";

	*ret_fd = mkstemp(path);
	assert_true(*ret_fd >= 0);
	unlink(path);
}

void kit_read_file(int fd, uint8_t *data, size_t len)
{
	size_t got = 0;

	memset(data, 0, len);
	while (got < len) {
		ssize_t n = pread(fd, data + got, len - got, (off_t)got);
		assert_true(n >= 0);
		if (n == 0)
			break;
		got += (size_t)n;
	}
}

/* --- tar -------------------------------------------------------------------------------------------------------- */

void kit_tar_checksum(uint8_t block[512])
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	block[155] = ' ';
}

void kit_tar_header(uint8_t block[512], const struct kit_member *member)
{
	memset(block, 0, 512);
	memcpy(block, member->name, strlen(member->name) < 100 ? strlen(member->name) : 100);
	memcpy(block + 100, "0000644", 8);
	memcpy(block + 108, "0000000", 8);
	memcpy(block + 116, "0000000", 8);
	snprintf((char *)block + 124, 12, "%011llo", (unsigned long long)member->size);
	memcpy(block + 136, "00000000000", 12);
	block[156] = (uint8_t)member->type;
	if (member->link != NULL)
		memcpy(block + 157, member->link, strlen(member->link));
	if (member->dialect == KIT_USTAR)
		memcpy(block + 257,
		       "ustar\0"
		       "00",
		       8);
	if (member->dialect == KIT_GNU)
		memcpy(block + 257, "ustar  ", 8);
	if (member->dialect == KIT_V7 && member->type == '0')
		block[156] = '\0';
	kit_tar_checksum(block);
}

static void pad_block(struct buf *out, size_t len)
{
	static const uint8_t zeros[512];

	if (len % 512 != 0)
		buf_append(out, zeros, 512 - len % 512);
}

void kit_tar_member(struct buf *out, const struct kit_member *member, const void *data, size_t len)
{
	uint8_t block[512];

	kit_tar_header(block, member);
	buf_append(out, block, sizeof(block));
	buf_append(out, data, len);
	pad_block(out, len);
}

void kit_tar_end(struct buf *out)
{
	static const uint8_t zeros[1024];

	buf_append(out, zeros, sizeof(zeros));
}

void kit_tar(struct buf *out, const void *data, size_t len)
{
	const struct kit_member member = { KIT_USTAR, "root.img", NULL, '0', len };

	kit_tar_member(out, &member, data, len);
	kit_tar_end(out);
}

void kit_pax(struct buf *out, char type, const char *const *records)
{
	struct buf body CLEANUP_BUF = BUF_INIT(65536);

	for (; *records != NULL; records++) {
		/* the length counts its own digits */
		size_t len = strlen(*records) + 2;
		size_t whole = len + 1;
		while (whole != len + (size_t)snprintf(NULL, 0, "%zu", whole))
			whole++;
		buf_printf(&body, "%zu %s\n", whole, *records);
	}
	const struct kit_member member = { KIT_USTAR, "PaxHeaders/root.img", NULL, type, body.len };
	kit_tar_member(out, &member, body.data, body.len);
}

/* --- packing ---------------------------------------------------------------------------------------------------- */

static void gzip(struct buf *out, struct kit_deflate how, gz_header *header, const void *data, size_t len)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, how.level, Z_DEFLATED, 15 + 16, how.mem_level, how.strategy), Z_OK);
	if (header != NULL)
		assert_int_equal(deflateSetHeader(&z, header), Z_OK);
	size_t bound = deflateBound(&z, len) + 64;
	char *to = buf_reserve(out, bound);
	assert_non_null(to);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_commit(out, bound - z.avail_out);
	deflateEnd(&z);
}

void kit_gzip(struct buf *out, const void *data, size_t len)
{
	kit_gzip_header(out, NULL, data, len);
}

void kit_gzip_header(struct buf *out, gz_header *header, const void *data, size_t len)
{
	gzip(out, (struct kit_deflate){ 1, 8, Z_DEFAULT_STRATEGY }, header, data, len);
}

void kit_gzip_as(struct buf *out, struct kit_deflate how, const void *data, size_t len)
{
	gzip(out, how, NULL, data, len);
}

void kit_zstd(struct buf *out, const void *data, size_t len, int level, int window_log)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	if (window_log != 0) {
		ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
		/* otherwise the window would be no larger than the data */
		ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
	}
	size_t bound = ZSTD_compressBound(len) + 64;
	char *to = buf_reserve(out, bound);
	assert_non_null(to);
	ZSTD_inBuffer in = { data, len, 0 };
	ZSTD_outBuffer put = { to, bound, 0 };
	if (window_log != 0)
		ZSTD_compressStream2(zstd, &put, &in, ZSTD_e_continue);
	assert_int_equal(ZSTD_compressStream2(zstd, &put, &in, ZSTD_e_end), 0);
	buf_commit(out, put.pos);
	ZSTD_freeCCtx(zstd);
}

void kit_xz(struct buf *out, const void *data, size_t len, uint32_t preset)
{
	size_t bound = lzma_stream_buffer_bound(len);
	size_t pos = 0;
	char *to = buf_reserve(out, bound);

	assert_non_null(to);
	assert_int_equal(lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC64, NULL, data, len, (uint8_t *)to, &pos, bound),
			 LZMA_OK);
	buf_commit(out, pos);
}

/* --- sources ---------------------------------------------------------------------------------------------------- */

static int next_piece(void *self, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	struct kit_stream *stream = self;
	size_t n = stream->len - stream->taken;

	if (stream->taken >= stream->fail_at)
		return error_set(err, ERROR_NETWORK, "the kit failed");
	if (stream->step != 0 && n > stream->step)
		n = stream->step;
	if (n > stream->fail_at - stream->taken)
		n = stream->fail_at - stream->taken;
	*ret_data = stream->data + stream->taken;
	*ret_len = n;
	stream->taken += n;
	return 0;
}

struct stream_in kit_stream_in(struct kit_stream *stream)
{
	return (struct stream_in){ next_piece, stream };
}

static int read_piece(void *self, void *data, size_t len, size_t *ret_got, struct error *err)
{
	struct kit_stream *stream = self;
	const uint8_t *piece = NULL;
	size_t step = stream->step;

	if (stream->step == 0 || stream->step > len)
		stream->step = len;
	int result = next_piece(stream, &piece, ret_got, err);
	stream->step = step;
	if (result == 0)
		memcpy(data, piece, *ret_got);
	return result;
}

struct image_source kit_source(struct kit_stream *stream)
{
	return (struct image_source){ .read = read_piece, .self = stream };
}

int kit_decode(const struct stream_codec *codec, struct kit_stream *stream, size_t step, struct buf *out,
	       struct error *err)
{
	struct stream_in in = kit_stream_in(stream);
	struct stream_part part = { .len = step }, last;
	size_t unchecked = out->len;
	void *state;

	if (codec->open(&in, &state, err) != 0)
		return -1;
	int result = 0;
	for (bool first = true; result == 0 && part.len == step; first = false) {
		last = part;
		char *to = buf_reserve(out, step);
		assert_non_null(to);
		result = codec->read(state, to, step, &part, err);
		if (result == 0)
			buf_commit(out, part.len);
		/* as late as may be: the next read is over already */
		if (result == 0 && !first && codec->check != NULL) {
			result = codec->check(state, out->data + unchecked, &last, err);
			unchecked += last.len;
		}
	}
	if (result == 0 && codec->check != NULL)
		result = codec->check(state, out->data + unchecked, &part, err);
	codec->close(state);
	return result;
}

/* --- what comes out --------------------------------------------------------------------------------------------- */

void kit_collect_init(struct kit_disk_image *disk, size_t size)
{
	memset(disk, 0, sizeof(*disk));
	assert_int_equal(slots_init(&disk->slots, 4, NULL), 0);
	disk->size = size;
	disk->data = malloc(size);
	assert_non_null(disk->data);
	memset(disk->data, KIT_UNTOUCHED, size);
}

void kit_collect_free(struct kit_disk_image *disk)
{
	free(disk->data);
	slots_destroy(&disk->slots);
}

int kit_collect(void *self, struct slot *slot, struct error *err)
{
	struct kit_disk_image *disk = self;
	size_t position = 0, start, len;

	(void)err;
	assert_true(slot->offset >= disk->next_offset);
	assert_int_equal(slot->offset % SLOT_SIZE, 0);
	disk->next_offset = slot->offset + SLOT_SIZE;
	while (slot_next_run(slot, &position, &start, &len)) {
		assert_true(slot->offset + start + len <= disk->size);
		memcpy(disk->data + slot->offset + start, slot->data + start, len);
	}
	slots_put(&disk->slots, slot);
	return 0;
}

void kit_runtime(struct runtime *ret_runtime, struct cancel *cancel)
{
	static struct clock clock;
	static struct log log;

	clock_system(&clock);
	log_init(&log, -1, LOG_LEVEL_ERROR, &clock);
	*ret_runtime = (struct runtime){ .log = &log, .clock = &clock, .cancel = cancel };
}
