/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up, for ever and on purpose, all that reading an image does not take. docs/security.md says what is left and
 * why that is enough; the system-call filter is filter.h's. */
#ifndef ONHOST_SANDBOX_H
#define ONHOST_SANDBOX_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define SANDBOX_KEEP_MAX 16
/* Regular files that are open (a log, in the lab the volume) may grow by this beyond the largest of them. */
#define SANDBOX_FILE_ROOM ((uint64_t)64 * 1024 * 1024)

struct sandbox_rules {
	int keep[SANDBOX_KEEP_MAX]; /* descriptors that stay open, in any order; those below 0 are passed over */
	size_t n_keep;
	uint64_t file_room;  /* bytes, SANDBOX_FILE_ROOM as a rule; 0: regular files may grow without a limit */
	pid_t parent;        /* when this process, which is the parent, dies, so does the caller; 0: it does not matter */
};

/* Called once, with one thread, when everything is open and before the first byte of the image is read. On success the
 * process
 * - has the descriptors of the list and can make no others but event counters; small limits; no core dumps
 * - is, where it was root: `nobody`, in no groups, in an empty root directory, in a network of its own without
 *   addresses, and without others' System V IPC; elsewhere it stays who it is, and what a name leads to is refused by the filter
 * - has no capabilities, cannot get any (no new privileges), cannot be traced
 * - is under the filter.
 * *ret_missing: NULL, or for the log what of the namespaces and the empty root directory this kernel or container does not
 * give (a literal); that is no reason to stop, because the filter alone refuses all that they are for. Everything else
 * is: ERROR_SANDBOX, and the process must end without reading the image. */
int sandbox_enter(const struct sandbox_rules *rules, const char **ret_missing, struct error *err);

#endif
