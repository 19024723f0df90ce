/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing past the page cache (O_DIRECT), as a flag of an open file: it can be set when a sandbox lets
 * nothing be opened any more. */
#ifndef ONHOST_DIRECT_H
#define ONHOST_DIRECT_H

#include <stdbool.h>

/* false when the file does not take it. Everybody who shares the open file is affected. */
bool direct_set(int fd, bool direct);

#endif
