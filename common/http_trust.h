/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a folder of certificates makes the file that holds them all superfluous. A TLS library reads such a file as a whole for
 * each connection, which takes 10 to 40 ms and 0.8 MiB, and looks up in the folder just the one that it needs. */
#ifndef COMMON_HTTP_TRUST_H
#define COMMON_HTTP_TRUST_H

#include <stdbool.h>

/* true when each certificate of the file is in the folder too, under a name such as "4a6481c9.0". NULL: there is none. */
bool http_trust_folder_has_all(const char *folder, const char *file);

#endif
