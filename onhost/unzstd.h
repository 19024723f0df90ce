/* SPDX-License-Identifier: Apache-2.0 */
/* zstd (RFC 8878) to plain bytes, each frame's checksum checked where it has one. Windows up to UNZSTD_WINDOW_MAX (all
 * levels up to 19), so that memory is bounded. Further frames may follow directly, and behind the last one zeros. */
#ifndef ONHOST_UNZSTD_H
#define ONHOST_UNZSTD_H

#include "onhost/stream.h"

#define UNZSTD_WINDOW_LOG_MAX 23
#define UNZSTD_WINDOW_MAX ((size_t)1 << UNZSTD_WINDOW_LOG_MAX)

extern const struct stream_codec unzstd_codec;

#endif
