/* SPDX-License-Identifier: Apache-2.0 */
/* Forced into every source file by the Makefile (-include): functions that overrun, hide errors or share static
 * state cannot be called. Their declarations come first, because poisoning forbids even those. */
#ifndef COMMON_BANNED_H
#define COMMON_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* with clang and _FORTIFY_SOURCE glibc makes these macros, and poisoning a macro is a warning */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strncpy strcat strncat sprintf vsprintf strtok gets
#pragma GCC poison gmtime localtime ctime asctime
#pragma GCC poison atoi atol atoll atof

#endif
