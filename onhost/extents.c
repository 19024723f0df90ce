/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of the image, filled by copy or taken over whole. Where they go is the pipeline's. */
#include "onhost/extents.h"

#include <string.h>

#include "common/cleanup.h"

#define SECTOR 512

static const uint8_t zeros[SLOT_BLOCK];

int extents_init(struct extents *extents, const struct extents_options *options, struct error *err)
{
	memset(extents, 0, sizeof(*extents));
	extents->options = *options;
	if (options->skip_free && !options->skip_zeros && freemap_new(options->log, &extents->freemap, err) != 0)
		return -1;
	return options->digest ? digest_new(&extents->digest, err) : 0;
}

void extents_destroy(struct extents *extents)
{
	for (size_t i = 0; i < EXTENTS_LENT; i++) {
		if (extents->lent[i] != NULL)
			slots_put(extents->options.slots, STEAL(extents->lent[i]));
	}
	if (extents->filling != NULL)
		slots_put(extents->options.slots, STEAL(extents->filling));
	if (extents->digest != NULL)
		digest_free(STEAL(extents->digest));
	freemap_free(STEAL(extents->freemap));
}

static struct slot *take_slot(struct extents *extents, struct error *err)
{
	struct slot *slot = slots_get(extents->options.slots);
	if (slot == NULL)
		error_set(err, ERROR_CANCELLED, "the work on the image was stopped");
	return slot;
}

static int check_size(uint64_t size, struct error *err)
{
	if (size == 0)
		return error_set(err, ERROR_IMAGE, "the disk image is empty (0 bytes); build the stemcell again");
	if (size % SECTOR != 0)
		return error_set(
			err, ERROR_IMAGE,
			"the disk image has %llu bytes, which is not a multiple of %d: it is cut, or not a disk "
			"image; download or build the stemcell again",
			(unsigned long long)size, SECTOR);
	return 0;
}

static int refuse_size(const struct extents *extents, const char *relation, uint64_t size, struct error *err)
{
	return error_set(err, ERROR_IMAGE,
			 "the disk image has %s%llu bytes, %s holds only %llu; ask for a larger disk (the stemcell's "
			 "\"disk\" property)",
			 relation, (unsigned long long)size, extents->options.where,
			 (unsigned long long)extents->options.limit);
}

int extents_declare(struct extents *extents, uint64_t size, struct error *err)
{
	if (check_size(size, err) != 0)
		return -1;
	if (size > extents->options.limit)
		return refuse_size(extents, "", size, err);
	atomic_store(&extents->total, size);
	if (extents->freemap != NULL)
		freemap_declare(extents->freemap, size);
	return 0;
}

int extents_lend(struct extents *extents, uint8_t **ret_data, struct error *err)
{
	struct slot **lent = &extents->lent[extents->lends++ % EXTENTS_LENT];

	if (*lent == NULL)
		*lent = take_slot(extents, err);
	if (*lent == NULL)
		return -1;
	*ret_data = (*lent)->data;
	return 0;
}

/* The lent slot that begins at data; NULL: none does. */
static struct slot **find_lent(struct extents *extents, const uint8_t *data)
{
	for (size_t i = 0; i < EXTENTS_LENT; i++) {
		if (extents->lent[i] != NULL && extents->lent[i]->data == data)
			return &extents->lent[i];
	}
	return NULL;
}

static int hash_zeros(struct extents *extents, uint64_t until, struct error *err)
{
	while (extents->hashed < until) {
		uint64_t left = until - extents->hashed;
		size_t n = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
		if (digest_update(extents->digest, zeros, n, err) != 0)
			return -1;
		extents->hashed += n;
	}
	return 0;
}

static int hash_slot(struct extents *extents, const struct slot *slot, struct error *err)
{
	if (extents->digest == NULL)
		return 0;
	if (hash_zeros(extents, slot->offset, err) != 0)
		return -1;
	extents->hashed += slot->len;
	return digest_update(extents->digest, slot->data, slot->len, err);
}

/* Only where a block may be left out its bytes are looked at. */
static void unwant_zeros(struct slot *slot, struct freemap *freemap)
{
	for (size_t start = 0; start < slot->len; start += SLOT_BLOCK) {
		size_t n = slot->len - start < SLOT_BLOCK ? slot->len - start : SLOT_BLOCK;
		if ((freemap == NULL || freemap_is_free(freemap, slot->offset + start, n)) &&
		    memcmp(slot->data + start, zeros, n) == 0)
			slot_unwant(slot, start / SLOT_BLOCK);
	}
}

/* Takes the slot over, on every way out. */
static int emit(struct extents *extents, struct slot *slot, struct error *err)
{
	if (hash_slot(extents, slot, err) != 0) {
		slots_put(extents->options.slots, slot);
		return -1;
	}
	/* first all that stands in the window itself: a bitmap may speak of blocks before it */
	if (extents->freemap != NULL)
		freemap_feed(extents->freemap, slot->data, slot->len, slot->offset);
	if (extents->options.skip_zeros || extents->freemap != NULL)
		unwant_zeros(slot, extents->freemap);
	size_t wanted = slot_wanted_bytes(slot);
	extents->wanted += wanted;
	atomic_store(&extents->skipped, slot->offset + slot->len - extents->wanted);
	if (wanted == 0) {
		slots_put(extents->options.slots, slot);
		return 0;
	}
	return extents->options.emit(extents->options.emit_self, slot, err);
}

/* Grows the window with zeros. */
static void pad(struct slot *slot, size_t len)
{
	if (len > slot->len) {
		memset(slot->data + slot->len, 0, len - slot->len);
		slot->len = len;
	}
}

/* A block that holds data and the beginning of a hole is written whole: the rest of it is zeros. */
static int flush(struct extents *extents, struct error *err)
{
	struct slot *slot = STEAL(extents->filling);
	if (slot == NULL)
		return 0;
	uint64_t end = extents->options.limit;
	if (atomic_load(&extents->total) > 0)
		end = atomic_load(&extents->total);
	size_t whole = (slot->len + SLOT_BLOCK - 1) / SLOT_BLOCK * SLOT_BLOCK;
	if (extents->done > slot->offset + slot->len)
		pad(slot, end - slot->offset < whole ? (size_t)(end - slot->offset) : whole);
	return emit(extents, slot, err);
}

/* The window that holds the byte at offset, ready to be filled there. */
static int open_window(struct extents *extents, uint64_t offset, struct error *err)
{
	if (extents->filling != NULL && extents->filling->offset + SLOT_SIZE <= offset && flush(extents, err) != 0)
		return -1;
	if (extents->filling == NULL) {
		extents->filling = take_slot(extents, err);
		if (extents->filling == NULL)
			return -1;
		extents->filling->offset = offset - offset % SLOT_SIZE;
	}
	pad(extents->filling, (size_t)(offset - extents->filling->offset));
	return 0;
}

/* The next len bytes of the image, copied; data NULL stands for zeros. */
static int append(struct extents *extents, const uint8_t *data, uint64_t len, struct error *err)
{
	while (len > 0) {
		if (open_window(extents, extents->done, err) != 0)
			return -1;
		struct slot *slot = extents->filling;
		size_t n = SLOT_SIZE - slot->len < len ? SLOT_SIZE - slot->len : (size_t)len;
		if (data != NULL) {
			memcpy(slot->data + slot->len, data, n);
			data += n;
		} else {
			memset(slot->data + slot->len, 0, n);
		}
		slot_want(slot, slot->len, n);
		slot->len += n;
		extents->done += n;
		len -= n;
		if (slot->len == SLOT_SIZE && flush(extents, err) != 0)
			return -1;
	}
	return 0;
}

static int hole_until(struct extents *extents, uint64_t offset, struct error *err)
{
	if (extents->options.holes)
		return append(extents, NULL, offset - extents->done, err);
	extents->done = offset;
	return 0;
}

static int hand_over(struct extents *extents, struct slot *slot, struct error *err)
{
	slot->offset = extents->done;
	slot->len = SLOT_SIZE;
	slot_want(slot, 0, SLOT_SIZE);
	extents->done += SLOT_SIZE;
	return emit(extents, slot, err);
}

static int check_place(const struct extents *extents, size_t len, uint64_t offset, struct error *err)
{
	uint64_t total = atomic_load(&extents->total);

	if (offset < extents->done || offset > UINT64_MAX - len)
		return error_set(err, ERROR_IMAGE,
				 "the archive's map of root.img is damaged: parts of it overlap; "
				 "download or build the stemcell again");
	if (total > 0 && offset + len > total)
		return error_set(
			err, ERROR_IMAGE,
			"the archive's root.img has more bytes than the %llu it declares; download or build the "
			"stemcell again",
			(unsigned long long)total);
	if (offset + len > extents->options.limit)
		return refuse_size(extents, "at least ", offset + len, err);
	return 0;
}

int extents_data(struct extents *extents, const uint8_t *data, size_t len, uint64_t offset, struct error *err)
{
	if (len == 0)
		return 0;
	if (check_place(extents, len, offset, err) != 0 || hole_until(extents, offset, err) != 0)
		return -1;
	struct slot **lent = find_lent(extents, data);
	if (lent != NULL && len == SLOT_SIZE && offset % SLOT_SIZE == 0)
		return flush(extents, err) != 0 ? -1 : hand_over(extents, STEAL(*lent), err);
	return append(extents, data, len, err);
}

int extents_end(struct extents *extents, struct error *err)
{
	if (atomic_load(&extents->total) == 0) {
		if (check_size(extents->done, err) != 0)
			return -1;
		atomic_store(&extents->total, extents->done);
	}
	uint64_t total = atomic_load(&extents->total);
	if (hole_until(extents, total, err) != 0 || flush(extents, err) != 0)
		return -1;
	atomic_store(&extents->skipped, total - extents->wanted);
	return extents->digest != NULL ? hash_zeros(extents, total, err) : 0;
}

int extents_sha256(struct extents *extents, char ret_hex[SHA256_HEX_SIZE], struct error *err)
{
	uint8_t sum[SHA256_LEN];

	if (extents->digest == NULL) {
		ret_hex[0] = '\0';
		return 0;
	}
	if (digest_finish(extents->digest, sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), ret_hex);
	return 0;
}
