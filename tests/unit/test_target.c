/* SPDX-License-Identifier: Apache-2.0 */
/* From a found or named device to a descriptor, as far as files can show it; real devices are in
 * tests/integration/test_devices.py. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fs.h>

#include "common/io.h"
#include "onhost/target.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fake_ioctl.h"
#include "tests/unit/tree.h"

#define SIZE ((uint64_t)4 * 1024 * 1024)

static const struct device_paths paths = DEVICE_PATHS_SYSTEM;

struct fixture {
	struct tree tree;
	struct device device; /* the lab's: a regular file */
	struct target target;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	tree_make(&f->tree);
	tree_file(&f->tree, "", "volume");
	tree_path(&f->tree, "volume", f->device.node, sizeof(f->device.node));
	assert_int_equal(truncate(f->device.node, SIZE), 0);
	f->device.regular_file = true;
	f->device.claim = DEVICE_BY_LINK;
	snprintf(f->device.recognised_by, sizeof(f->device.recognised_by), "by its link");
	f->target.fd = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	target_close(&f->target);
	tree_remove(&f->tree);
	free(f);
	return 0;
}

static void put(const struct fixture *f, uint64_t offset, const char *text)
{
	int fd = open(f->device.node, O_RDWR | O_CLOEXEC);
	assert_int_equal(io_pwrite_all(fd, text, strlen(text), offset, "volume", NULL), 0);
	close(fd);
}

static int open_with(struct fixture *f, struct target_rules rules)
{
	target_close(&f->target);
	return target_open(&paths, &f->device, &rules, &f->target, &f->err);
}

static void test_blank_file_of_the_lab(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(open_with(f, (struct target_rules){ .min_size = SIZE }), 0);
	assert_true(f->target.fd >= 0);
	assert_string_equal(f->target.node, f->device.node);
	assert_int_equal(f->target.size, SIZE);
	assert_string_equal(f->target.recognised_by, "by its link");
	assert_int_equal(open_with(f, (struct target_rules){ .min_size = SIZE + 1 }), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_int_equal(f->target.fd, -1);
}

static void test_rules(void **state)
{
	struct fixture *f = *state;
	put(f, 100, "noise");
	assert_int_equal(open_with(f, (struct target_rules){ .min_size = SIZE }), -1);
	assert_non_null(strstr(f->err.message, "byte 100 is not zero"));
	assert_int_equal(open_with(f, (struct target_rules){ .encrypted = true }), 0);
	assert_int_equal(open_with(f, (struct target_rules){ .force = true }), 0);
	put(f, 4086, "SWAPSPACE2");
	put(f, 1024, "\1");
	put(f, 1028, "\377\3");
	assert_int_equal(open_with(f, (struct target_rules){ .encrypted = true }), -1);
	assert_non_null(strstr(f->err.message, "swap"));
	assert_int_equal(open_with(f, (struct target_rules){ .force = true }), 0);
	/* not even a person may put an image onto too small a device */
	assert_int_equal(open_with(f, (struct target_rules){ .force = true, .min_size = SIZE + 1 }), -1);
}

static void test_gone(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(unlink(f->device.node), 0);
	assert_int_equal(open_with(f, (struct target_rules){ .force = true }), -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
}

static int has_no_size(int fd, unsigned long request, void *argument)
{
	(void)fd;
	assert_int_equal(request, BLKGETSIZE64);
	*(uint64_t *)argument = 0;
	return 0;
}

/* Whatever check fails while a disk goes away, that is what is said; the check's own words stay. */
static void test_gone_meanwhile(void **state)
{
	struct fixture *f = *state;
	put(f, 100, "noise");
	fake_ioctl_set(has_no_size);
	int result = open_with(f, (struct target_rules){ .min_size = SIZE });
	fake_ioctl_set(NULL);
	assert_int_equal(result, -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
	assert_non_null(strstr(f->err.message, "went away while it was checked: "));
	assert_non_null(strstr(f->err.message, "byte 100 is not zero"));
}

/* What is open has another serial, or none: here no NVMe disk at all. */
static void test_not_what_it_was_found_as(void **state)
{
	struct fixture *f = *state;
	f->device.claim = DEVICE_BY_SERIAL;
	snprintf(f->device.serial, sizeof(f->device.serial), "vol0123");
	assert_int_equal(open_with(f, (struct target_rules){ .force = true }), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(strstr(f->err.message, "no NVMe disk"));
	assert_int_equal(target_identify(&f->device, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	f->device.claim = DEVICE_BY_LINK;
	assert_int_equal(target_identify(&f->device, &f->err), 0);
	assert_string_equal(f->device.recognised_by, "by its link");
	assert_int_equal(unlink(f->device.node), 0);
	assert_int_equal(target_identify(&f->device, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
}

/* A block device was found, and by now something else stands in its place. */
static void test_replaced(void **state)
{
	struct fixture *f = *state;
	struct device_paths made_up = paths;
	char sys[128];
	made_up.sys = tree_path(&f->tree, "sys", sys, sizeof(sys));
	tree_file(&f->tree, "0\n", "sys/dev/block/0:77/ro");
	tree_folder(&f->tree, "sys/block");
	f->device.regular_file = false;
	f->device.number = 77;
	const struct target_rules rules = { .force = true };
	assert_int_equal(target_open(&made_up, &f->device, &rules, &f->target, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(strstr(f->err.message, "was replaced by something else"));
}

static void test_name(void **state)
{
	struct fixture *f = *state;
	struct device device;
	assert_int_equal(target_name(f->device.node, &device, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(strstr(f->err.message, "is not a block device but a regular file"));
	assert_int_equal(target_name(f->tree.root, &device, &f->err), -1);
	assert_non_null(strstr(f->err.message, "but a folder"));
	assert_int_equal(target_name("/dev/null", &device, &f->err), -1);
	assert_non_null(strstr(f->err.message, "but a character device"));
	assert_int_equal(target_name("/nonexistent/device", &device, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
}

static void test_to_read(void **state)
{
	struct fixture *f = *state;
	put(f, 0, "anything");
	assert_int_equal(target_open_to_read(f->device.node, &f->target, &f->err), 0);
	assert_int_equal(f->target.size, SIZE);
	target_close(&f->target);
	assert_int_equal(target_open_to_read("/dev/null", &f->target, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_int_equal(target_open_to_read("/nonexistent/device", &f->target, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
}

static void test_out_of_memory(void **state)
{
	struct fixture *f = *state;
	const struct target_rules rules = { .min_size = SIZE };
	bool failed = true;
	for (long n = 0; failed; n++) {
		target_close(&f->target);
		fail_alloc_after(n);
		int result = target_open(&paths, &f->device, &rules, &f->target, &f->err);
		failed = fail_alloc_off();
		if (failed && result == 0)
			fail_msg("allocation %ld failed and nobody noticed", n);
		if (failed)
			assert_int_equal(f->target.fd, -1);
	}
	assert_true(f->target.fd >= 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_blank_file_of_the_lab), TEST(test_rules),   TEST(test_gone),		TEST(test_replaced),
		TEST(test_gone_meanwhile),	  TEST(test_not_what_it_was_found_as),
		TEST(test_name),		  TEST(test_to_read), TEST(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
