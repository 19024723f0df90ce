/* SPDX-License-Identifier: Apache-2.0 */
/* Superblock, group descriptors, bitmaps: read with suspicion. All sums of blocks are in range by the superblock's
 * checks: at most EXT4_GROUPS_MAX groups of at most 32768 blocks. */
#include "onhost/ext4_layout.h"

#include <string.h>

#include "onhost/crc.h"
#include "onhost/piece.h"

#define MAGIC 0xEF53
#define STATE_CLEAN 1
#define CHECKSUM_CRC32C 1
#define SB_CHECKSUM 0x3FC
#define DESCRIPTOR_CHECKSUM 0x1E

#define COMPAT_SPARSE_SUPER2 0x200
#define INCOMPAT_RECOVER 0x4
#define INCOMPAT_64BIT 0x80
#define INCOMPAT_FLEX_BG 0x200
#define INCOMPAT_CSUM_SEED 0x2000
#define RO_SPARSE_SUPER 0x1
#define RO_METADATA_CSUM 0x400
#define GROUP_BLOCK_UNINIT 0x2

/* Features that leave it to the bitmaps what is in use, and the places of bitmaps and tables to the descriptors.
 * Left out on purpose: compression, recovery, external journals, meta_bg (other places of the descriptors' copies),
 * mmp (somebody may be using it), bigalloc (a bit is many blocks), snapshots, shared blocks, a list of orphans. */
static const uint32_t known_compat = 0x1       /* dir_prealloc */
				     | 0x2     /* imagic_inodes */
				     | 0x4     /* has_journal: in the bitmap as its inode's blocks */
				     | 0x8     /* ext_attr */
				     | 0x10    /* resize_inode: the reserved descriptors, which count as base blocks */
				     | 0x20    /* dir_index */
				     | COMPAT_SPARSE_SUPER2
				     | 0x400   /* fast_commit: in the journal */
				     | 0x800   /* stable_inodes */
				     | 0x1000; /* orphan_file: an inode's blocks */
static const uint32_t known_incompat = 0x2	 /* filetype */
				       | 0x40    /* extents */
				       | INCOMPAT_64BIT
				       | INCOMPAT_FLEX_BG
				       | 0x400   /* ea_inode */
				       | INCOMPAT_CSUM_SEED
				       | 0x4000   /* large_dir */
				       | 0x8000   /* inline_data */
				       | 0x10000  /* encrypt */
				       | 0x20000; /* casefold */
static const uint32_t known_ro = RO_SPARSE_SUPER
				 | 0x2    /* large_file */
				 | 0x8    /* huge_file */
				 | 0x20   /* dir_nlink */
				 | 0x40   /* extra_isize */
				 | 0x100  /* quota: inodes' blocks */
				 | RO_METADATA_CSUM
				 | 0x2000  /* project */
				 | 0x8000; /* verity */

/* --- the superblock ----------------------------------------------------------------------------------------------- */

static const char *check_identity(const uint8_t *sb)
{
	if (piece_le16(sb + 0x38) != MAGIC)
		return "there is no ext4 superblock";
	if (piece_le32(sb + 0x4C) != 1)
		return "its revision is not 1";
	if ((piece_le32(sb + 0x64) & RO_METADATA_CSUM) == 0 || sb[0x175] != CHECKSUM_CRC32C)
		return "its metadata have no checksums (metadata_csum)";
	if (crc32c_update(~UINT32_C(0), sb, SB_CHECKSUM) != piece_le32(sb + SB_CHECKSUM))
		return "the superblock's checksum is wrong";
	return NULL;
}

static const char *check_state(const uint8_t *sb)
{
	uint32_t incompat = piece_le32(sb + 0x60);

	if ((incompat & INCOMPAT_RECOVER) != 0)
		return "its journal needs recovery";
	if ((piece_le32(sb + 0x5C) & ~known_compat) != 0 || (incompat & ~known_incompat) != 0 ||
	    (piece_le32(sb + 0x64) & ~known_ro) != 0)
		return "it has features whose effect on the bitmaps is not known here";
	if (piece_le16(sb + 0x3A) != STATE_CLEAN || piece_le32(sb + 0x194) != 0 || piece_le32(sb + 0xE8) != 0)
		return "its state is not clean";
	if (piece_le16(sb + 0x5A) != 0)
		return "the superblock is a copy of the primary one";
	return NULL;
}

/* Sizes of blocks and groups, and how many there are. */
static const char *read_size(const uint8_t *sb, bool wide, uint64_t space, struct ext4_layout *layout)
{
	uint32_t log_size = piece_le32(sb + 0x18);
	uint64_t blocks = piece_le32(sb + 4) | (wide ? (uint64_t)piece_le32(sb + 0x150) << 32 : 0);

	if (log_size > 2 || piece_le32(sb + 0x1C) != log_size)
		return "its blocks are larger than 4 KiB";
	layout->block_size = UINT32_C(1024) << log_size;
	layout->first_block = piece_le32(sb + 0x14);
	layout->blocks_per_group = piece_le32(sb + 0x20);
	if (layout->first_block != (log_size == 0 ? 1 : 0) || layout->blocks_per_group == 0 ||
	    layout->blocks_per_group % 8 != 0 || layout->blocks_per_group > layout->block_size * 8 ||
	    piece_le32(sb + 0x24) != layout->blocks_per_group)
		return "its groups are of an unusual form";
	if (blocks <= layout->first_block)
		return "it has no blocks";
	if (blocks > space / layout->block_size)
		return "it is larger than its partition";
	uint64_t groups = (blocks - layout->first_block + layout->blocks_per_group - 1) / layout->blocks_per_group;
	if (groups > EXT4_GROUPS_MAX)
		return "it has more groups than are looked at";
	layout->blocks = (uint32_t)blocks;
	layout->groups = (uint32_t)groups;
	return NULL;
}

static const char *read_tables(const uint8_t *sb, bool wide, struct ext4_layout *layout)
{
	uint32_t inodes = piece_le32(sb + 0x28), inode_size = piece_le16(sb + 0x58);
	uint32_t reserved = piece_le16(sb + 0xCE);

	layout->descriptor_size = wide ? 64 : 32;
	if (wide && piece_le16(sb + 0xFE) != layout->descriptor_size)
		return "its group descriptors are of an unusual size";
	if (inodes == 0 || inodes > layout->block_size * 8 || inode_size < 128 || inode_size > layout->block_size ||
	    (inode_size & (inode_size - 1)) != 0 || piece_le32(sb) != (uint64_t)inodes * layout->groups)
		return "its inode tables are of an unusual form";
	layout->table_blocks = (inodes * inode_size + layout->block_size - 1) / layout->block_size;
	uint32_t descriptors = layout->groups * layout->descriptor_size;
	if (reserved > layout->block_size / 4)
		return "it has more reserved descriptors than can be";
	layout->base_blocks = 1 + (descriptors + layout->block_size - 1) / layout->block_size + reserved;
	if (layout->base_blocks > ext4_group_blocks(layout, 0))
		return "its descriptors are larger than a group";
	return NULL;
}

const char *ext4_layout_read(const uint8_t superblock[EXT4_SUPERBLOCK_SIZE], uint64_t space,
			     struct ext4_layout *ret_layout)
{
	const uint8_t *sb = superblock;
	struct ext4_layout layout = { .block_size = 0 };
	const char *doubt = check_identity(sb);

	if (doubt == NULL)
		doubt = check_state(sb);
	if (doubt != NULL)
		return doubt;
	bool wide = (piece_le32(sb + 0x60) & INCOMPAT_64BIT) != 0;
	doubt = read_size(sb, wide, space, &layout);
	if (doubt == NULL)
		doubt = read_tables(sb, wide, &layout);
	if (doubt != NULL)
		return doubt;
	layout.free_blocks = piece_le32(sb + 0xC) | (wide ? (uint64_t)piece_le32(sb + 0x158) << 32 : 0);
	layout.flexible = (piece_le32(sb + 0x60) & INCOMPAT_FLEX_BG) != 0;
	layout.sparse = (piece_le32(sb + 0x64) & RO_SPARSE_SUPER) != 0;
	layout.sparse2 = (piece_le32(sb + 0x5C) & COMPAT_SPARSE_SUPER2) != 0;
	layout.copies[0] = piece_le32(sb + 0x24C);
	layout.copies[1] = piece_le32(sb + 0x250);
	layout.checksum_seed = (piece_le32(sb + 0x60) & INCOMPAT_CSUM_SEED) != 0
				       ? piece_le32(sb + 0x270)
				       : crc32c_update(~UINT32_C(0), sb + 0x68, 16);
	*ret_layout = layout;
	return NULL;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

uint64_t ext4_descriptors_offset(const struct ext4_layout *layout)
{
	return (uint64_t)(layout->first_block + 1) * layout->block_size;
}

uint32_t ext4_group_first(const struct ext4_layout *layout, uint32_t group)
{
	return layout->first_block + group * layout->blocks_per_group;
}

uint32_t ext4_group_blocks(const struct ext4_layout *layout, uint32_t group)
{
	uint32_t left = layout->blocks - ext4_group_first(layout, group);

	return left < layout->blocks_per_group ? left : layout->blocks_per_group;
}

static bool is_power_of(uint32_t n, uint32_t base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

bool ext4_group_has_base(const struct ext4_layout *layout, uint32_t group)
{
	if (group == 0)
		return true;
	if (layout->sparse2)
		return group == layout->copies[0] || group == layout->copies[1];
	return !layout->sparse || is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

static bool checksum_is_right(const struct ext4_layout *layout, uint32_t group, const uint8_t *descriptor)
{
	static const uint8_t blank[2];
	const uint8_t number[4] = { (uint8_t)group, (uint8_t)(group >> 8), 0, 0 };
	const size_t behind = DESCRIPTOR_CHECKSUM + sizeof(blank);
	uint32_t crc = crc32c_update(layout->checksum_seed, number, sizeof(number));

	crc = crc32c_update(crc, descriptor, DESCRIPTOR_CHECKSUM);
	crc = crc32c_update(crc, blank, sizeof(blank));
	crc = crc32c_update(crc, descriptor + behind, layout->descriptor_size - behind);
	return (crc & 0xFFFF) == piece_le16(descriptor + DESCRIPTOR_CHECKSUM);
}

/* count blocks from the given one on, behind the first group's descriptors; without flex_bg in their own group. */
static bool fits(const struct ext4_layout *layout, uint32_t group, uint64_t block, uint32_t count)
{
	uint64_t first = ext4_group_first(layout, 0) + layout->base_blocks, end = layout->blocks;

	if (!layout->flexible && group > 0)
		first = ext4_group_first(layout, group);
	if (!layout->flexible)
		end = ext4_group_first(layout, group) + (uint64_t)ext4_group_blocks(layout, group);
	return block >= first && block < end && end - block >= count;
}

const char *ext4_group_read(const struct ext4_layout *layout, uint32_t group, const uint8_t *descriptor,
			    struct ext4_group *ret_group)
{
	const uint8_t *low = descriptor, *high = descriptor + 0x20;
	bool wide = layout->descriptor_size == 64;
	uint64_t block_bitmap = piece_le32(low) | (wide ? (uint64_t)piece_le32(high) << 32 : 0);
	uint64_t inode_bitmap = piece_le32(low + 4) | (wide ? (uint64_t)piece_le32(high + 4) << 32 : 0);
	uint64_t inode_table = piece_le32(low + 8) | (wide ? (uint64_t)piece_le32(high + 8) << 32 : 0);
	uint32_t flags = piece_le16(low + 0x12);

	if (!checksum_is_right(layout, group, descriptor))
		return "a group descriptor's checksum is wrong";
	if ((flags & ~UINT32_C(7)) != 0)
		return "a group has flags that are not known here";
	if (!fits(layout, group, block_bitmap, 1) || !fits(layout, group, inode_bitmap, 1) ||
	    !fits(layout, group, inode_table, layout->table_blocks))
		return "a group's bitmap or table stands where it cannot";
	*ret_group = (struct ext4_group){
		.block_bitmap = (uint32_t)block_bitmap,
		.inode_bitmap = (uint32_t)inode_bitmap,
		.inode_table = (uint32_t)inode_table,
		.free_blocks = piece_le16(low + 0xC) | (wide ? piece_le16(high + 0xC) << 16 : 0),
		.checksum = piece_le16(low + 0x18) | (wide ? piece_le16(high + 0x18) << 16 : 0),
		.uninit = (flags & GROUP_BLOCK_UNINIT) != 0,
	};
	if (ret_group->free_blocks > ext4_group_blocks(layout, group))
		return "a group has more free blocks than blocks";
	return NULL;
}

/* --- maps --------------------------------------------------------------------------------------------------------- */

uint32_t ext4_map_free(const struct ext4_layout *layout, uint32_t group, const uint8_t *map)
{
	uint32_t blocks = ext4_group_blocks(layout, group), used = 0;

	for (uint32_t i = 0; i < blocks / 8; i++)
		used += (uint32_t)__builtin_popcount(map[i]);
	for (uint32_t bit = blocks / 8 * 8; bit < blocks; bit++)
		used += (uint32_t)map[bit / 8] >> (bit % 8) & 1;
	return blocks - used;
}

const char *ext4_bitmap_check(const struct ext4_layout *layout, uint32_t group, const struct ext4_group *facts,
			      const uint8_t *bitmap)
{
	uint32_t crc = crc32c_update(layout->checksum_seed, bitmap, layout->blocks_per_group / 8);

	if (layout->descriptor_size == 32)
		crc &= 0xFFFF;
	if (crc != facts->checksum)
		return "its bitmap's checksum is wrong";
	if (ext4_map_free(layout, group, bitmap) != facts->free_blocks)
		return "its bitmap and its descriptor count different numbers of free blocks";
	return NULL;
}

/* What of count blocks, from the given one on, stands in the group. */
static void mark(const struct ext4_layout *layout, uint32_t group, uint32_t block, uint32_t count, uint8_t *map)
{
	uint32_t first = ext4_group_first(layout, group), end = first + ext4_group_blocks(layout, group);
	uint32_t from = block > first ? block : first, to = block + count < end ? block + count : end;

	for (; from < to; from++)
		map[(from - first) / 8] |= (uint8_t)(1U << ((from - first) % 8));
}

void ext4_layout_mark(const struct ext4_layout *layout, const struct ext4_group *groups, uint32_t group, uint8_t *map)
{
	if (ext4_group_has_base(layout, group))
		mark(layout, group, ext4_group_first(layout, group), layout->base_blocks, map);
	for (uint32_t i = 0; i < layout->groups; i++) {
		mark(layout, group, groups[i].block_bitmap, 1, map);
		mark(layout, group, groups[i].inode_bitmap, 1, map);
		mark(layout, group, groups[i].inode_table, layout->table_blocks, map);
	}
}
