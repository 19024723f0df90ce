/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding ahead: while a slot's worth of the image is checked and looked at, a thread of its own decodes the next. */
#ifndef ONHOST_AHEAD_H
#define ONHOST_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "onhost/extents.h"
#include "onhost/image.h"

struct ahead;

/* Both are borrowed; once ahead_read was called, nobody else reads the image or lends from extents until ahead_close. */
int ahead_open(struct image *image, struct extents *extents, struct ahead **ret_ahead, struct error *err);
/* Waits for a decoding that is under way: the image's input must not block any more. */
void ahead_close(struct ahead *ahead);
/* The next SLOT_SIZE bytes, in memory that extents lent (see extents_lend), valid until the next call. Fewer: the whole
 * input was read and is right. After an error only ahead_close may follow. */
int ahead_read(struct ahead *ahead, const uint8_t **ret_data, size_t *ret_len, struct error *err);

#endif
