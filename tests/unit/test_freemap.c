/* SPDX-License-Identifier: Apache-2.0 */
/* Several file systems on one disk, each where the table says; what lies between them is in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "onhost/freemap.h"
#include "tests/unit/ext4_kit.h"
#include "tests/unit/fail_alloc.h"

#define DISK ((size_t)8 * 1024 * 1024)
#define WINDOW ((size_t)1024 * 1024)

static uint8_t disk[DISK];

static struct kit_ext4 make(void)
{
	struct kit_ext4 kit = { .block_size = 1024, .blocks_per_group = 512, .blocks = 4 * 512 + 101, .flex = 4, .uninit = 8 };

	kit_ext4_make(&kit);
	return kit;
}

static void put(const struct kit_ext4 *kit, size_t slot, uint8_t type, uint32_t sector)
{
	uint8_t *entry = disk + 446 + slot * 16;

	disk[510] = 0x55;
	disk[511] = 0xAA;
	entry[4] = type;
	kit_ext4_set32(entry + 8, sector);
	kit_ext4_set32(entry + 12, (uint32_t)(kit->size / 512));
	memcpy(disk + (size_t)sector * 512, kit->data, kit->size);
}

/* Sectors of the disk that are free when their window has been fed. */
static size_t free_sectors(struct freemap *freemap, uint8_t *map)
{
	size_t count = 0;

	memset(map, 0, DISK / 512);
	for (size_t at = 0; at < DISK; at += WINDOW) {
		freemap_feed(freemap, disk + at, WINDOW, at);
		for (size_t sector = at; sector < at + WINDOW; sector += 512) {
			map[sector / 512] = freemap_is_free(freemap, sector, 512) ? 1 : 0;
			count += map[sector / 512];
		}
	}
	return count;
}

static size_t expect_one(const struct kit_ext4 *kit, const uint8_t *map, size_t start)
{
	size_t count = 0;

	for (size_t sector = 0; sector < kit->size / 512; sector++) {
		if (map[start + sector] == 0)
			continue;
		assert_int_equal(kit->truth[sector / 2], 0);
		count++;
	}
	assert_true(count > 200);
	return count;
}

static void test_two(void **state)
{
	struct kit_ext4 kit = make();
	struct freemap *freemap;
	uint8_t map[DISK / 512];

	(void)state;
	memset(disk, 0, DISK);
	put(&kit, 2, 0x83, 63);
	put(&kit, 0, 0x83, 8700);
	/* one that is none of Linux's, and looks the same */
	put(&kit, 1, 0x8E, 4363);
	assert_int_equal(freemap_new(NULL, &freemap, NULL), 0);
	freemap_declare(freemap, DISK);
	size_t count = free_sectors(freemap, map);
	assert_int_equal(count, expect_one(&kit, map, 63) + expect_one(&kit, map, 8700));
	freemap_free(freemap);
	kit_ext4_free(&kit);
}

static void test_whole_disk(void **state)
{
	struct kit_ext4 kit = make();
	struct freemap *freemap;
	uint8_t map[DISK / 512];

	(void)state;
	memset(disk, 0, DISK);
	memcpy(disk, kit.data, kit.size);
	assert_int_equal(freemap_new(NULL, &freemap, NULL), 0);
	size_t count = free_sectors(freemap, map);
	assert_int_equal(count, expect_one(&kit, map, 0));
	freemap_free(freemap);
	kit_ext4_free(&kit);
}

/* The declared size counts; ends in the middle; and nothing is asked at all. */
static void test_ends(void **state)
{
	struct kit_ext4 kit = make();
	struct freemap *freemap;
	uint8_t map[DISK / 512];

	(void)state;
	memset(disk, 0, DISK);
	put(&kit, 0, 0x83, 63);
	assert_int_equal(freemap_new(NULL, &freemap, NULL), 0);
	freemap_declare(freemap, 63 * 512 + kit.size - 512);
	assert_int_equal(free_sectors(freemap, map), 0);
	freemap_free(freemap);
	assert_int_equal(freemap_new(NULL, &freemap, NULL), 0);
	assert_false(freemap_is_free(freemap, 100000, 512));
	freemap_feed(freemap, disk, WINDOW, 0);
	freemap_free(freemap);
	freemap_free(NULL);
	struct error err;
	fail_alloc_after(0);
	assert_int_equal(freemap_new(NULL, &freemap, &err), -1);
	assert_true(fail_alloc_off());
	assert_int_equal(err.kind, ERROR_NOMEM);
	kit_ext4_free(&kit);
}

static void test_log(void **state)
{
	struct freemap *freemap;
	struct clock clock;
	struct log log;
	uint8_t map[DISK / 512];
	char text[4096] = "";
	int fd = memfd_create("test_freemap", MFD_CLOEXEC);

	(void)state;
	memset(disk, 0x66, DISK);
	disk[510] = 0x55;
	disk[511] = 0xAA;
	clock_system(&clock);
	log_init(&log, fd, LOG_LEVEL_DEBUG, &clock);
	assert_int_equal(freemap_new(&log, &freemap, NULL), 0);
	assert_int_equal(free_sectors(freemap, map), 0);
	freemap_free(freemap);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "all of the disk image is written: what stands where the MBR's table should is none"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_whole_disk),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
