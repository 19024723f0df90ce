/* SPDX-License-Identifier: Apache-2.0 */
/* Bit by bit and with a checksum of its own, so that it shares nothing with what it tests. */
#include "tests/unit/ext4_kit.h"

#include <stdlib.h>
#include <string.h>

#define INODES 64
#define INODE_SIZE 256

static uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
	}
	return crc;
}

void kit_ext4_set16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

void kit_ext4_set32(uint8_t *at, uint32_t value)
{
	kit_ext4_set16(at, value);
	kit_ext4_set16(at + 2, value >> 16);
}

static uint32_t get32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint32_t kit_ext4_descriptor_size(const struct kit_ext4 *kit)
{
	return kit->narrow ? 32 : 64;
}

uint8_t *kit_ext4_superblock(struct kit_ext4 *kit)
{
	return kit->data + 1024;
}

uint8_t *kit_ext4_descriptor(struct kit_ext4 *kit, uint32_t group)
{
	return kit->data + (size_t)(kit->first + 1) * kit->block_size + group * kit_ext4_descriptor_size(kit);
}

uint8_t *kit_ext4_bitmap(struct kit_ext4 *kit, uint32_t group)
{
	return kit->data + (size_t)get32(kit_ext4_descriptor(kit, group)) * kit->block_size;
}

static uint32_t group_end(const struct kit_ext4 *kit, uint32_t group)
{
	uint32_t end = kit->first + (group + 1) * kit->blocks_per_group;

	return end < kit->blocks ? end : kit->blocks;
}

static bool lacks_bitmap(const struct kit_ext4 *kit, uint32_t group)
{
	return group < 64 && (kit->uninit >> group & 1) != 0;
}

static bool has_copy(const struct kit_ext4 *kit, uint32_t group)
{
	static const uint32_t sparse[] = { 0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343, 625, 729, 2187, 2401, 3125 };

	for (size_t i = 0; i < sizeof(sparse) / sizeof(sparse[0]); i++) {
		if (group == sparse[i])
			return true;
	}
	return kit->copies_everywhere;
}

/* --- checksums ---------------------------------------------------------------------------------------------------- */

static uint32_t seed(struct kit_ext4 *kit)
{
	return crc32c(~0U, kit_ext4_superblock(kit) + 0x68, 16);
}

void kit_ext4_sign_superblock(struct kit_ext4 *kit)
{
	kit_ext4_set32(kit_ext4_superblock(kit) + 0x3FC, crc32c(~0U, kit_ext4_superblock(kit), 0x3FC));
}

void kit_ext4_sign_descriptor(struct kit_ext4 *kit, uint32_t group)
{
	uint8_t *descriptor = kit_ext4_descriptor(kit, group), number[4];

	kit_ext4_set16(descriptor + 0x1E, 0);
	kit_ext4_set32(number, group);
	uint32_t crc = crc32c(crc32c(seed(kit), number, 4), descriptor, kit_ext4_descriptor_size(kit));
	kit_ext4_set16(descriptor + 0x1E, crc);
}

void kit_ext4_sign(struct kit_ext4 *kit)
{
	for (uint32_t group = 0; group < kit->groups; group++) {
		uint8_t *descriptor = kit_ext4_descriptor(kit, group);
		if (!lacks_bitmap(kit, group)) {
			uint32_t crc = crc32c(seed(kit), kit_ext4_bitmap(kit, group), kit->blocks_per_group / 8);
			kit_ext4_set16(descriptor + 0x18, crc);
			if (!kit->narrow)
				kit_ext4_set16(descriptor + 0x38, crc >> 16);
		}
		kit_ext4_sign_descriptor(kit, group);
	}
	kit_ext4_sign_superblock(kit);
}

/* --- contents ----------------------------------------------------------------------------------------------------- */

static void use(struct kit_ext4 *kit, uint32_t block, uint32_t count)
{
	for (; count > 0 && block < kit->blocks; count--)
		kit->truth[block++] = 1;
}

static void make_superblock(struct kit_ext4 *kit)
{
	uint8_t *sb = kit_ext4_superblock(kit);
	uint32_t log = kit->block_size == 1024 ? 0 : kit->block_size == 2048 ? 1 : 2;

	kit_ext4_set32(sb, INODES * kit->groups);
	kit_ext4_set32(sb + 4, kit->blocks);
	kit_ext4_set32(sb + 0x14, kit->first);
	kit_ext4_set32(sb + 0x18, log);
	kit_ext4_set32(sb + 0x1C, log);
	kit_ext4_set32(sb + 0x20, kit->blocks_per_group);
	kit_ext4_set32(sb + 0x24, kit->blocks_per_group);
	kit_ext4_set32(sb + 0x28, INODES);
	kit_ext4_set16(sb + 0x38, 0xEF53);
	kit_ext4_set16(sb + 0x3A, 1);
	kit_ext4_set32(sb + 0x4C, 1);
	kit_ext4_set16(sb + 0x58, INODE_SIZE);
	kit_ext4_set32(sb + 0x5C, 0x4 | 0x10);
	kit_ext4_set32(sb + 0x60, 0x42U | (kit->narrow ? 0 : 0x80) | (kit->flex != 0 ? 0x200 : 0));
	kit_ext4_set32(sb + 0x64, 0x402U | (kit->copies_everywhere ? 0 : 1));
	memset(sb + 0x68, 0x5E, 16);
	kit_ext4_set16(sb + 0xCE, kit->reserved);
	kit_ext4_set16(sb + 0xFE, kit->narrow ? 0 : 64);
	sb[0x175] = 1;
}

/* Bitmaps and table of a group, behind whatever stands there. */
static void place(struct kit_ext4 *kit, uint32_t group)
{
	uint32_t together = kit->flex == 0 ? 1 : kit->flex, head = group - group % together, number = group - head;
	uint32_t last = head + together < kit->groups ? head + together : kit->groups;
	uint32_t at = kit->first + head * kit->blocks_per_group + (has_copy(kit, head) ? kit->base : 0);
	uint8_t *descriptor = kit_ext4_descriptor(kit, group);
	uint32_t table = at + 2 * (last - head) + number * kit->table_blocks;

	kit_ext4_set32(descriptor, at + number);
	kit_ext4_set32(descriptor + 4, at + (last - head) + number);
	kit_ext4_set32(descriptor + 8, table);
	kit_ext4_set16(descriptor + 0x12, lacks_bitmap(kit, group) ? 6 : 4);
	use(kit, at + number, 1);
	use(kit, at + (last - head) + number, 1);
	use(kit, table, kit->table_blocks);
	if (has_copy(kit, group))
		use(kit, kit->first + group * kit->blocks_per_group, kit->base);
}

void kit_ext4_count(struct kit_ext4 *kit)
{
	uint32_t sum = 0;

	for (uint32_t group = 0; group < kit->groups; group++) {
		uint32_t from = kit->first + group * kit->blocks_per_group, to = group_end(kit, group), free_blocks = 0;
		for (uint32_t block = from; block < to; block++)
			free_blocks += kit->truth[block] == 0 ? 1 : 0;
		if (!lacks_bitmap(kit, group)) {
			uint8_t *map = kit_ext4_bitmap(kit, group);
			memset(map, 0xFF, kit->block_size);
			for (uint32_t block = from; block < to; block++) {
				if (kit->truth[block] == 0)
					map[(block - from) / 8] &= (uint8_t)~(1U << ((block - from) % 8));
			}
		}
		kit_ext4_set16(kit_ext4_descriptor(kit, group) + 0xC, free_blocks);
		sum += free_blocks;
	}
	kit_ext4_set32(kit_ext4_superblock(kit) + 0xC, sum);
}

/* In use besides: some, in runs, in groups that have a bitmap. */
static void fill(struct kit_ext4 *kit)
{
	uint32_t state = 12345;

	for (uint32_t block = kit->first; block < kit->blocks; block++) {
		uint32_t group = (block - kit->first) / kit->blocks_per_group;
		state = state * 1664525U + 1013904223U;
		bool laid = kit->truth[block] != 0, has_bitmap = !lacks_bitmap(kit, group);
		if (!laid && has_bitmap && (state >> 24) % 23 < 6 + (block / 16 % 2) * 12)
			kit->truth[block] = 1;
		/* old contents in some that are free, zeros in some that are not */
		if (!laid && (state >> 16) % 8 < (kit->truth[block] != 0 ? 6U : 1U))
			memset(kit->data + (size_t)block * kit->block_size, 0x11, kit->block_size);
	}
}

void kit_ext4_make(struct kit_ext4 *kit)
{
	kit->first = kit->block_size == 1024 ? 1 : 0;
	kit->groups = (kit->blocks - kit->first + kit->blocks_per_group - 1) / kit->blocks_per_group;
	kit->table_blocks = INODES * INODE_SIZE / kit->block_size;
	kit->base = 1 + (kit->groups * kit_ext4_descriptor_size(kit) + kit->block_size - 1) / kit->block_size + kit->reserved;
	kit->size = (size_t)kit->blocks * kit->block_size;
	kit->data = calloc(1, kit->size);
	kit->truth = calloc(1, kit->blocks);
	if (kit->data == NULL || kit->truth == NULL)
		abort();
	use(kit, 0, kit->first);
	make_superblock(kit);
	for (uint32_t group = 0; group < kit->groups; group++)
		place(kit, group);
	fill(kit);
	kit_ext4_count(kit);
	kit_ext4_sign(kit);
}

void kit_ext4_free(struct kit_ext4 *kit)
{
	free(kit->data);
	free(kit->truth);
}
