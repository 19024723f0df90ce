/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952) to plain bytes, header, CRC and length checked for each member. Further members may follow directly
 * and are appended, as the RFC says; behind the last one zeros may stand (gzip ignores them as well), and nothing else.
 */
#ifndef ONHOST_GUNZIP_H
#define ONHOST_GUNZIP_H

#include "onhost/stream.h"

/* By ISA-L where it was built in, else by zlib. */
extern const struct stream_codec gunzip_codec;
extern const struct stream_codec gunzip_zlib_codec;

#endif
