/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to a target: what is written and what is not, the head last, and targets that refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "onhost/sink.h"
#include "tests/unit/image_kit.h"

#define DISK (3 * SLOT_SIZE)

static uint8_t disk[DISK];
static uint8_t seen[DISK];

struct fixture {
	struct pipeline_target target;
	struct slots slots;
	struct sink sink;
	struct error err;
};

static void open_fixture(struct fixture *f, int fd)
{
	f->target = (struct pipeline_target){ .fd = fd, .name = "the disk", .size = DISK, .fresh = true };
	assert_int_equal(slots_init(&f->slots, 4, &f->err), 0);
	assert_int_equal(sink_init(&f->sink, &f->target, &f->slots, &f->err), 0);
}

static void close_fixture(struct fixture *f)
{
	sink_destroy(&f->sink);
	slots_destroy(&f->slots);
}

static int write_slot(struct fixture *f, size_t offset, size_t len)
{
	struct slot *slot = slots_get(&f->slots);

	slot->offset = offset;
	slot->len = len;
	memcpy(slot->data, disk + offset, len);
	slot_want(slot, 0, len);
	return sink_write(&f->sink, slot, &f->err);
}

static int memory_file(void)
{
	int fd = memfd_create("test_sink", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	return fd;
}

static void test_head_last(void **state)
{
	/* on a disk, where the page cache can be passed by, and in memory, where it cannot on older kernels */
	for (int i = 0; i < 2; i++) {
		struct fixture f;
		int fd CLEANUP_FD = -1;
		(void)state;
		if (i == 0)
			kit_file(&fd);
		else
			fd = memory_file();
		int flags = fcntl(fd, F_GETFL);
		open_fixture(&f, fd);
		assert_int_equal(write_slot(&f, 2 * SLOT_SIZE, 4096 + 1536), 0);
		assert_int_equal(write_slot(&f, 0, SLOT_SIZE), 0);
		assert_int_equal(write_slot(&f, SLOT_SIZE, SLOT_SIZE), 0);
		assert_int_equal(sink_flush(&f.sink, &f.err), 0);
		kit_read_file(fd, seen, DISK);
		for (size_t at = 0; at < SLOT_SIZE; at++)
			assert_int_equal(seen[at], 0);
		assert_memory_equal(seen + SLOT_SIZE, disk + SLOT_SIZE, SLOT_SIZE + 4096 + 1536);
		assert_int_equal(sink_written(&f.sink), SLOT_SIZE + 4096 + 1536);
		assert_int_equal(sink_commit(&f.sink, &f.err), 0);
		kit_read_file(fd, seen, DISK);
		assert_memory_equal(seen, disk, 2 * SLOT_SIZE + 4096 + 1536);
		assert_int_equal(lseek(fd, 0, SEEK_END), 2 * SLOT_SIZE + 4096 + 1536);
		close_fixture(&f);
		assert_int_equal(fcntl(fd, F_GETFL), flags);
	}
}

static void test_only_what_is_wanted(void **state)
{
	struct fixture f;
	int fd CLEANUP_FD = memory_file();

	(void)state;
	open_fixture(&f, fd);
	for (size_t at = 0; at < 2 * SLOT_SIZE; at += SLOT_SIZE) {
		struct slot *slot = slots_get(&f.slots);
		slot->offset = at;
		slot->len = SLOT_SIZE;
		memcpy(slot->data, disk + at, SLOT_SIZE);
		slot_want(slot, 8192, 4096);
		slot_want(slot, 40960, 8192);
		assert_int_equal(sink_write(&f.sink, slot, &f.err), 0);
	}
	assert_int_equal(sink_flush(&f.sink, &f.err), 0);
	assert_int_equal(sink_commit(&f.sink, &f.err), 0);
	assert_int_equal(sink_written(&f.sink), 2 * 12288);
	kit_read_file(fd, seen, DISK);
	for (size_t at = 0; at < 2 * SLOT_SIZE; at++) {
		size_t in = at % SLOT_SIZE;
		bool wanted = (in >= 8192 && in < 12288) || (in >= 40960 && in < 49152);
		assert_int_equal(seen[at], wanted ? disk[at] : 0);
	}
	close_fixture(&f);
}

static void test_only_a_head(void **state)
{
	struct fixture f;
	int fd CLEANUP_FD = memory_file();

	(void)state;
	open_fixture(&f, fd);
	assert_int_equal(write_slot(&f, 0, 512), 0);
	assert_int_equal(sink_flush(&f.sink, &f.err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	assert_int_equal(sink_commit(&f.sink, &f.err), 0);
	kit_read_file(fd, seen, 512);
	assert_memory_equal(seen, disk, 512);
	close_fixture(&f);
}

static void test_no_head(void **state)
{
	struct fixture f;
	int fd CLEANUP_FD = memory_file();

	(void)state;
	open_fixture(&f, fd);
	assert_int_equal(write_slot(&f, SLOT_SIZE, SLOT_SIZE), 0);
	assert_int_equal(sink_flush(&f.sink, &f.err), 0);
	assert_int_equal(sink_commit(&f.sink, &f.err), 0);
	close_fixture(&f);
}

static void test_device_full(void **state)
{
	struct fixture f;
	int fd CLEANUP_FD = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	open_fixture(&f, fd);
	assert_int_equal(write_slot(&f, SLOT_SIZE, SLOT_SIZE), -1);
	assert_int_equal(f.err.kind, ERROR_IO);
	assert_non_null(strstr(f.err.message, "the disk at offset 1048576"));
	assert_non_null(strstr(f.err.message, "No space left on device"));
	/* and such a device cannot be flushed */
	assert_int_equal(sink_flush(&f.sink, &f.err), -1);
	assert_non_null(strstr(f.err.message, "cannot flush"));
	assert_non_null(strstr(f.err.message, "Invalid argument"));
	close_fixture(&f);
}

/* A write that is cut in the middle (here by a limit on files) is told with the offset where it stopped. */
static void test_cut_write(void **state)
{
	struct fixture f;
	struct rlimit before, limit;
	int fd CLEANUP_FD = -1;

	(void)state;
	kit_file(&fd);
	open_fixture(&f, fd);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ .rlim_cur = SLOT_SIZE + 8192, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int result = write_slot(&f, SLOT_SIZE, SLOT_SIZE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(result, -1);
	assert_non_null(strstr(f.err.message, "at offset 1056768"));
	assert_non_null(strstr(f.err.message, "File too large"));
	close_fixture(&f);
}

/* When the head itself cannot be written whole, what came of it is blanked again. */
static void test_head_fails(void **state)
{
	struct fixture f;
	struct rlimit before, limit;
	int fd CLEANUP_FD = -1;

	(void)state;
	kit_file(&fd);
	open_fixture(&f, fd);
	assert_int_equal(write_slot(&f, 0, SLOT_SIZE), 0);
	assert_int_equal(sink_flush(&f.sink, &f.err), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ .rlim_cur = 65536, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int result = sink_commit(&f.sink, &f.err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(result, -1);
	assert_int_equal(f.err.kind, ERROR_IO);
	close_fixture(&f);
	/* all that had gone out, not only the first block */
	memset(seen, 0, SLOT_SIZE);
	assert_true(pread(fd, seen, SLOT_SIZE, 0) >= 65536);
	for (size_t at = 0; at < SLOT_SIZE; at++)
		assert_int_equal(seen[at], 0);
}

static void test_read_only(void **state)
{
	struct fixture f;
	int fd CLEANUP_FD = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	open_fixture(&f, fd);
	assert_int_equal(write_slot(&f, SLOT_SIZE, 4096), -1);
	assert_non_null(strstr(f.err.message, "Bad file descriptor"));
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_last),   cmocka_unit_test(test_only_what_is_wanted),
		cmocka_unit_test(test_only_a_head), cmocka_unit_test(test_no_head),
		cmocka_unit_test(test_device_full), cmocka_unit_test(test_cut_write),
		cmocka_unit_test(test_head_fails),  cmocka_unit_test(test_read_only),
	};

	kit_disk(disk, DISK, 5);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
