/* SPDX-License-Identifier: Apache-2.0 */
/* A partition table, and a file system for each partition. */
#include "onhost/freemap.h"

#include <stdlib.h>

#include "onhost/ext4.h"
#include "onhost/partitions.h"

struct freemap {
	struct log *log;
	bool divided; /* the partitions are known */
	struct partitions partitions;
	struct ext4 fs[PARTITIONS_MAX]; /* of the partitions */
	size_t current;                 /* the ones before it have streamed past */
};

int freemap_new(struct log *log, struct freemap **ret_freemap, struct error *err)
{
	struct freemap *freemap = calloc(1, sizeof(*freemap));

	if (freemap == NULL)
		return error_nomem(err);
	freemap->log = log;
	partitions_init(&freemap->partitions, UINT64_MAX);
	*ret_freemap = freemap;
	return 0;
}

void freemap_free(struct freemap *freemap)
{
	if (freemap == NULL)
		return;
	for (size_t i = freemap->current; freemap->divided && i < freemap->partitions.count; i++)
		ext4_destroy(&freemap->fs[i]);
	free(freemap);
}

void freemap_declare(struct freemap *freemap, uint64_t size)
{
	partitions_init(&freemap->partitions, size);
}

static void divide(struct freemap *freemap)
{
	const struct partitions *partitions = &freemap->partitions;

	freemap->divided = true;
	for (size_t i = 0; i < partitions->count; i++)
		ext4_init(&freemap->fs[i], partitions->list[i].start, partitions->list[i].size, freemap->log);
	if (partitions->doubt != NULL && freemap->log != NULL)
		log_debug(freemap->log, "all of the disk image is written: %s", partitions->doubt);
}

void freemap_feed(struct freemap *freemap, const uint8_t *data, size_t len, uint64_t offset)
{
	if (!freemap->divided && partitions_feed(&freemap->partitions, data, len, offset))
		divide(freemap);
	if (!freemap->divided)
		return;
	while (freemap->current < freemap->partitions.count && freemap->fs[freemap->current].end <= offset)
		ext4_destroy(&freemap->fs[freemap->current++]);
	for (size_t i = freemap->current; i < freemap->partitions.count && freemap->fs[i].start < offset + len; i++)
		ext4_feed(&freemap->fs[i], data, len, offset);
}

bool freemap_is_free(struct freemap *freemap, uint64_t offset, size_t len)
{
	for (size_t i = freemap->current; freemap->divided && i < freemap->partitions.count; i++) {
		if (freemap->fs[i].start > offset)
			break;
		if (ext4_is_free(&freemap->fs[i], offset, len))
			return true;
	}
	return false;
}
