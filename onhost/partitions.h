/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of a disk image may hold a Linux file system, by its table (MBR or GPT) as it streams past. A table that
 * leaves a doubt gives none: a hybrid of both kinds, a wrong checksum, partitions that overlap or lie outside. Logical
 * partitions are not looked for. Sectors have 512 bytes. Source: UEFI specification 2.10, chapter 5. */
#ifndef ONHOST_PARTITIONS_H
#define ONHOST_PARTITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "onhost/piece.h"

#define SECTOR_SIZE ((uint64_t)512)
#define PARTITIONS_MAX ((size_t)8) /* with more, there is a doubt */
#define GPT_ENTRIES_MAX ((size_t)128)
#define GPT_ENTRY_SIZE ((size_t)128)

struct partition {
	uint64_t start, size; /* bytes; start + size does not overflow */
	bool of_linux;        /* by its type; all of those in the list, once it is ready */
};

struct partitions {
	/* when partitions_feed has returned true: ascending, none reaches into the next */
	struct partition list[PARTITIONS_MAX];
	size_t count;
	const char *doubt; /* for logs, a literal: why there are none; else NULL */
	/* while the table is read */
	uint64_t image_size;
	uint64_t used; /* bytes at the disk's head that are the table itself */
	void (*next)(struct partitions *partitions); /* what to do when the piece is whole; NULL: all is known */
	struct piece piece;
	uint32_t entries_crc;
	uint8_t sectors[GPT_ENTRIES_MAX * GPT_ENTRY_SIZE];
};

/* image_size in bytes, or UINT64_MAX when it is not known. */
void partitions_init(struct partitions *partitions, uint64_t image_size);
/* See piece_take. true when the list is there. A disk without a table is one partition from its first byte on. */
bool partitions_feed(struct partitions *partitions, const uint8_t *data, size_t len, uint64_t offset);

#endif
