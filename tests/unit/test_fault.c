/* SPDX-License-Identifier: Apache-2.0 */
/* The words for a failed request, by errno. Devices that really go away are the integration tests'. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "onhost/fault.h"
#include "tests/unit/fake_ioctl.h"

#define SIZE ((uint64_t)1 << 20)

static void expect(const struct fault *fault, enum error_kind kind, const char *text)
{
	int fd CLEANUP_FD = memfd_create("test_fault", MFD_CLOEXEC);
	const struct pipeline_target target = { .fd = fd, .name = "/dev/x", .size = SIZE };
	struct error err = { .kind = ERROR_NONE };

	assert_true(fd >= 0);
	assert_int_equal(fault_tell(&target, fault, &err), -1);
	assert_int_equal(err.kind, kind);
	if (strstr(err.message, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, err.message);
	if (fault->errnum != 0)
		assert_non_null(strstr(err.message, strerror(fault->errnum)));
}

static void test_trouble(void **state)
{
	static const struct {
		struct fault fault;
		const char *text;
	} cases[] = {
		{ { FAULT_WRITE, 4096, 512, EIO }, "cannot write to /dev/x at offset 4096 (512 bytes)" },
		{ { FAULT_WRITE, 8192, 4096, ENOSPC }, "/dev/x at offset 8192 (4096 bytes)" },
		{ { FAULT_WRITE, 0, 1, 0 }, "No space left on device" },
		{ { FAULT_FLUSH, 0, 0, EIO }, "cannot flush what was written to /dev/x. " },
		{ { FAULT_READ, 1048576, 4096, EIO }, "cannot read /dev/x at offset 1048576 (4096 bytes)" },
		{ { FAULT_READ, 1048576, 4096, 0 }, "/dev/x ends at offset 1048576, before the image does" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(&cases[i].fault, ERROR_IO, cases[i].text);
}

static void test_gone(void **state)
{
	static const int errors[] = { ENODEV, ENXIO, ENOMEDIUM };
	struct fault fault = { FAULT_WRITE, 12288, 4096, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fault.errnum = errors[i];
		fault.kind = FAULT_WRITE;
		expect(&fault, ERROR_NO_DEVICE, "/dev/x went away while it was written at offset 12288 (4096 bytes): ");
		fault.kind = FAULT_FLUSH;
		expect(&fault, ERROR_NO_DEVICE, "/dev/x went away while it was written: ");
		fault.kind = FAULT_READ;
		expect(&fault, ERROR_NO_DEVICE, "/dev/x went away while it was read at offset 12288 (4096 bytes): ");
	}
}

/* A test may hold what it injects. */
static int looks_before_it_goes;

static int size_that_goes(int fd, unsigned long request, void *argument)
{
	(void)fd;
	assert_int_equal(request, BLKGETSIZE64);
	*(uint64_t *)argument = looks_before_it_goes-- > 0 ? SIZE : 0;
	return 0;
}

/* The error may be told before the kernel has taken the size away. */
static void test_goes_after_the_error(void **state)
{
	const struct fault fault = { FAULT_WRITE, 4096, 512, EIO };

	(void)state;
	looks_before_it_goes = 6;
	fake_ioctl_set(size_that_goes);
	expect(&fault, ERROR_NO_DEVICE, "/dev/x went away while it was written at offset 4096 (512 bytes): ");
	looks_before_it_goes = 1000;
	expect(&fault, ERROR_IO, "cannot write to /dev/x at offset 4096 (512 bytes)");
	fake_ioctl_set(NULL);
}

static void test_still_there(void **state)
{
	int fd CLEANUP_FD = memfd_create("test_fault", MFD_CLOEXEC);
	const struct pipeline_target target = { .fd = fd, .name = "/dev/x", .size = SIZE };
	struct error err = { .kind = ERROR_NONE };

	(void)state;
	assert_int_equal(fault_if_gone(&target, &err), 0);
	assert_int_equal(err.kind, ERROR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_goes_after_the_error),
		cmocka_unit_test(test_still_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
