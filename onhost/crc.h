/* SPDX-License-Identifier: Apache-2.0 */
/* The two 32-bit checksums of what stands on a disk, as running values: start with ~0 (or with what a format calls its
 * seed). What a format does with the result is its reader's business; many turn its bits round at the end. */
#ifndef ONHOST_CRC_H
#define ONHOST_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (RFC 3720): ext4's metadata_csum. */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len);
/* CRC-32 (ISO 3309, gzip's): GUID partition tables. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t len);

#endif
