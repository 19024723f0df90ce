/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952) to plain bytes, header, CRC and length checked for each member. Further members may follow directly
 * and are appended, as the RFC says; padding or anything else behind the last one is refused. */
#ifndef ONHOST_GUNZIP_H
#define ONHOST_GUNZIP_H

#include "onhost/stream.h"

extern const struct stream_codec gunzip_codec;

#endif
