/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream is, told by its first bytes and never by a name: how it is packed, and what is inside. */
#ifndef ONHOST_FORMAT_H
#define ONHOST_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the unpacked stream that format_content wants to see, fewer only where the stream has no more. */
#define FORMAT_PEEK ((size_t)2048)

enum format_packing { FORMAT_PLAIN, FORMAT_GZIP, FORMAT_ZSTD, FORMAT_XZ };
#define FORMAT_PACKINGS 4

enum format_content { FORMAT_UNKNOWN, FORMAT_TAR, FORMAT_RAW };

enum format_packing format_packing(const uint8_t *data, size_t len);
/* FORMAT_TAR: a tar header whose checksum is right (any dialect). FORMAT_RAW: a boot sector's 55AA at 510, or an
 * ext2/3/4 superblock at 1024. */
enum format_content format_content(const uint8_t *data, size_t len);
/* What else it looks like, for messages ("a zip archive"); NULL when it looks like nothing known. A literal. */
const char *format_guess(const uint8_t *data, size_t len);
/* "gzip tar", "raw", …: a literal. */
const char *format_name(enum format_packing packing, enum format_content content);

#endif
