/* SPDX-License-Identifier: Apache-2.0 */
/* An ext4 file system in memory, as far as free blocks are concerned: superblock, descriptors, bitmaps, and which blocks
 * are in use in truth. Made by hand, so that it can be wrong in any way and still have the right checksums. */
#ifndef TESTS_UNIT_EXT4_KIT_H
#define TESTS_UNIT_EXT4_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kit_ext4 {
	/* chosen by the test */
	uint32_t block_size, blocks_per_group, blocks;
	uint32_t flex;     /* groups whose bitmaps stand together; 0: each in its own group */
	uint32_t reserved; /* descriptors' blocks */
	bool narrow;       /* no 64bit */
	bool copies_everywhere; /* no sparse_super */
	uint64_t uninit;   /* a bit for each group that has no bitmap; such a group holds nothing but what the layout puts there */
	/* made */
	uint32_t first, groups, table_blocks, base;
	size_t size;
	uint8_t *data;  /* of the file system */
	uint8_t *truth; /* a byte a block: in use */
};

/* Free blocks are zeros, but for some; those in use are none, but for some. kit_ext4_free ends it. */
void kit_ext4_make(struct kit_ext4 *kit);
void kit_ext4_free(struct kit_ext4 *kit);
uint8_t *kit_ext4_superblock(struct kit_ext4 *kit);
uint8_t *kit_ext4_descriptor(struct kit_ext4 *kit, uint32_t group);
/* Where its descriptor says. */
uint8_t *kit_ext4_bitmap(struct kit_ext4 *kit, uint32_t group);
uint32_t kit_ext4_descriptor_size(const struct kit_ext4 *kit);
void kit_ext4_set16(uint8_t *at, uint32_t value);
void kit_ext4_set32(uint8_t *at, uint32_t value);
/* All checksums, from the bitmaps up. */
void kit_ext4_sign(struct kit_ext4 *kit);
void kit_ext4_sign_superblock(struct kit_ext4 *kit);
void kit_ext4_sign_descriptor(struct kit_ext4 *kit, uint32_t group);
/* The bits that the bitmaps are made of, and the counts in descriptors and superblock; before kit_ext4_sign. */
void kit_ext4_count(struct kit_ext4 *kit);

#endif
