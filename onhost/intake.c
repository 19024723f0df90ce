/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead of the unpacking. Where the bytes come from is the source's, what they are image.c's. */
#include "onhost/intake.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/digest.h"
#include "onhost/ring.h"

#define PIECE_SIZE ((size_t)256 * 1024)
#define PIECES ((size_t)4)

struct piece {
	uint8_t data[PIECE_SIZE];
	size_t len;
};

struct intake {
	struct image_source source;
	const struct clock *clock;
	struct ring empty;
	struct ring full;
	struct piece *pieces;
	struct piece *lent; /* to the thread that pulls */
	struct digest *digest;
	char sha256[SHA256_HEX_SIZE];
	_Atomic uint64_t bytes;
	_Atomic int64_t started_ms; /* -1: no byte has come yet */
};

static int make_rings(struct intake *intake, struct error *err)
{
	if (ring_init_pair(&intake->empty, &intake->full, PIECES, err) != 0)
		return -1;
	for (size_t i = 0; i < PIECES; i++)
		ring_put(&intake->empty, &intake->pieces[i]);
	return 0;
}

int intake_new(const struct image_source *source, const struct clock *clock, struct intake **ret_intake,
	       struct error *err)
{
	struct intake *intake = calloc(1, sizeof(*intake));
	if (intake == NULL)
		return error_nomem(err);
	intake->source = *source;
	intake->clock = clock;
	atomic_store(&intake->started_ms, -1);
	intake->pieces = malloc(PIECES * sizeof(*intake->pieces));
	if (intake->pieces == NULL) {
		error_nomem(err);
		goto fail;
	}
	if (digest_new(&intake->digest, err) != 0 || make_rings(intake, err) != 0)
		goto fail;
	*ret_intake = intake;
	return 0;
fail:
	digest_free(intake->digest);
	free(intake->pieces);
	free(intake);
	return -1;
}

void intake_free(struct intake *intake)
{
	ring_destroy(&intake->empty);
	ring_destroy(&intake->full);
	digest_free(intake->digest);
	free(intake->pieces);
	free(intake);
}

static int stopped(struct error *err)
{
	return error_set(err, ERROR_CANCELLED, "reading the image was stopped");
}

/* Full, unless the source ends. */
static int fill(struct intake *intake, struct piece *piece, bool *ret_end, struct error *err)
{
	struct image_source *source = &intake->source;
	size_t got;

	piece->len = 0;
	while (piece->len < PIECE_SIZE) {
		if (ring_stopped(&intake->full))
			return stopped(err);
		if (source->read(source->self, piece->data + piece->len, PIECE_SIZE - piece->len, &got, err) != 0)
			return -1;
		if (got == 0)
			break;
		if (atomic_load(&intake->started_ms) < 0)
			atomic_store(&intake->started_ms, intake->clock->monotonic_ms(intake->clock->self));
		piece->len += got;
		atomic_fetch_add(&intake->bytes, got);
	}
	*ret_end = piece->len < PIECE_SIZE;
	return 0;
}

static int finish(struct intake *intake, struct error *err)
{
	uint8_t sum[SHA256_LEN];

	if (digest_finish(intake->digest, sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), intake->sha256);
	if (intake->source.check != NULL && intake->source.check(intake->source.self, intake->sha256, err) != 0)
		return -1;
	ring_close(&intake->full);
	return 0;
}

int intake_run(struct intake *intake, struct error *err)
{
	bool end = false;

	while (!end) {
		void *item;
		if (!ring_get(&intake->empty, &item))
			return stopped(err);
		struct piece *piece = item;
		if (fill(intake, piece, &end, err) != 0)
			return -1;
		if (piece->len == 0)
			break;
		if (digest_update(intake->digest, piece->data, piece->len, err) != 0)
			return -1;
		if (!ring_put(&intake->full, piece))
			return stopped(err);
	}
	return finish(intake, err);
}

void intake_stop(struct intake *intake)
{
	ring_stop(&intake->empty);
	ring_stop(&intake->full);
}

static int pull(void *self, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	struct intake *intake = self;
	void *item;

	if (intake->lent != NULL)
		ring_put(&intake->empty, intake->lent);
	intake->lent = NULL;
	if (ring_get(&intake->full, &item)) {
		intake->lent = item;
		*ret_data = intake->lent->data;
		*ret_len = intake->lent->len;
		return 0;
	}
	if (ring_stopped(&intake->full))
		return stopped(err);
	*ret_data = (const uint8_t *)"";
	*ret_len = 0;
	return 0;
}

struct stream_in intake_stream(struct intake *intake)
{
	return (struct stream_in){ pull, intake };
}

uint64_t intake_bytes(struct intake *intake)
{
	return atomic_load(&intake->bytes);
}

double intake_seconds(struct intake *intake)
{
	int64_t started = atomic_load(&intake->started_ms);

	return started < 0 ? 0 : (double)(intake->clock->monotonic_ms(intake->clock->self) - started) / 1000.0;
}

const char *intake_sha256(const struct intake *intake)
{
	return intake->sha256;
}
