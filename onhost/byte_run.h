/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of equal bytes. */
#ifndef ONHOST_BYTE_RUN_H
#define ONHOST_BYTE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The shortest run that byte_run_find finds. */
#define BYTE_RUN_LEAST ((size_t)512)

/* How many bytes at the start of data are the same. */
size_t byte_run(const uint8_t *data, size_t len);
bool byte_run_of_zeros(const uint8_t *data, size_t len);
/* Where the first run of at least BYTE_RUN_LEAST bytes starts, and in *ret_run its length; len: there is none. It looks at few
 * of the bytes. */
size_t byte_run_find(const uint8_t *data, size_t len, size_t *ret_run);

#endif
