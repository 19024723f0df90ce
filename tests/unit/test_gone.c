/* SPDX-License-Identifier: Apache-2.0 */
/* What says that a disk went away: the errno of a call, the size that the kernel took from it, or no answer at all. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fs.h>

#include "onhost/gone.h"
#include "tests/unit/fake_ioctl.h"

static int teardown(void **state)
{
	(void)state;
	fake_ioctl_set(NULL);
	return 0;
}

static int has_a_size(int fd, unsigned long request, void *argument)
{
	(void)fd;
	assert_int_equal(request, BLKGETSIZE64);
	*(uint64_t *)argument = 512;
	return 0;
}

static int has_no_size(int fd, unsigned long request, void *argument)
{
	has_a_size(fd, request, argument);
	*(uint64_t *)argument = 0;
	return 0;
}

static int does_not_answer(int fd, unsigned long request, void *argument)
{
	(void)fd;
	(void)request;
	(void)argument;
	errno = ENODEV;
	return -1;
}

static void test_by_errno(void **state)
{
	(void)state;
	fake_ioctl_set(has_a_size);
	assert_true(gone_device(5, ENODEV));
	assert_true(gone_device(5, ENXIO));
	assert_false(gone_device(5, EIO));
	assert_false(gone_device(5, ENOSPC));
	assert_false(gone_device(5, 0));
}

static void test_by_size(void **state)
{
	(void)state;
	fake_ioctl_set(has_no_size);
	assert_true(gone_device(5, ENOSPC));
	assert_true(gone_device(5, 0));
	fake_ioctl_set(does_not_answer);
	assert_true(gone_device(5, EIO));
}

static void test_a_file_stays(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	(void)state;
	errno = EIO;
	assert_false(gone_device(fd, errno));
	assert_int_equal(errno, EIO);
	assert_false(gone_device(fd, 0));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_by_errno, teardown),
		cmocka_unit_test_teardown(test_by_size, teardown),
		cmocka_unit_test_teardown(test_a_file_stays, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
