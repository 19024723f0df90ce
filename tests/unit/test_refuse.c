/* SPDX-License-Identifier: Apache-2.0 */
/* What must not be written to, on made-up /sys and /proc: each in-use state gives its own text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "onhost/nvme.h"
#include "onhost/refuse.h"
#include "tests/unit/tree.h"

#define NODE "/dev/nvme1n1"
/* a device name that no machine has, so that its made-up number is never looked up */
#define DISK "nvme99n1"

struct fixture {
	struct tree tree;
	char sys[96], dev[96], proc[96];
	struct device_paths paths;
	struct error err;
};

/* A disk 259:40 with a partition 259:41, in nobody's use, beside the root disk. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	tree_make(&f->tree);
	f->paths = (struct device_paths){
		.sys = tree_path(&f->tree, "sys", f->sys, sizeof(f->sys)),
		.dev = tree_path(&f->tree, "dev", f->dev, sizeof(f->dev)),
		.proc = tree_path(&f->tree, "proc", f->proc, sizeof(f->proc)),
		.run = "/nonexistent",
	};
	tree_file(&f->tree, "259:40\n", "sys/devices/" DISK "/dev");
	tree_file(&f->tree, "0\n", "sys/devices/" DISK "/ro");
	tree_folder(&f->tree, "sys/devices/" DISK "/holders");
	tree_file(&f->tree, "259:41\n", "sys/devices/" DISK "/" DISK "p1/dev");
	tree_file(&f->tree, "1\n", "sys/devices/" DISK "/" DISK "p1/partition");
	tree_folder(&f->tree, "sys/devices/" DISK "/" DISK "p1/holders");
	tree_link(&f->tree, "../devices/" DISK, "sys/block/" DISK);
	tree_link(&f->tree, "../../devices/" DISK, "sys/dev/block/259:40");
	tree_link(&f->tree, "../../devices/" DISK "/" DISK "p1", "sys/dev/block/259:41");
	tree_file(&f->tree,
		  "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\nodd line\n",
		  "proc/self/mountinfo");
	tree_file(&f->tree, "Filename\tType\tSize\tUsed\tPriority\n/dev/vdb partition 100 0 -2\n", "proc/swaps");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	tree_remove(&f->tree);
	free(f);
	return 0;
}

static void assert_refused(struct fixture *f, unsigned minor, const char *text)
{
	assert_int_equal(refuse_if_used(&f->paths, NODE, makedev(259, minor), &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	if (strstr(f->err.message, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", f->err.message, text);
	assert_non_null(strstr(f->err.message, NODE));
}

static void test_free_disk_is_taken(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(refuse_if_used(&f->paths, NODE, makedev(259, 40), &f->err), 0);
}

static void test_partition(void **state)
{
	assert_refused(*state, 41, "is a partition");
}

static void test_mapped(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, "x\n", "sys/devices/" DISK "/dm/name");
	assert_refused(f, 40, "is a device-mapper device");
}

static void test_raid(void **state)
{
	struct fixture *f = *state;
	tree_folder(&f->tree, "sys/devices/" DISK "/md");
	assert_refused(f, 40, "is a RAID (md) device");
}

static void test_read_only(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, "1\n", "sys/devices/" DISK "/ro");
	assert_refused(f, 40, "is read-only");
}

static void test_mounted(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, "30 27 259:40 / /mnt/data rw shared:1 - ext4 /dev/other rw\n", "proc/self/mountinfo");
	assert_refused(f, 40, "is mounted: " DISK " at /mnt/data");
}

static void test_partition_mounted(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, "27 1 259:41 / / rw - ext4 /dev/root rw\n", "proc/self/mountinfo");
	assert_refused(f, 40, "is mounted: " DISK "p1 at /.");
}

/* btrfs shows an anonymous number: only the source names the disk. */
static void test_mounted_by_source(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, "30 27 0:55 / /srv rw - btrfs /dev/" DISK "p1 rw\n", "proc/self/mountinfo");
	assert_refused(f, 40, "is mounted: " DISK "p1 at /srv");
}

static void test_swap(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, "Filename Type Size Used Priority\n/dev/" DISK "p1\tpartition\t100\t0\t-2\n", "proc/swaps");
	assert_refused(f, 40, "is used as swap (" DISK "p1");
}

static void test_no_swap_in_the_kernel(void **state)
{
	struct fixture *f = *state;
	char path[160];
	assert_int_equal(unlink(tree_path(&f->tree, "proc/swaps", path, sizeof(path))), 0);
	assert_int_equal(refuse_if_used(&f->paths, NODE, makedev(259, 40), &f->err), 0);
}

static void test_held(void **state)
{
	struct fixture *f = *state;
	tree_link(&f->tree, "../../dm-0", "sys/devices/" DISK "/" DISK "p1/holders/dm-0");
	assert_refused(f, 40, "is held: " DISK "p1 is part of dm-0 (");
	tree_file(&f->tree, "vg-root\n", "sys/block/dm-0/dm/name");
	assert_refused(f, 40, "is part of dm-0 (vg-root)");
	tree_link(&f->tree, "../../md127", "sys/devices/" DISK "/holders/md127");
	assert_refused(f, 40, "is held: " DISK " is part of md127");
}

static void test_looped(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, "7:3\n", "sys/block/loop3/dev");
	tree_file(&f->tree, "/var/lib/image\n", "sys/block/loop3/loop/backing_file");
	assert_int_equal(refuse_if_used(&f->paths, NODE, makedev(259, 40), &f->err), 0);
	tree_file(&f->tree, "/dev/" DISK "\n", "sys/block/loop3/loop/backing_file");
	assert_refused(f, 40, "the loop device loop3 lies over /dev/" DISK);
}

static void test_instance_storage(void **state)
{
	struct fixture *f = *state;
	tree_file(&f->tree, NVME_MODEL_EBS "              \n", "sys/devices/" DISK "/device/model");
	assert_int_equal(refuse_if_used(&f->paths, NODE, makedev(259, 40), &f->err), 0);
	tree_file(&f->tree, NVME_MODEL_INSTANCE_STORE "        \n", "sys/devices/" DISK "/device/model");
	assert_refused(f, 40, "is instance storage");
}

/* What cannot be found out is no permission. */
static void test_unknown_is_an_error(void **state)
{
	struct fixture *f = *state;
	char path[160];
	assert_int_equal(refuse_if_used(&f->paths, NODE, makedev(1, 1), &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
	assert_int_equal(unlink(tree_path(&f->tree, "proc/self/mountinfo", path, sizeof(path))), 0);
	assert_int_equal(refuse_if_used(&f->paths, NODE, makedev(259, 40), &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_IO);
	assert_non_null(strstr(f->err.message, "cannot tell what is in use"));
}

static void test_size(void **state)
{
	struct error err;
	(void)state;
	assert_int_equal(refuse_if_small(NODE, 4096, 4096, &err), 0);
	assert_int_equal(refuse_if_small(NODE, 4096, 0, &err), 0);
	assert_int_equal(refuse_if_small(NODE, 1048576, 1048577, &err), -1);
	assert_int_equal(err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(
		strstr(err.message, "holds 1048576 bytes (1 MiB) where at least 1048577 bytes (2 MiB) are needed"));
	assert_int_equal(refuse_if_small(NODE, 0, 0, &err), -1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_free_disk_is_taken), TEST(test_partition),	   TEST(test_mapped),
		TEST(test_raid),	       TEST(test_read_only),	   TEST(test_mounted),
		TEST(test_partition_mounted),  TEST(test_mounted_by_source), TEST(test_swap),
		TEST(test_no_swap_in_the_kernel), TEST(test_held),	   TEST(test_looped),
		TEST(test_instance_storage),	TEST(test_unknown_is_an_error), TEST(test_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
