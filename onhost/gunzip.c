/* SPDX-License-Identifier: Apache-2.0 */
/* Members of gzip, one behind the other, and what may follow them. Inflating is a library's (inflater.h), what the bytes
 * mean image.c's. Inflating is what everything else waits for, so the sum over what came out is check's, which may run in
 * another thread. */
#include "onhost/gunzip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "onhost/gzip_header.h"
#include "onhost/inflater.h"
#include "onhost/piece.h"

#define TRAILER_LEN ((size_t)8) /* CRC and length, little-endian */

enum place {
	BETWEEN, /* members, or before the first */
	IN_HEADER,
	IN_BODY,
	IN_TRAILER,
};

struct gunzip {
	struct stream_in in;
	const struct inflater *inflater;
	void *state;
	struct inflater_io io;
	bool input_ended;
	bool ended;
	uint64_t members; /* that began */
	enum place place;
	struct gzip_header header;
	uint32_t member_len; /* bytes that it gave, modulo 2^32 */
	uint8_t trailer[TRAILER_LEN];
	size_t trailer_len;
	const uint8_t *begun;     /* in the present read's data: where the member began; NULL: in an earlier read */
	struct stream_part *part; /* the present read's */
	uint32_t crc;             /* check's: of the member that an earlier read began */
};

static int open_with(const struct inflater *inflater, const struct stream_in *in, void **ret_codec, struct error *err)
{
	struct gunzip *gz = calloc(1, sizeof(*gz));
	if (gz == NULL)
		return error_nomem(err);
	gz->in = *in;
	gz->inflater = inflater;
	gz->state = inflater->open();
	if (gz->state == NULL) {
		free(gz);
		return error_nomem(err);
	}
	*ret_codec = gz;
	return 0;
}

static int gunzip_open_zlib(const struct stream_in *in, void **ret_codec, struct error *err)
{
	return open_with(&inflate_zlib, in, ret_codec, err);
}

static int gunzip_open(const struct stream_in *in, void **ret_codec, struct error *err)
{
#ifdef HAVE_ISAL
	return open_with(&inflate_isal, in, ret_codec, err);
#else
	return gunzip_open_zlib(in, ret_codec, err);
#endif
}

static void gunzip_close(void *codec)
{
	struct gunzip *gz = codec;

	gz->inflater->close(gz->state);
	free(gz);
}

/* What stands behind a whole member does not even start as a further one. */
static bool at_foreign_bytes(const struct gunzip *gz)
{
	return gz->members > 1 && gz->place == IN_HEADER && gzip_header_in_fixed(&gz->header);
}

static int refuse_foreign_bytes(struct error *err)
{
	return error_set(err, ERROR_IMAGE,
			 "bytes that do not belong to it follow the end of the image's gzip data; "
			 "download the stemcell again, or pack it anew with gzip");
}

static int refuse_cut(const struct gunzip *gz, struct error *err)
{
	if (at_foreign_bytes(gz))
		return refuse_foreign_bytes(err);
	return error_set(err, ERROR_IMAGE,
			 "the image is cut short: its gzip data stop before their end; download the stemcell again");
}

static int refuse_damaged(const struct gunzip *gz, const char *why, struct error *err)
{
	if (at_foreign_bytes(gz))
		return refuse_foreign_bytes(err);
	return error_set(err, ERROR_IMAGE, "the image's gzip data are damaged (%s); download the stemcell again", why);
}

static int refuse_sum(struct error *err)
{
	return error_set(err, ERROR_IMAGE,
			 "the image's gzip data are damaged (incorrect checksum); download the stemcell again");
}

static int refill(struct gunzip *gz, struct error *err)
{
	if (gz->in.next(gz->in.self, &gz->io.in, &gz->io.in_len, err) != 0)
		return -1;
	gz->input_ended = gz->io.in_len == 0;
	return 0;
}

static int take_padding(struct gunzip *gz, struct error *err)
{
	int zeros = stream_only_zeros(&gz->in, gz->io.in, gz->io.in_len, err);

	if (zeros < 0)
		return -1;
	gz->io.in_len = 0;
	gz->ended = true;
	return zeros == 1 ? 0 : refuse_foreign_bytes(err);
}

/* Ends here, or begins a member. */
static int begin_member(struct gunzip *gz, struct error *err)
{
	if (gz->input_ended) {
		gz->ended = true;
		return 0;
	}
	if (gz->members > 0 && gz->io.in[0] == 0)
		return take_padding(gz, err);
	if (gz->members > 0 && gz->inflater->reset(gz->state) != INFLATER_OK)
		return error_set(err, ERROR_INTERNAL, "the inflater cannot be reset");
	gz->members++;
	gz->place = IN_HEADER;
	gzip_header_start(&gz->header);
	gz->member_len = 0;
	gz->trailer_len = 0;
	gz->begun = gz->io.out;
	return 0;
}

static int take_header(struct gunzip *gz, struct error *err)
{
	enum gzip_header_result result = GZIP_HEADER_MORE;
	const char *why = NULL;

	if (gz->input_ended)
		return refuse_cut(gz, err);
	for (; gz->io.in_len > 0 && result == GZIP_HEADER_MORE; gz->io.in++, gz->io.in_len--)
		result = gzip_header_take(&gz->header, *gz->io.in, &why);
	if (result == GZIP_HEADER_BAD)
		return refuse_damaged(gz, why, err);
	if (result == GZIP_HEADER_END)
		gz->place = IN_BODY;
	return 0;
}

/* One call of the library's. */
static int inflate_some(struct gunzip *gz, struct error *err)
{
	size_t room = gz->io.out_len;
	const char *why = "not valid";
	enum inflater_result result = gz->inflater->step(gz->state, &gz->io, &why);

	gz->member_len += (uint32_t)(room - gz->io.out_len);
	switch (result) {
	case INFLATER_END:
		gz->place = IN_TRAILER;
		if (gz->inflater->held != NULL)
			gz->trailer_len = gz->inflater->held(gz->state, gz->trailer);
		return 0;
	case INFLATER_NOMEM:
		return error_nomem(err);
	case INFLATER_DAMAGED:
		return refuse_damaged(gz, why, err);
	case INFLATER_OK:
	default:
		/* nothing came in, and nothing was held back */
		return gz->input_ended && gz->io.out_len == room ? refuse_cut(gz, err) : 0;
	}
}

static int end_member(struct gunzip *gz, struct error *err)
{
	uint32_t sum = piece_le32(gz->trailer);

	if (piece_le32(gz->trailer + 4) != gz->member_len)
		return refuse_damaged(gz, "incorrect length", err);
	gz->place = BETWEEN;
	/* one that stands in this read as a whole is done with; what check knows is one that earlier reads began */
	if (gz->begun != NULL)
		return gz->inflater->crc(0, gz->begun, gz->member_len) == sum ? 0 : refuse_sum(err);
	gz->part->sum_ends = true;
	gz->part->sum_end = gz->part->len - gz->io.out_len;
	gz->part->sum = sum;
	return 0;
}

static int take_trailer(struct gunzip *gz, struct error *err)
{
	size_t want = TRAILER_LEN - gz->trailer_len;
	size_t n = gz->io.in_len < want ? gz->io.in_len : want;

	if (gz->input_ended && want > 0)
		return refuse_cut(gz, err);
	memcpy(gz->trailer + gz->trailer_len, gz->io.in, n);
	gz->trailer_len += n;
	gz->io.in += n;
	gz->io.in_len -= n;
	return gz->trailer_len == TRAILER_LEN ? end_member(gz, err) : 0;
}

static int step(struct gunzip *gz, struct error *err)
{
	switch (gz->place) {
	case BETWEEN:
		return begin_member(gz, err);
	case IN_HEADER:
		return take_header(gz, err);
	case IN_BODY:
		return inflate_some(gz, err);
	case IN_TRAILER:
	default:
		return take_trailer(gz, err);
	}
}

static int gunzip_read(void *codec, void *data, size_t len, struct stream_part *ret_part, struct error *err)
{
	struct gunzip *gz = codec;

	*ret_part = (struct stream_part){ .len = len };
	gz->part = ret_part;
	gz->begun = NULL;
	gz->io.out = data;
	gz->io.out_len = len;
	while (gz->io.out_len > 0 && !gz->ended) {
		if (gz->io.in_len == 0 && !gz->input_ended && refill(gz, err) != 0)
			return -1;
		if (step(gz, err) != 0)
			return -1;
	}
	ret_part->len = len - gz->io.out_len;
	if (gz->begun != NULL)
		ret_part->sum_begin = (size_t)(gz->begun - (const uint8_t *)data);
	return 0;
}

static int gunzip_check(void *codec, const void *data, const struct stream_part *part, struct error *err)
{
	struct gunzip *gz = codec;
	const uint8_t *bytes = data;

	if (part->sum_ends) {
		uint32_t crc = gz->inflater->crc(gz->crc, bytes, part->sum_end);
		gz->crc = 0;
		if (crc != part->sum)
			return refuse_sum(err);
	}
	gz->crc = gz->inflater->crc(gz->crc, bytes + part->sum_begin, part->len - part->sum_begin);
	return 0;
}

const struct stream_codec gunzip_codec = { gunzip_open, gunzip_read, gunzip_check, gunzip_close };
const struct stream_codec gunzip_zlib_codec = { gunzip_open_zlib, gunzip_read, gunzip_check, gunzip_close };
