/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's answers to ioctl on demand: unit tests are linked with ioctl wrapped. Only calls made by our own objects are
 * seen. */
#ifndef TESTS_UNIT_FAKE_IOCTL_H
#define TESTS_UNIT_FAKE_IOCTL_H

/* What ioctl does from now on, in place of the kernel: the result, and errno when that is -1. NULL: the kernel again. */
void fake_ioctl_set(int (*answer)(int fd, unsigned long request, void *argument));

#endif
