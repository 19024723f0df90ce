/* SPDX-License-Identifier: Apache-2.0 */
/* A small disk, made of patches over zeros, through extents. Byte 0: bit 0 sets right the checksums of what superblock and
 * descriptors speak of, which random bytes would hardly ever get right; bit 1 gives the archive holes; bits 2-4 choose the
 * pieces' size; bits 5-7 the disk's size. Then patches: where (4 bytes, in half KiB), length (2), a mode, the bytes; mode 1
 * repeats the bytes' first one over the length, mode 0 takes them as they are.
 *
 * What is left out is zeros, and free by each bitmap or rule of the layout as read here, at random access and without
 * suspicion; what it takes is bounded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "onhost/crc.h"
#include "onhost/ext4_layout.h"
#include "onhost/extents.h"
#include "onhost/piece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* AddressSanitizer's, where it is there */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

#define MIB ((size_t)1024 * 1024)
#define DISK_MAX (8 * MIB)
#define INPUT_MAX ((size_t)65536)
#define MEMORY_MAX ((size_t)2 * MIB)
#define STARTS_MAX ((size_t)256)

struct fuzz {
	uint8_t *disk, *written; /* written: a byte for each block of 4 KiB */
	size_t size;
	struct slots slots;
	size_t memory_before, memory_most;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* --- the disk ----------------------------------------------------------------------------------------------------- */

static void patch(struct fuzz *fuzz, const uint8_t *data, size_t size)
{
	while (size > 7) {
		uint64_t at = (uint64_t)piece_le32(data) * 512;
		size_t len = piece_le16(data + 4);
		uint8_t mode = data[6];
		data += 7;
		size -= 7;
		size_t given = mode == 1 ? 1 : len < size ? len : size;
		if (at < fuzz->size && len <= fuzz->size - at && mode == 1)
			memset(fuzz->disk + at, data[0], len);
		else if (at < fuzz->size && given <= fuzz->size - at)
			memcpy(fuzz->disk + at, data, given);
		data += given;
		size -= given;
	}
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void sign_group(struct fuzz *fuzz, size_t start, const uint8_t *sb, uint32_t seed, uint32_t group)
{
	size_t block = (size_t)1024 << (piece_le32(sb + 0x18) & 3);
	size_t width = (sb[0x60] & 0x80) != 0 ? 64 : 32;
	size_t at = start + (block == 1024 ? 2048 : block) + group * width;
	uint8_t number[4];

	if (at + width > fuzz->size)
		return;
	uint8_t *descriptor = fuzz->disk + at;
	size_t bitmap = start + (size_t)piece_le32(descriptor) % DISK_MAX * block;
	size_t len = piece_le32(sb + 0x20) / 8;
	if (bitmap <= fuzz->size && len <= fuzz->size - bitmap) {
		uint32_t crc = crc32c_update(seed, fuzz->disk + bitmap, len);
		memcpy(descriptor + 0x18, (uint8_t[]){ (uint8_t)crc, (uint8_t)(crc >> 8) }, 2);
		if (width == 64)
			memcpy(descriptor + 0x38, (uint8_t[]){ (uint8_t)(crc >> 16), (uint8_t)(crc >> 24) }, 2);
	}
	memset(descriptor + 0x1E, 0, 2);
	put32(number, group);
	uint32_t crc = crc32c_update(crc32c_update(seed, number, 4), descriptor, width);
	memcpy(descriptor + 0x1E, (uint8_t[]){ (uint8_t)crc, (uint8_t)(crc >> 8) }, 2);
}

/* For a file system at sector 0, 63 or 64. */
static void sign(struct fuzz *fuzz)
{
	static const size_t starts[] = { 0, 63 * 512, 64 * 512 };

	for (size_t i = 0; i < 3; i++) {
		uint8_t *sb = fuzz->disk + starts[i] + 1024;
		if (piece_le16(sb + 0x38) != 0xEF53)
			continue;
		uint32_t seed = (sb[0x61] & 0x20) != 0 ? piece_le32(sb + 0x270) : crc32c_update(~0U, sb + 0x68, 16);
		for (uint32_t group = 0; group < 64; group++)
			sign_group(fuzz, starts[i], sb, seed, group);
		put32(sb + 0x3FC, crc32c_update(~0U, sb, 0x3FC));
	}
}

/* --- what comes out ----------------------------------------------------------------------------------------------- */

static int collect(void *self, struct slot *slot, struct error *err)
{
	struct fuzz *fuzz = self;
	size_t position = 0, start, len;

	(void)err;
	while (slot_next_run(slot, &position, &start, &len)) {
		require(memcmp(slot->data + start, fuzz->disk + slot->offset + start, len) == 0);
		memset(fuzz->written + (slot->offset + start) / SLOT_BLOCK, 1, (len + SLOT_BLOCK - 1) / SLOT_BLOCK);
	}
	slots_put(&fuzz->slots, slot);
	if (__sanitizer_get_current_allocated_bytes != NULL &&
	    __sanitizer_get_current_allocated_bytes() - fuzz->memory_before > fuzz->memory_most)
		fuzz->memory_most = __sanitizer_get_current_allocated_bytes() - fuzz->memory_before;
	return 0;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* Whether the file system at start calls the byte at `at` free. */
static bool is_free(const struct fuzz *fuzz, size_t start, size_t at)
{
	const uint8_t *sb = fuzz->disk + start + 1024;

	if (at < start)
		return false;
	size_t block = (size_t)1024 << (piece_le32(sb + 0x18) & 3);
	uint32_t first = piece_le32(sb + 0x14), per_group = piece_le32(sb + 0x20), width = (sb[0x60] & 0x80) != 0 ? 64 : 32;
	size_t number = (at - start) / block;
	if (per_group == 0 || number < first || number >= piece_le32(sb + 4))
		return false;
	size_t group = (number - first) / per_group, bit = (number - first) % per_group;
	size_t descriptor = start + (first + 1) * block + group * width;
	if (descriptor + width > fuzz->size)
		return false;
	if ((fuzz->disk[descriptor + 0x12] & 2) != 0)
		return true; /* what the layout has there is the unit tests' */
	size_t bitmap = start + (size_t)piece_le32(fuzz->disk + descriptor) * block + bit / 8;
	return bitmap < fuzz->size && (fuzz->disk[bitmap] >> (bit % 8) & 1) == 0;
}

/* Where there may be file systems, wherever the partitions begin. */
static size_t find_starts(const struct fuzz *fuzz, size_t starts[STARTS_MAX])
{
	size_t count = 0;

	for (size_t start = 0; start + 2048 <= fuzz->size && count < STARTS_MAX; start += 512) {
		if (piece_le16(fuzz->disk + start + 1024 + 0x38) == 0xEF53)
			starts[count++] = start;
	}
	return count;
}

static void check(const struct fuzz *fuzz, bool holes)
{
	size_t starts[STARTS_MAX];
	size_t count = find_starts(fuzz, starts);

	for (size_t at = 0; at < fuzz->size; at += SLOT_BLOCK) {
		if (fuzz->written[at / SLOT_BLOCK] != 0)
			continue;
		size_t len = fuzz->size - at < SLOT_BLOCK ? fuzz->size - at : SLOT_BLOCK;
		require(is_zero(fuzz->disk + at, len));
		bool one = holes || count == STARTS_MAX;
		for (size_t i = 0; i < count && !one; i++) {
			one = true;
			for (size_t sector = at; sector < at + len && one; sector += 512)
				one = is_free(fuzz, starts[i], sector);
		}
		require(one);
	}
}

static void feed(struct fuzz *fuzz, struct extents *extents, size_t step, bool holes)
{
	struct error err;

	require(extents_declare(extents, fuzz->size, &err) == 0);
	for (size_t at = 0; at < fuzz->size; at += step) {
		size_t n = fuzz->size - at < step ? fuzz->size - at : step;
		uint8_t *lent;
		if (holes && is_zero(fuzz->disk + at, n))
			continue;
		const uint8_t *data = fuzz->disk + at;
		if (step == SLOT_SIZE) {
			require(extents_lend(extents, &lent, &err) == 0);
			data = memcpy(lent, data, n);
		}
		require(extents_data(extents, data, n, at, &err) == 0);
	}
	require(extents_end(extents, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 4096, 512, 5000, 65536, 100000, SLOT_SIZE, SLOT_SIZE, DISK_MAX };
	struct fuzz fuzz = { .size = 0 };
	struct extents extents;
	struct error err;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	bool holes = (data[0] & 2) != 0;
	fuzz.size = (size_t)(data[0] >> 5) * MIB + 512 * 129;
	fuzz.disk = calloc(1, fuzz.size);
	fuzz.written = calloc(1, fuzz.size / SLOT_BLOCK + 1);
	require(fuzz.disk != NULL && fuzz.written != NULL && slots_init(&fuzz.slots, 3, &err) == 0);
	patch(&fuzz, data + 1, size - 1);
	if ((data[0] & 1) != 0)
		sign(&fuzz);
	if (__sanitizer_get_current_allocated_bytes != NULL)
		fuzz.memory_before = __sanitizer_get_current_allocated_bytes();
	const struct extents_options options = {
		.limit = DISK_MAX,
		.where = "the disk",
		.skip_free = true,
		.slots = &fuzz.slots,
		.emit = collect,
		.emit_self = &fuzz,
	};
	require(extents_init(&extents, &options, &err) == 0);
	feed(&fuzz, &extents, steps[data[0] >> 2 & 7], holes);
	extents_destroy(&extents);
	check(&fuzz, holes);
	require(fuzz.memory_most < MEMORY_MAX);
	slots_destroy(&fuzz.slots);
	free(fuzz.disk);
	free(fuzz.written);
	return 0;
}
