/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes of a disk image are certainly of no use to anyone: free by the bitmaps of the ext4 file systems in it, as
 * far as these have streamed past. Finds the partitions and asks each one's file system; everything else, and every
 * doubt, is "in use". The image is foreign: memory and time have limits, see ext4.h. */
#ifndef ONHOST_FREEMAP_H
#define ONHOST_FREEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/log.h"

struct freemap;

/* The log (NULL: none) is borrowed: at debug it says what was understood, and why something was not. */
int freemap_new(struct log *log, struct freemap **ret_freemap, struct error *err);
void freemap_free(struct freemap *freemap);
/* The image's size in bytes, when it is known before the first freemap_feed. */
void freemap_declare(struct freemap *freemap, uint64_t size);
/* The image's bytes [offset, offset + len); offsets ascend from call to call, and there may be gaps. */
void freemap_feed(struct freemap *freemap, const uint8_t *data, size_t len, uint64_t offset);
/* Whether all of [offset, offset + len) is free. Not before the bytes were fed; may be forgotten with the next feed. */
bool freemap_is_free(struct freemap *freemap, uint64_t offset, size_t len);

#endif
