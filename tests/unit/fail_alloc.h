/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation failure on demand: unit tests are linked with malloc, calloc and realloc wrapped. Only calls made by our own
 * objects are seen, not those inside foreign shared libraries. */
#ifndef TESTS_UNIT_FAIL_ALLOC_H
#define TESTS_UNIT_FAIL_ALLOC_H

#include <stdbool.h>

/* Lets n allocations pass, then fails every further one until fail_alloc_off. */
void fail_alloc_after(long n);
/* Back to normal. true if any allocation was failed since fail_alloc_after. */
bool fail_alloc_off(void);

#endif
