/* SPDX-License-Identifier: Apache-2.0 */
/* xz to plain bytes, its check and index verified. Dictionaries up to 8 MiB (all levels up to 6, the default), so that
 * memory is bounded. Further streams and the padding that the format allows may follow; anything else is refused. */
#ifndef ONHOST_UNXZ_H
#define ONHOST_UNXZ_H

#include "onhost/stream.h"

#define UNXZ_MEMORY_MAX ((uint64_t)10 * 1024 * 1024)

extern const struct stream_codec unxz_codec;

#endif
