/* SPDX-License-Identifier: Apache-2.0 */
/* What an ext4 superblock and its group descriptors say of where things are: arithmetic, without any reading. Made for
 * the question which blocks are certainly free, so that everything unusual is a doubt: no checksums (metadata_csum),
 * features that are not known to leave the bitmaps' meaning alone, a state that is not clean, places that cannot be.
 * Source: the kernel's documentation of ext4's on-disk structures. */
#ifndef ONHOST_EXT4_LAYOUT_H
#define ONHOST_EXT4_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXT4_SUPERBLOCK_OFFSET ((uint64_t)1024) /* from the file system's first byte */
#define EXT4_SUPERBLOCK_SIZE ((size_t)1024)
#define EXT4_DESCRIPTOR_MAX ((size_t)64)
#define EXT4_BLOCK_MAX ((size_t)4096)
/* 512 GiB with blocks of 4 KiB. Larger ones are a doubt: what is remembered of a group is bounded by this. */
#define EXT4_GROUPS_MAX ((uint32_t)4096)

struct ext4_layout {
	uint32_t block_size;  /* 1024, 2048 or 4096 bytes */
	uint32_t first_block; /* of group 0: what stands before it is no group's */
	uint32_t blocks;      /* the file system's end, as a block's number */
	uint32_t blocks_per_group; /* a multiple of 8, at most block_size * 8 */
	uint32_t groups;           /* 1 to EXT4_GROUPS_MAX */
	uint32_t descriptor_size;  /* 32 or 64 */
	uint32_t table_blocks;     /* of a group's inode table */
	uint32_t base_blocks;      /* superblock, descriptors and reserved descriptors, where a group has them */
	uint32_t checksum_seed;
	uint64_t free_blocks;
	bool flexible; /* flex_bg: a group's bitmaps and table may stand in another */
	bool sparse;   /* sparse_super */
	bool sparse2;  /* sparse_super2: copies in the two groups below */
	uint32_t copies[2];
};

struct ext4_group {
	uint32_t block_bitmap, inode_bitmap, inode_table; /* blocks, all inside the file system */
	uint32_t free_blocks;
	uint32_t checksum; /* of the block bitmap, as far as the descriptor holds it */
	bool uninit; /* BLOCK_UNINIT: there is no block bitmap on the disk; what ext4_layout_mark marks is in use */
};

/* space: bytes that there are for the file system. NULL when all is understood; otherwise why not, a literal. */
const char *ext4_layout_read(const uint8_t superblock[EXT4_SUPERBLOCK_SIZE], uint64_t space,
			     struct ext4_layout *ret_layout);
/* descriptor: layout->descriptor_size bytes, of the given group. NULL, or why it is not trusted. */
const char *ext4_group_read(const struct ext4_layout *layout, uint32_t group, const uint8_t *descriptor,
			    struct ext4_group *ret_group);
/* NULL when bitmap (block_size bytes) is the one that the descriptor speaks of: checksum and count of free blocks. */
const char *ext4_bitmap_check(const struct ext4_layout *layout, uint32_t group, const struct ext4_group *facts,
			      const uint8_t *bitmap);

/* The descriptors' first byte, from the file system's first. */
uint64_t ext4_descriptors_offset(const struct ext4_layout *layout);
uint32_t ext4_group_first(const struct ext4_layout *layout, uint32_t group);
/* The last group may be shorter. */
uint32_t ext4_group_blocks(const struct ext4_layout *layout, uint32_t group);
bool ext4_group_has_base(const struct ext4_layout *layout, uint32_t group);
/* Blocks of the group whose bit in map (block_size bytes) is 0. */
uint32_t ext4_map_free(const struct ext4_layout *layout, uint32_t group, const uint8_t *map);
/* Sets in map all that is in use in this group by the layout alone: its copy of superblock and descriptors, and whatever
 * of all groups' bitmaps and inode tables stands there. */
void ext4_layout_mark(const struct ext4_layout *layout, const struct ext4_group *groups, uint32_t group, uint8_t *map);

#endif
