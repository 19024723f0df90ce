/* SPDX-License-Identifier: Apache-2.0 */
/* One ext4 file system that streams past, once and in order: superblock, group descriptors, block bitmaps; and the answer
 * which of its blocks those bitmaps call free. Any doubt means "not free": about the whole file system when it concerns
 * superblock or descriptors, about a group when it concerns its bitmap. A bitmap serves from where it was seen on.
 *
 * Memory: 32 bytes a group (EXT4_GROUPS_MAX) and a block for each bitmap that has been seen and whose group has not
 * passed yet, at most EXT4_MAPS_MAX; nothing is allocated after the superblock. */
#ifndef ONHOST_EXT4_H
#define ONHOST_EXT4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "onhost/ext4_layout.h"
#include "onhost/piece.h"

/* Enough for flex_bg groups of 128; the default is 16. */
#define EXT4_MAPS_MAX ((size_t)136)

struct ext4 {
	uint64_t start, end; /* bytes of the disk image; end is the partition's, then the file system's */
	struct log *log;     /* NULL: none */
	struct ext4_layout layout;
	/* what to do when the piece is whole; NULL: nothing more is wanted */
	void (*next)(struct ext4 *fs);
	struct piece piece;
	uint8_t scratch[EXT4_SUPERBLOCK_SIZE];
	/* of all groups; NULL: nothing is known to be free (yet, or any more) */
	struct ext4_group *groups;
	uint8_t **maps;     /* a group's bitmap, NULL while or when there is none */
	uint8_t *pool;      /* of maps */
	uint8_t *spare[EXT4_MAPS_MAX];
	size_t spares;
	uint32_t reading; /* the group whose descriptor or bitmap comes next */
	uint32_t passed;  /* the groups before this one have streamed past */
	uint64_t counted; /* free blocks of the descriptors read so far */
	bool ready;       /* all descriptors are understood */
	/* the map that the last question was about */
	uint32_t asked;
	const uint8_t *asked_map; /* NULL: not known */
	uint8_t made[EXT4_BLOCK_MAX]; /* of a group without a bitmap on the disk */
	/* for the log */
	uint32_t refused;
	uint32_t first_refused;
	const char *why_refused;
};

/* The partition's bytes in the disk image, start + size does not overflow. The log is borrowed. */
void ext4_init(struct ext4 *fs, uint64_t start, uint64_t size, struct log *log);
/* Also says in the log what was not used. */
void ext4_destroy(struct ext4 *fs);
/* The image's bytes [offset, offset + len), see piece_take. */
void ext4_feed(struct ext4 *fs, const uint8_t *data, size_t len, uint64_t offset);
/* Whether each block of the file system that [offset, offset + len) touches is certainly free. Offsets that have been
 * fed and have passed since may have been forgotten. */
bool ext4_is_free(struct ext4 *fs, uint64_t offset, size_t len);

#endif
