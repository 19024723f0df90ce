/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the device of a volume that is attached to this machine would show up here: not where onhost runs in a container
 * with a /dev of its own. */
#ifndef ONHOST_CONFINED_H
#define ONHOST_CONFINED_H

#include "common/arena.h"
#include "common/error.h"
#include "onhost/sysfs.h"

/* *ret_why, in the arena or a literal: "", or what is missing. Told by the disks that the machine has already: if sysfs shows
 * none, or /dev has the node of none of them, it will be so with another one. Only ERROR_NOMEM is a failure. */
int confined_check(const struct device_paths *paths, struct arena *arena, const char **ret_why, struct error *err);

#endif
