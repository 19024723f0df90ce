/* SPDX-License-Identifier: Apache-2.0 */
/* A plain tar archive (v7, ustar, pax, GNU, sparse or not) to the pieces of the one file in it, root.img or ./root.img.
 * Refused with ERROR_IMAGE: any other member, a root.img that is not a regular file, a size that is not what follows,
 * an end without the archive's two zero blocks, anything but zeros behind them. The checks of the size are extents'. */
#ifndef ONHOST_UNTAR_H
#define ONHOST_UNTAR_H

#include "onhost/ahead.h"
#include "onhost/extents.h"
#include "onhost/image.h"

/* Reads the image to its end. The caller calls extents_end after success. */
int untar_run(struct image *image, struct ahead *ahead, struct extents *extents, struct error *err);

#endif
