/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a disk that is still open is there no more. */
#ifndef ONHOST_GONE_H
#define ONHOST_GONE_H

#include <stdbool.h>

/* True when errnum (0: not known) or the opened disk itself says that its device went away. The kernel takes the size
 * from a disk that was unplugged, and then a write may answer ENOSPC. Never said of a regular file. errno
 * stays as it was. */
bool gone_device(int fd, int errnum);

#endif
