/* SPDX-License-Identifier: Apache-2.0 */
/* One step for each thing that is read, each telling the next which bytes it needs. What they mean is ext4_layout.c's. */
#include "onhost/ext4.h"

#include <stdlib.h>
#include <string.h>

#include "onhost/partitions.h"

#define MIB ((uint64_t)1024 * 1024)
#define NO_GROUP UINT32_MAX

static void want(struct ext4 *fs, uint64_t offset, size_t len, uint8_t *to, void (*next)(struct ext4 *fs))
{
	fs->piece = (struct piece){ .offset = fs->start + offset, .len = len, .to = to };
	fs->next = next;
}

static void forget(struct ext4 *fs)
{
	free(fs->groups);
	free(fs->maps);
	free(fs->pool);
	fs->groups = NULL;
	fs->maps = NULL;
	fs->pool = NULL;
	fs->spares = 0;
	fs->ready = false;
	fs->next = NULL;
	fs->asked = NO_GROUP;
}

static void give_up(struct ext4 *fs, const char *doubt)
{
	if (fs->log != NULL)
		log_debug(fs->log, "the partition at sector %llu is written whole: %s",
			  (unsigned long long)(fs->start / SECTOR_SIZE), doubt);
	forget(fs);
}

/* --- bitmaps ------------------------------------------------------------------------------------------------------ */

static void read_bitmap(struct ext4 *fs);

static void refuse_group(struct ext4 *fs, uint32_t group, const char *why)
{
	if (fs->refused++ == 0) {
		fs->first_refused = group;
		fs->why_refused = why;
	}
}

static bool covers(const uint8_t *map, const uint8_t *part, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((part[i] & ~map[i]) != 0)
			return false;
	}
	return true;
}

/* What is in use by the layout alone: all that a group without a bitmap has, and the least that a bitmap must have. */
static void make_map(struct ext4 *fs, uint32_t group)
{
	memset(fs->made, 0, sizeof(fs->made));
	ext4_layout_mark(&fs->layout, fs->groups, group, fs->made);
	fs->asked = NO_GROUP;
}

/* The next group, from fs->reading on, that has a bitmap on the disk. Without memory for more, those are passed over
 * that come before some is given back. */
static void want_bitmap(struct ext4 *fs)
{
	while (fs->reading < fs->layout.groups && (fs->groups[fs->reading].uninit || fs->spares == 0)) {
		if (!fs->groups[fs->reading].uninit)
			refuse_group(fs, fs->reading, "too many bitmaps stand before their groups");
		fs->reading++;
	}
	if (fs->reading == fs->layout.groups) {
		fs->next = NULL;
		return;
	}
	want(fs, (uint64_t)fs->groups[fs->reading].block_bitmap * fs->layout.block_size, fs->layout.block_size,
	     fs->spare[--fs->spares], read_bitmap);
}

static void refuse_bitmap(struct ext4 *fs, uint32_t group, const char *why)
{
	refuse_group(fs, group, why);
	fs->spare[fs->spares++] = fs->piece.to;
}

static void read_bitmap(struct ext4 *fs)
{
	uint32_t group = fs->reading++;
	uint8_t *map = fs->piece.to;
	const char *doubt = ext4_bitmap_check(&fs->layout, group, &fs->groups[group], map);

	if (doubt == NULL) {
		make_map(fs, group);
		if (!covers(map, fs->made, fs->layout.block_size))
			doubt = "its bitmap calls bitmaps, tables or descriptors free";
	}
	if (doubt == NULL && group < fs->passed)
		doubt = "its bitmap stands behind it";
	if (doubt == NULL)
		fs->maps[group] = map;
	else
		refuse_bitmap(fs, group, doubt);
	want_bitmap(fs);
}

static void pass_groups(struct ext4 *fs, uint64_t offset)
{
	while (fs->passed < fs->layout.groups) {
		uint64_t end = ext4_group_first(&fs->layout, fs->passed) +
			       (uint64_t)ext4_group_blocks(&fs->layout, fs->passed);
		if (fs->start + end * fs->layout.block_size > offset)
			return;
		if (fs->asked == fs->passed)
			fs->asked = NO_GROUP;
		if (fs->maps[fs->passed] != NULL)
			fs->spare[fs->spares++] = fs->maps[fs->passed];
		fs->maps[fs->passed++] = NULL;
	}
}

/* --- superblock and descriptors ----------------------------------------------------------------------------------- */

static void all_groups_read(struct ext4 *fs)
{
	if (fs->counted != fs->layout.free_blocks) {
		give_up(fs, "its superblock and its descriptors count different numbers of free blocks");
		return;
	}
	fs->ready = true;
	fs->reading = 0;
	if (fs->log != NULL)
		log_debug(fs->log,
			  "ext4 at sector %llu: of its %llu MiB, %llu MiB are free by its descriptors; what its bitmaps "
			  "call free and is zero is left out",
			  (unsigned long long)(fs->start / SECTOR_SIZE), (unsigned long long)((fs->end - fs->start) / MIB),
			  (unsigned long long)(fs->counted * fs->layout.block_size / MIB));
	want_bitmap(fs);
}

static void read_descriptor(struct ext4 *fs)
{
	uint32_t group = fs->reading++;
	struct ext4_group *facts = &fs->groups[group];
	const char *doubt = ext4_group_read(&fs->layout, group, fs->scratch, facts);

	/* they stream past once: one that stands before another's is not looked for, nor one that two groups share */
	if (doubt == NULL && group > 0 && facts->block_bitmap <= fs->groups[group - 1].block_bitmap)
		doubt = "its groups' bitmaps are not in the order of the groups";
	if (doubt != NULL) {
		give_up(fs, doubt);
		return;
	}
	fs->counted += facts->free_blocks;
	if (fs->reading == fs->layout.groups)
		all_groups_read(fs);
	else
		want(fs, ext4_descriptors_offset(&fs->layout) + (uint64_t)fs->reading * fs->layout.descriptor_size,
		     fs->layout.descriptor_size, fs->scratch, read_descriptor);
}

static bool reserve(struct ext4 *fs)
{
	uint32_t groups = fs->layout.groups;
	size_t maps = groups < EXT4_MAPS_MAX ? groups : EXT4_MAPS_MAX;

	fs->groups = calloc(groups, sizeof(*fs->groups));
	fs->maps = calloc(groups, sizeof(*fs->maps));
	fs->pool = malloc(maps * fs->layout.block_size);
	if (fs->groups == NULL || fs->maps == NULL || fs->pool == NULL)
		return false;
	/* the first ones are taken first, and the others' pages often never touched */
	while (fs->spares < maps) {
		size_t at = maps - 1 - fs->spares;
		fs->spare[fs->spares++] = fs->pool + at * fs->layout.block_size;
	}
	return true;
}

static void read_superblock(struct ext4 *fs)
{
	const char *doubt = ext4_layout_read(fs->scratch, fs->end - fs->start, &fs->layout);

	if (doubt != NULL) {
		give_up(fs, doubt);
		return;
	}
	if (!reserve(fs)) {
		give_up(fs, "there is no memory for its bitmaps");
		return;
	}
	fs->end = fs->start + (uint64_t)fs->layout.blocks * fs->layout.block_size;
	want(fs, ext4_descriptors_offset(&fs->layout), fs->layout.descriptor_size, fs->scratch, read_descriptor);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

void ext4_init(struct ext4 *fs, uint64_t start, uint64_t size, struct log *log)
{
	memset(fs, 0, sizeof(*fs));
	fs->start = start;
	fs->end = start + size;
	fs->log = log;
	fs->asked = NO_GROUP;
	want(fs, EXT4_SUPERBLOCK_OFFSET, EXT4_SUPERBLOCK_SIZE, fs->scratch, read_superblock);
}

void ext4_destroy(struct ext4 *fs)
{
	if (fs->refused > 0 && fs->log != NULL)
		log_debug(fs->log, "ext4 at sector %llu: %lu of its %lu groups are written whole; group %lu because %s",
			  (unsigned long long)(fs->start / SECTOR_SIZE), (unsigned long)fs->refused,
			  (unsigned long)fs->layout.groups, (unsigned long)fs->first_refused, fs->why_refused);
	fs->refused = 0;
	forget(fs);
}

void ext4_feed(struct ext4 *fs, const uint8_t *data, size_t len, uint64_t offset)
{
	if (fs->ready)
		pass_groups(fs, offset);
	while (fs->next != NULL) {
		enum piece_state state = piece_take(&fs->piece, data, len, offset);
		if (state == PIECE_WAITS)
			return;
		if (state == PIECE_WHOLE) {
			fs->next(fs);
		} else if (fs->ready) {
			refuse_bitmap(fs, fs->reading++, "its bitmap stands in a hole of the archive");
			want_bitmap(fs);
		} else {
			give_up(fs, "its superblock or descriptors stand in a hole of the archive");
		}
	}
}

/* Makes fs->asked_map the group's: NULL when nothing is known of it. */
static void ask_about(struct ext4 *fs, uint32_t group)
{
	struct ext4_group *facts = &fs->groups[group];

	if (fs->asked == group && fs->asked_map != NULL)
		return;
	fs->asked_map = fs->maps[group];
	if (facts->uninit) {
		make_map(fs, group);
		fs->asked_map = fs->made;
		if (ext4_map_free(&fs->layout, group, fs->made) != facts->free_blocks) {
			refuse_group(fs, group, "it has no bitmap, and its descriptor counts other free blocks");
			/* from now on like one whose bitmap was refused */
			facts->uninit = false;
			fs->asked_map = NULL;
		}
	}
	fs->asked = group;
}

static bool block_is_free(struct ext4 *fs, uint32_t block)
{
	const struct ext4_layout *layout = &fs->layout;

	if (block < layout->first_block || block >= layout->blocks)
		return false;
	uint32_t group = (block - layout->first_block) / layout->blocks_per_group;
	uint32_t bit = (block - layout->first_block) % layout->blocks_per_group;
	ask_about(fs, group);
	return fs->asked_map != NULL && (fs->asked_map[bit / 8] >> (bit % 8) & 1) == 0;
}

bool ext4_is_free(struct ext4 *fs, uint64_t offset, size_t len)
{
	if (!fs->ready || len == 0 || offset < fs->start || offset >= fs->end || len > fs->end - offset)
		return false;
	uint64_t first = (offset - fs->start) / fs->layout.block_size;
	uint64_t last = (offset - fs->start + len - 1) / fs->layout.block_size;
	for (uint64_t block = first; block <= last; block++) {
		if (!block_is_free(fs, (uint32_t)block))
			return false;
	}
	return true;
}
