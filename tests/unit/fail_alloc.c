/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fail_alloc.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static long left = -1; /* -1: off */
static bool failed;

void fail_alloc_after(long n)
{
	failed = false;
	left = n;
}

bool fail_alloc_off(void)
{
	left = -1;
	return failed;
}

static bool refuse(void)
{
	if (left < 0)
		return false;
	if (left == 0) {
		failed = true;
		return true;
	}
	left--;
	return false;
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refuse() ? NULL : __real_realloc(old, size);
}
