/* SPDX-License-Identifier: Apache-2.0 */
/* A file system as it streams past: what is called free is free in truth, is all that can be known by then, and is
 * nothing where there is any doubt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "onhost/ext4.h"
#include "tests/unit/ext4_kit.h"
#include "tests/unit/fail_alloc.h"

#define ASKED 4096 /* the disk's blocks */
#define START ((uint64_t)63 * 512)
#define NEVER SIZE_MAX

static const struct kit_ext4 kinds[] = {
	{ .block_size = 1024, .blocks_per_group = 512, .blocks = 6 * 512 + 101, .flex = 4, .reserved = 3, .uninit = 0x6A },
	{ .block_size = 1024, .blocks_per_group = 512, .blocks = 9 * 512 + 1, .flex = 16, .reserved = 0, .narrow = true },
	{ .block_size = 1024, .blocks_per_group = 256, .blocks = 9 * 256, .flex = 0, .reserved = 9, .uninit = 0x2A8 },
	{ .block_size = 2048, .blocks_per_group = 1024, .blocks = 3 * 1024, .flex = 2, .copies_everywhere = true, .uninit = 4 },
	{ .block_size = 4096, .blocks_per_group = 512, .blocks = 5 * 512 + 77, .flex = 16, .reserved = 20, .uninit = 0x18 },
	{ .block_size = 4096, .blocks_per_group = 32768, .blocks = 1500, .flex = 16, .reserved = 1 },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct run {
	struct kit_ext4 *kit;
	uint64_t start;     /* in the disk */
	size_t window;
	size_t hole, hole_len; /* bytes of the file system that are not fed; hole NEVER: none */
	struct log *log;
	/* found */
	size_t free_blocks; /* of the disk */
	size_t wrong;
};

/* Whether a block of the disk touches a block in use, or bytes that are no block's. */
static bool in_use(const struct run *run, uint64_t offset)
{
	const struct kit_ext4 *kit = run->kit;

	if (offset < run->start || offset + ASKED > run->start + kit->size)
		return true;
	for (uint64_t at = offset - run->start; at < offset - run->start + ASKED; at += 512) {
		if (kit->truth[at / kit->block_size] != 0)
			return true;
	}
	return false;
}

static void ask_window(struct run *run, struct ext4 *fs, uint64_t offset, size_t len)
{
	for (size_t at = 0; at + ASKED <= len; at += ASKED) {
		if (!ext4_is_free(fs, offset + at, ASKED))
			continue;
		run->free_blocks++;
		run->wrong += in_use(run, offset + at) ? 1 : 0;
	}
}

/* The disk in windows, each asked about when it has been fed; of what stands before the file system nothing is. */
static void run_disk(struct run *run)
{
	size_t start = (size_t)run->start, size = start + run->kit->size;
	struct ext4 fs;

	run->free_blocks = run->wrong = 0;
	ext4_init(&fs, start, run->kit->size, run->log);
	for (size_t at = start - start % run->window; at < size; at += run->window) {
		size_t len = size - at < run->window ? size - at : run->window, skip = at < start ? start - at : 0;
		if (run->hole != NEVER && at < start + run->hole + run->hole_len && at + len > start + run->hole)
			continue;
		ext4_feed(&fs, run->kit->data + (at + skip - start), len - skip, at + skip);
		ask_window(run, &fs, at, len);
	}
	ext4_destroy(&fs);
}

static struct run run_of(struct kit_ext4 *kit)
{
	return (struct run){ .kit = kit, .start = START, .window = (size_t)256 * 1024, .hole = NEVER };
}

/* --- what is right ------------------------------------------------------------------------------------------------ */

/* Blocks of the disk that can be known to be free when their window has come. */
static size_t knowable(struct run *run)
{
	struct kit_ext4 *kit = run->kit;
	size_t count = 0;

	for (uint64_t offset = 0; offset + ASKED <= run->start + kit->size; offset += ASKED) {
		uint64_t window_end = offset - offset % run->window + run->window, needed = 0;
		if (in_use(run, offset))
			continue;
		for (uint64_t at = offset - run->start; at < offset - run->start + ASKED; at += 512) {
			uint32_t group = ((uint32_t)(at / kit->block_size) - kit->first) / kit->blocks_per_group;
			uint64_t seen = group < 64 && (kit->uninit >> group & 1) != 0
						? (uint64_t)(kit_ext4_descriptor(kit, kit->groups) - kit->data)
						: (uint64_t)(kit_ext4_bitmap(kit, group) - kit->data) + kit->block_size;
			needed = run->start + seen > needed ? run->start + seen : needed;
		}
		count += needed <= window_end ? 1 : 0;
	}
	return count;
}

static void test_all_that_can_be_known(void **state)
{
	static const uint64_t starts[] = { 0, 512, START, (uint64_t)2048 * 512 };
	static const size_t windows[] = { ASKED, 65536, 1024 * 1024, 64 * 1024 * 1024 };

	(void)state;
	for (size_t i = 0; i < N_KINDS * 16; i++) {
		struct kit_ext4 kit = kinds[i / 16];
		kit_ext4_make(&kit);
		struct run run = run_of(&kit);
		run.start = starts[i / 4 % 4];
		run.window = windows[i % 4];
		run_disk(&run);
		assert_int_equal(run.wrong, 0);
		assert_true(run.free_blocks > 20);
		assert_int_equal(run.free_blocks, knowable(&run));
		kit_ext4_free(&kit);
	}
}

/* Parts of blocks, and what lies outside. */
static void test_edges(void **state)
{
	struct kit_ext4 kit = kinds[0];
	struct ext4 fs;

	(void)state;
	kit_ext4_make(&kit);
	ext4_init(&fs, START, kit.size + 100000, NULL);
	assert_false(ext4_is_free(&fs, START + 40960, 1));
	ext4_feed(&fs, kit.data, kit.size, START);
	for (uint32_t block = 0; block < kit.blocks; block++) {
		uint64_t at = START + (uint64_t)block * kit.block_size;
		bool is_free = kit.truth[block] == 0;
		assert_int_equal(ext4_is_free(&fs, at, 1024), is_free);
		assert_int_equal(ext4_is_free(&fs, at, 1), is_free);
		assert_int_equal(ext4_is_free(&fs, at + 1023, 1), is_free);
		assert_false(ext4_is_free(&fs, at, 0));
		bool both = is_free && block + 1 < kit.blocks && kit.truth[block + 1] == 0;
		assert_int_equal(ext4_is_free(&fs, at + 1023, 2), both);
	}
	assert_false(ext4_is_free(&fs, START - 1, 1));
	assert_false(ext4_is_free(&fs, START + kit.size, 1));
	assert_false(ext4_is_free(&fs, START + kit.size - 1, 2));
	assert_false(ext4_is_free(&fs, START + kit.size - 1, SIZE_MAX));
	assert_false(ext4_is_free(&fs, UINT64_MAX, 1));
	assert_false(ext4_is_free(&fs, 0, SIZE_MAX));
	ext4_destroy(&fs);
	kit_ext4_free(&kit);
}

/* --- doubts ------------------------------------------------------------------------------------------------------- */

/* No single byte of what is read can make it call a block free that is in use. */
static void test_any_byte(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xFF };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(changes); i++) {
		struct kit_ext4 kit = kinds[i % 2];
		kit.blocks_per_group = 256;
		kit.blocks = 5 * 256 + 90;
		kit_ext4_make(&kit);
		struct run run = run_of(&kit);
		for (uint32_t block = 1; block < kit.blocks; block++) {
			/* superblock, descriptors, bitmaps: what is not data */
			if (kit.truth[block] == 0 || kit.data[(size_t)block * 1024] == 0x11)
				continue;
			for (size_t at = (size_t)block * 1024; at < (size_t)(block + 1) * 1024; at += block > 2 ? 13 : 1) {
				kit.data[at] ^= changes[i / 2];
				run_disk(&run);
				kit.data[at] ^= changes[i / 2];
				assert_int_equal(run.wrong, 0);
			}
		}
		kit_ext4_free(&kit);
	}
}

static size_t free_of(struct kit_ext4 *kit)
{
	struct run run = run_of(kit);

	run_disk(&run);
	assert_int_equal(run.wrong, 0);
	return run.free_blocks;
}

/* One group's bitmap is wrong: its own blocks are in use, the others' are what they were. */
static void test_one_bitmap(void **state)
{
	struct kit_ext4 kit = kinds[0];

	(void)state;
	kit_ext4_make(&kit);
	size_t all = free_of(&kit);
	for (uint32_t group = 0; group < kit.groups; group++) {
		if ((kit.uninit >> group & 1) != 0)
			continue;
		kit_ext4_bitmap(&kit, group)[5] ^= 0xFF;
		size_t some = free_of(&kit);
		assert_true(some > all / 2 && some < all);
		kit_ext4_bitmap(&kit, group)[5] ^= 0xFF;
	}
	assert_int_equal(free_of(&kit), all);
	kit_ext4_free(&kit);
}

/* With the right checksum and count it calls a table free, or other bitmaps, or a copy of the superblock. */
static void test_bitmap_against_the_layout(void **state)
{
	(void)state;
	struct kit_ext4 kit = kinds[0];
	kit_ext4_make(&kit);
	size_t all = free_of(&kit);
	uint8_t *descriptor = kit_ext4_descriptor(&kit, 0);
	for (uint32_t block = 1; block < 1 + kit.base + 4; block++) {
		uint8_t *bit = kit_ext4_bitmap(&kit, 0) + (block - 1) / 8, mask = (uint8_t)(1U << ((block - 1) % 8));
		uint32_t count = descriptor[0xC] | (uint32_t)descriptor[0xD] << 8;
		uint32_t sum = kit_ext4_superblock(&kit)[0xC] | (uint32_t)kit_ext4_superblock(&kit)[0xD] << 8;
		*bit ^= mask;
		kit_ext4_set16(descriptor + 0xC, count + 1);
		kit_ext4_set16(kit_ext4_superblock(&kit) + 0xC, sum + 1);
		kit_ext4_sign(&kit);
		size_t some = free_of(&kit);
		assert_true(some > 0 && some < all);
		*bit ^= mask;
		kit_ext4_set16(descriptor + 0xC, count);
		kit_ext4_set16(kit_ext4_superblock(&kit) + 0xC, sum);
		kit_ext4_sign(&kit);
	}
	assert_int_equal(free_of(&kit), all);
	kit_ext4_free(&kit);
}

/* A group without a bitmap whose descriptor counts other blocks than the layout leaves, and one that is none. */
static void test_uninit_count(void **state)
{
	struct kit_ext4 kit = kinds[0];

	(void)state;
	kit_ext4_make(&kit);
	size_t all = free_of(&kit);
	/* one block from group 3's count to group 5's: the sum stays */
	kit_ext4_descriptor(&kit, 3)[0xC]--;
	kit_ext4_descriptor(&kit, 5)[0xC]++;
	kit_ext4_sign(&kit);
	size_t some = free_of(&kit);
	assert_true(some > 0 && some + 200 < all);
	kit_ext4_descriptor(&kit, 3)[0xC]++;
	kit_ext4_sign(&kit);
	/* the sum is wrong */
	assert_int_equal(free_of(&kit), 0);
	kit_ext4_free(&kit);
}

static void test_order_of_bitmaps(void **state)
{
	(void)state;
	for (int shared = 0; shared < 2; shared++) {
		struct kit_ext4 kit = kinds[4];
		kit.uninit = 0;
		kit_ext4_make(&kit);
		uint8_t *one = kit_ext4_descriptor(&kit, 1), *two = kit_ext4_descriptor(&kit, 2), old[4];
		assert_true(free_of(&kit) > 0);
		memcpy(old, one, 4);
		memcpy(one, two, 4);
		if (shared == 0)
			memcpy(two, old, 4);
		kit_ext4_sign(&kit);
		assert_int_equal(free_of(&kit), 0);
		kit_ext4_free(&kit);
	}
}

/* A bitmap that stands behind its group is of no use, nor one in a hole. */
static void test_holes(void **state)
{
	struct kit_ext4 kit = kinds[0];

	(void)state;
	kit_ext4_make(&kit);
	struct run run = run_of(&kit);
	run.window = ASKED;
	run_disk(&run);
	size_t all = run.free_blocks;
	const size_t holes[] = { 1024, 2048, (size_t)(kit_ext4_bitmap(&kit, 0) - kit.data),
				 (size_t)(kit_ext4_bitmap(&kit, 4) - kit.data) };
	for (size_t i = 0; i < 4; i++) {
		run.hole = holes[i];
		run.hole_len = 100;
		run_disk(&run);
		assert_int_equal(run.wrong, 0);
		assert_true(i < 2 ? run.free_blocks == 0 : run.free_blocks > 0 && run.free_blocks < all);
	}
	kit_ext4_free(&kit);
}

static void test_bitmap_behind_its_group(void **state)
{
	struct kit_ext4 kit = kinds[0];

	(void)state;
	kit.uninit = 0;
	kit_ext4_make(&kit);
	/* group 3's bitmap moves to a free block of group 4, before that group's own */
	uint8_t *descriptor = kit_ext4_descriptor(&kit, 3);
	uint32_t own = (uint32_t)((size_t)(kit_ext4_bitmap(&kit, 4) - kit.data) / kit.block_size);
	uint32_t to = 4 * 512 + 1;
	assert_true(to <= own);
	memmove(kit.data + (size_t)(to + 40) * 1024, kit_ext4_bitmap(&kit, 3), 1024);
	kit_ext4_set32(descriptor, to + 40);
	kit.truth[to + 40] = 1;
	for (uint32_t group = 4; group < kit.groups; group++) {
		/* the others follow, to stay in order */
		memmove(kit.data + (size_t)(to + 41 + group) * 1024, kit_ext4_bitmap(&kit, group), 1024);
		kit_ext4_set32(kit_ext4_descriptor(&kit, group), to + 41 + group);
		kit.truth[to + 41 + group] = 1;
	}
	kit_ext4_count(&kit);
	kit_ext4_sign(&kit);
	struct run run = run_of(&kit);
	run.window = ASKED;
	run_disk(&run);
	assert_int_equal(run.wrong, 0);
	assert_int_equal(run.free_blocks, knowable(&run));
	kit_ext4_free(&kit);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* More bitmaps before their groups than there is room for: the groups that got no room are written. */
static void test_too_many_bitmaps(void **state)
{
	struct kit_ext4 kit = { .block_size = 1024, .blocks_per_group = 512, .flex = 256 };

	(void)state;
	for (uint32_t groups = EXT4_MAPS_MAX; groups <= EXT4_MAPS_MAX + 20; groups += 20) {
		kit.blocks = 1 + groups * 512;
		kit_ext4_make(&kit);
		/* bitmaps and tables take a few groups, whose blocks are all in use */
		struct run run = run_of(&kit);
		run_disk(&run);
		assert_int_equal(run.wrong, 0);
		assert_true(run.free_blocks > 100 && run.free_blocks <= knowable(&run));
		assert_int_equal(run.free_blocks == knowable(&run), groups == EXT4_MAPS_MAX);
		kit_ext4_free(&kit);
	}
}

/* Room is given back by the groups that have passed. */
static void test_many_groups(void **state)
{
	struct kit_ext4 kit = { .block_size = 1024, .blocks_per_group = 256, .blocks = 1 + 600 * 256, .flex = 8 };

	(void)state;
	kit_ext4_make(&kit);
	struct run run = run_of(&kit);
	run_disk(&run);
	assert_int_equal(run.wrong, 0);
	assert_int_equal(run.free_blocks, knowable(&run));
	kit_ext4_free(&kit);
}

static void test_no_memory(void **state)
{
	struct kit_ext4 kit = kinds[0];
	bool failed = true;
	struct ext4 fs;

	(void)state;
	kit_ext4_make(&kit);
	uint32_t block = kit.blocks - 1;
	while (kit.truth[block] != 0)
		block--;
	for (long n = 0; failed; n++) {
		ext4_init(&fs, 0, kit.size, NULL);
		fail_alloc_after(n);
		ext4_feed(&fs, kit.data, kit.size, 0);
		failed = fail_alloc_off();
		assert_int_equal(ext4_is_free(&fs, (uint64_t)block * 1024, 1024), !failed);
		ext4_destroy(&fs);
		assert_true(n < 10);
	}
	kit_ext4_free(&kit);
}

static void read_log(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
}

static void test_log(void **state)
{
	struct kit_ext4 kit = kinds[0];
	struct clock clock;
	struct log log;
	char text[4096];
	int fd = memfd_create("test_ext4", MFD_CLOEXEC);

	(void)state;
	kit_ext4_make(&kit);
	struct run run = run_of(&kit);
	clock_system(&clock);
	log_init(&log, fd, LOG_LEVEL_DEBUG, &clock);
	run.log = &log;
	kit_ext4_bitmap(&kit, 2)[0] ^= 1;
	run_disk(&run);
	read_log(fd, text, sizeof(text));
	assert_non_null(strstr(text, "ext4 at sector 63: of its 3 MiB, "));
	assert_non_null(strstr(text, "1 of its 7 groups are written whole; group 2 because its bitmap's checksum is wrong"));
	kit_ext4_superblock(&kit)[0x3A] = 3;
	kit_ext4_sign_superblock(&kit);
	run_disk(&run);
	read_log(fd, text, sizeof(text));
	assert_non_null(strstr(text, "the partition at sector 63 is written whole: its state is not clean"));
	close(fd);
	kit_ext4_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_can_be_known),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_one_bitmap),
		cmocka_unit_test(test_bitmap_against_the_layout),
		cmocka_unit_test(test_uninit_count),
		cmocka_unit_test(test_order_of_bitmaps),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_bitmap_behind_its_group),
		cmocka_unit_test(test_too_many_bitmaps),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
