/* SPDX-License-Identifier: Apache-2.0 */
/* Members of gzip, one behind the other, and what may follow them. Inflating is a library's (inflater.h), what the bytes
 * mean image.c's. */
#include "onhost/gunzip.h"

#include <stdbool.h>
#include <stdlib.h>

#include "onhost/inflater.h"

#define GZIP_HEADER_MIN 10

struct gunzip {
	struct stream_in in;
	const struct inflater *inflater;
	void *state;
	struct inflater_io io;
	uint64_t member_in;   /* bytes that the present member took so far */
	bool member_has_data; /* and whether it gave any */
	bool between_members; /* or before the first */
	bool input_ended;
	bool ended;
	uint64_t members; /* that ended well */
};

static int open_with(const struct inflater *inflater, const struct stream_in *in, void **ret_codec, struct error *err)
{
	struct gunzip *gz = calloc(1, sizeof(*gz));
	if (gz == NULL)
		return error_nomem(err);
	gz->in = *in;
	gz->between_members = true;
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
	return gz->members > 0 && !gz->member_has_data && gz->member_in <= GZIP_HEADER_MIN;
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
	gz->between_members = false;
	gz->member_in = 0;
	gz->member_has_data = false;
	return 0;
}

/* Within a member: one call of the library's. */
static int inflate_some(struct gunzip *gz, struct error *err)
{
	const struct inflater_io before = gz->io;
	const char *why = "not valid";
	enum inflater_result result = gz->inflater->step(gz->state, &gz->io, &why);

	gz->member_in += before.in_len - gz->io.in_len;
	gz->member_has_data = gz->member_has_data || gz->io.out_len < before.out_len;
	switch (result) {
	case INFLATER_END:
		gz->members++;
		gz->between_members = true;
		return 0;
	case INFLATER_NOMEM:
		return error_nomem(err);
	case INFLATER_DAMAGED:
		return refuse_damaged(gz, why, err);
	case INFLATER_OK:
	default:
		/* nothing came in, and nothing was held back */
		return gz->input_ended && gz->io.out_len == before.out_len ? refuse_cut(gz, err) : 0;
	}
}

static int gunzip_read(void *codec, void *data, size_t len, size_t *ret_got, struct error *err)
{
	struct gunzip *gz = codec;

	gz->io.out = data;
	gz->io.out_len = len;
	while (gz->io.out_len > 0 && !gz->ended) {
		if (gz->io.in_len == 0 && !gz->input_ended && refill(gz, err) != 0)
			return -1;
		if ((gz->between_members ? begin_member(gz, err) : inflate_some(gz, err)) != 0)
			return -1;
	}
	*ret_got = len - gz->io.out_len;
	return 0;
}

const struct stream_codec gunzip_codec = { gunzip_open, gunzip_read, gunzip_close };
const struct stream_codec gunzip_zlib_codec = { gunzip_open_zlib, gunzip_read, gunzip_close };
