/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, snapshots and images, as leftover.c's table has them. */
#ifndef CPI_METHODS_LEFTOVER_STORAGE_H
#define CPI_METHODS_LEFTOVER_STORAGE_H

#include "cpi/methods/leftover_kind.h"

extern const struct leftover_kind leftover_storage_volume;
extern const struct leftover_kind leftover_storage_snapshot;
extern const struct leftover_kind leftover_storage_image;

#endif
