/* SPDX-License-Identifier: Apache-2.0 */
/* Blank or not, on regular files: signatures written here byte by byte, so that no tool is needed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/io.h"
#include "onhost/probe.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/tree.h"

#define MIB ((uint64_t)1024 * 1024)
#define SIZE (64 * MIB)

struct fixture {
	struct tree tree;
	int fd;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128];
	assert_non_null(f);
	tree_make(&f->tree);
	f->fd = open(tree_path(&f->tree, "disk", path, sizeof(path)), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(f->fd >= 0);
	assert_int_equal(ftruncate(f->fd, SIZE), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close(f->fd);
	tree_remove(&f->tree);
	free(f);
	return 0;
}

static void put(const struct fixture *f, uint64_t offset, const void *data, size_t len)
{
	assert_int_equal(io_pwrite_all(f->fd, data, len, offset, "disk", NULL), 0);
}

static void put_le(const struct fixture *f, uint64_t offset, uint64_t value, size_t len)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	put(f, offset, bytes, len);
}

static void put_ext4(const struct fixture *f)
{
	put_le(f, 1024, 8192, 4);       /* inodes */
	put_le(f, 1024 + 4, 16384, 4);  /* blocks */
	put_le(f, 1024 + 24, 2, 4);     /* of 4 KiB */
	put_le(f, 1024 + 56, 0xEF53, 2);
	put_le(f, 1024 + 76, 1, 4);     /* revision */
	put_le(f, 1024 + 92, 4, 4);     /* a journal */
	put_le(f, 1024 + 96, 0x40, 4);  /* extents */
}

static void put_swap(const struct fixture *f)
{
	put_le(f, 1024, 1, 4);
	put_le(f, 1028, 16383, 4);
	put(f, 4086, "SWAPSPACE2", 10);
}

static void put_luks(const struct fixture *f)
{
	put(f, 0, "LUKS\xba\xbe\0\1", 8);
	put(f, 8, "aes", 3);
	put(f, 40, "xts-plain64", 11);
	put(f, 72, "sha256", 6);
	put(f, 168, "01234567-89ab-cdef-0123-456789abcdef", 36);
}

/* The checksum is wrong: what is broken may still be somebody's. */
static void put_lvm(const struct fixture *f)
{
	put(f, 512, "LABELONE", 8);
	put_le(f, 520, 1, 8);
	put_le(f, 532, 32, 4);
	put(f, 536, "LVM2 001", 8);
	put(f, 544, "abcdefghijklmnopqrstuvwxyz012345", 32);
}

static void put_raid(const struct fixture *f)
{
	put_le(f, 4096, 0xa92b4efc, 4);
	put_le(f, 4100, 1, 4);    /* version 1.2 */
	put_le(f, 4096 + 72, 1, 4);
	put_le(f, 4096 + 144, 8, 8);
}

static void put_mbr(const struct fixture *f)
{
	put(f, 446, "\0\0\2\0\x83\0\0\0", 8);
	put_le(f, 454, 63, 4);
	put_le(f, 458, 100000, 4);
	put(f, 510, "\x55\xaa", 2);
}

static void test_blank(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(probe_signatures(f->fd, "disk", &f->err), 0);
	assert_int_equal(probe_zero_ends(f->fd, "disk", SIZE, &f->err), 0);
}

static void test_signatures(void **state)
{
	static const struct {
		void (*make)(const struct fixture *f);
		const char *text;
	} cases[] = {
		{ put_ext4, "ext4, its signature at byte 1080" },
		{ put_swap, "swap, its signature at byte 4086" },
		{ put_luks, "crypto_LUKS, its signature at byte 0" },
		{ put_lvm, "LVM2_member, its signature at byte 536" },
		{ put_raid, "linux_raid_member" },
		{ put_mbr, "partition table: dos, its signature at byte 510" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ftruncate(f->fd, 0), 0);
		assert_int_equal(ftruncate(f->fd, SIZE), 0);
		cases[i].make(f);
		if (probe_signatures(f->fd, "/dev/x", &f->err) == 0)
			fail_msg("taken for blank: %s", cases[i].text);
		assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
		if (strstr(f->err.message, cases[i].text) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", f->err.message, cases[i].text);
		assert_non_null(strstr(f->err.message, "/dev/x holds a "));
	}
}

/* Several at once: libblkid will not choose, and that is not "nothing". */
static void test_ambiguous(void **state)
{
	struct fixture *f = *state;
	put_ext4(f);
	put_swap(f);
	assert_int_equal(probe_signatures(f->fd, "/dev/x", &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(strstr(f->err.message, "ambiguous"));
}

static void test_ends(void **state)
{
	static const struct {
		uint64_t offset;
		bool refused;
	} cases[] = {
		{ 0, true },	       { MIB - 1, true },  { MIB, false },	 { SIZE - MIB - 1, false },
		{ SIZE - MIB, true },  { SIZE - 1, true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];
		put(f, cases[i].offset, "\1", 1);
		assert_int_equal(probe_zero_ends(f->fd, "/dev/x", SIZE, &f->err), cases[i].refused ? -1 : 0);
		put(f, cases[i].offset, "\0", 1);
		if (!cases[i].refused)
			continue;
		assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
		snprintf(text, sizeof(text), "byte %llu is not zero", (unsigned long long)cases[i].offset);
		assert_non_null(strstr(f->err.message, text));
	}
}

static void test_smaller_than_a_mib(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ftruncate(f->fd, 4096), 0);
	assert_int_equal(probe_zero_ends(f->fd, "/dev/x", 4096, &f->err), 0);
	put(f, 4095, "\1", 1);
	assert_int_equal(probe_zero_ends(f->fd, "/dev/x", 4096, &f->err), -1);
}

static void test_unreadable(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(probe_zero_ends(f->fd, "/dev/x", 2 * SIZE, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_IO);
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(probe_zero_ends(fd, "/dev/null", SIZE, &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_IO);
	assert_int_equal(probe_signatures(fd, "/dev/null", &f->err), -1);
	close(fd);
}

static void test_out_of_memory(void **state)
{
	struct fixture *f = *state;
	fail_alloc_after(0);
	int result = probe_zero_ends(f->fd, "/dev/x", SIZE, &f->err);
	assert_true(fail_alloc_off());
	assert_int_equal(result, -1);
	assert_int_equal(f->err.kind, ERROR_NOMEM);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_blank), TEST(test_signatures),	     TEST(test_ambiguous), TEST(test_ends),
		TEST(test_smaller_than_a_mib), TEST(test_unreadable), TEST(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
