/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fail_alloc.h"

#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* threads of what is tested ask as well */
static atomic_long left = -1; /* -1: off */
static atomic_bool failed;

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
	long now = left;

	while (now > 0 && !atomic_compare_exchange_weak(&left, &now, now - 1))
		;
	if (now == 0)
		failed = true;
	return now == 0;
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
