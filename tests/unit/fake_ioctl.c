/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "tests/unit/fake_ioctl.h"

#include <stdarg.h>
#include <stddef.h>

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

static int (*fake)(int fd, unsigned long request, void *argument);

void fake_ioctl_set(int (*answer)(int fd, unsigned long request, void *argument))
{
	fake = answer;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);
	void *argument = va_arg(args, void *);
	va_end(args);
	return fake == NULL ? __real_ioctl(fd, request, argument) : fake(fd, request, argument);
}
