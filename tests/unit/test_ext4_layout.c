/* SPDX-License-Identifier: Apache-2.0 */
/* What is understood of superblocks, descriptors and bitmaps, and every doubt: each with the right checksums around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "onhost/ext4_layout.h"
#include "tests/unit/ext4_kit.h"

static struct kit_ext4 small(void)
{
	return (struct kit_ext4){ .block_size = 1024, .blocks_per_group = 512, .blocks = 6 * 512 + 101, .flex = 4, .reserved = 3 };
}

static const char *read_layout(struct kit_ext4 *kit, struct ext4_layout *layout)
{
	return ext4_layout_read(kit_ext4_superblock(kit), kit->size, layout);
}

static void test_understood(void **state)
{
	struct kit_ext4 kit = small();
	struct ext4_layout layout;

	(void)state;
	kit_ext4_make(&kit);
	assert_null(read_layout(&kit, &layout));
	assert_int_equal(layout.block_size, 1024);
	assert_int_equal(layout.first_block, 1);
	assert_int_equal(layout.blocks, 6 * 512 + 101);
	assert_int_equal(layout.groups, 7);
	assert_int_equal(layout.descriptor_size, 64);
	assert_int_equal(layout.table_blocks, 16);
	assert_int_equal(layout.base_blocks, 1 + 1 + 3);
	assert_true(layout.flexible && layout.sparse && !layout.sparse2);
	assert_int_equal(ext4_descriptors_offset(&layout), 2048);
	assert_int_equal(ext4_group_first(&layout, 6), 1 + 6 * 512);
	assert_int_equal(ext4_group_blocks(&layout, 5), 512);
	assert_int_equal(ext4_group_blocks(&layout, 6), 100);
	kit_ext4_free(&kit);
}

static void test_seed(void **state)
{
	struct kit_ext4 kit = small();
	struct ext4_layout plain, seeded;

	(void)state;
	kit_ext4_make(&kit);
	assert_null(read_layout(&kit, &plain));
	/* the seed goes before the UUID, which may have been changed since */
	uint8_t *sb = kit_ext4_superblock(&kit);
	kit_ext4_set32(sb + 0x270, plain.checksum_seed);
	memset(sb + 0x68, 0x77, 16);
	kit_ext4_sign_superblock(&kit);
	assert_null(read_layout(&kit, &seeded));
	assert_int_not_equal(seeded.checksum_seed, plain.checksum_seed);
	sb[0x61] |= 0x20;
	kit_ext4_sign_superblock(&kit);
	assert_null(read_layout(&kit, &seeded));
	assert_int_equal(seeded.checksum_seed, plain.checksum_seed);
	kit_ext4_free(&kit);
}

static const struct {
	size_t at;
	unsigned width; /* bits */
	uint32_t value;
	const char *doubt;
} superblocks[] = {
	{ 0x38, 16, 0xEF54, "no ext4 superblock" },
	{ 0x4C, 32, 0, "revision" },
	{ 0x4C, 32, 2, "revision" },
	{ 0x64, 32, 0x3, "no checksums" },
	{ 0x64, 32, 0x13, "no checksums" },
	{ 0x175, 8, 0, "no checksums" },
	{ 0x175, 8, 2, "no checksums" },
	{ 0x60, 32, 0x2C6, "needs recovery" },
	{ 0x3A, 16, 0, "not clean" },
	{ 0x3A, 16, 3, "not clean" },
	{ 0x3A, 16, 5, "not clean" },
	{ 0x194, 32, 1, "not clean" },
	{ 0xE8, 32, 12, "not clean" },
	{ 0x5A, 16, 1, "a copy" },
	{ 0x18, 32, 3, "larger than 4 KiB" },
	{ 0x18, 32, UINT32_MAX, "larger than 4 KiB" },
	{ 0x1C, 32, 4, "larger than 4 KiB" },
	{ 0x14, 32, 0, "unusual form" },
	{ 0x14, 32, 2, "unusual form" },
	{ 0x20, 32, 0, "unusual form" },
	{ 0x20, 32, 513, "unusual form" },
	{ 0x20, 32, 8200, "unusual form" },
	{ 0x24, 32, 1024, "unusual form" },
	{ 0x04, 32, 0, "no blocks" },
	{ 0x04, 32, 1, "no blocks" },
	{ 0x04, 32, 6 * 512 + 102, "larger than its partition" },
	{ 0x150, 32, 1, "larger than its partition" },
	{ 0x150, 32, UINT32_MAX, "larger than its partition" },
	{ 0xFE, 16, 32, "unusual size" },
	{ 0xFE, 16, 128, "unusual size" },
	{ 0xFE, 16, 0, "unusual size" },
	{ 0x00, 32, 64 * 7 - 1, "inode tables" },
	{ 0x28, 32, 0, "inode tables" },
	{ 0x28, 32, 8193, "inode tables" },
	{ 0x58, 16, 64, "inode tables" },
	{ 0x58, 16, 200, "inode tables" },
	{ 0x58, 16, 2048, "inode tables" },
	{ 0xCE, 16, 257, "reserved descriptors" },
	{ 0xCE, 16, 511, "reserved descriptors" },
};

static void test_superblock_doubts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(superblocks) / sizeof(superblocks[0]); i++) {
		struct kit_ext4 kit = small();
		struct ext4_layout layout = { .blocks = 77 };
		kit_ext4_make(&kit);
		uint8_t *at = kit_ext4_superblock(&kit) + superblocks[i].at;
		if (superblocks[i].width == 8)
			*at = (uint8_t)superblocks[i].value;
		else if (superblocks[i].width == 16)
			kit_ext4_set16(at, superblocks[i].value);
		else
			kit_ext4_set32(at, superblocks[i].value);
		kit_ext4_sign_superblock(&kit);
		const char *doubt = read_layout(&kit, &layout);
		if (doubt == NULL || strstr(doubt, superblocks[i].doubt) == NULL)
			fail_msg("row %zu: %s", i, doubt != NULL ? doubt : "no doubt");
		assert_int_equal(layout.blocks, 77);
		kit_ext4_free(&kit);
	}
}

/* Each single feature that is not on the list, in each of the three words. */
static void test_features(void **state)
{
	static const struct {
		size_t at;
		uint32_t known;
	} words[] = { { 0x5C, 0x1E3F }, { 0x60, 0x3E6C2 }, { 0x64, 0xA56B } };

	(void)state;
	for (size_t i = 0; i < 32 * 3; i++) {
		struct kit_ext4 kit = small();
		struct ext4_layout layout;
		uint32_t bit = UINT32_C(1) << (i % 32);
		kit_ext4_make(&kit);
		uint8_t *at = kit_ext4_superblock(&kit) + words[i / 32].at;
		at[i % 32 / 8] |= (uint8_t)(1U << (i % 8));
		kit_ext4_sign_superblock(&kit);
		const char *doubt = read_layout(&kit, &layout);
		if ((doubt == NULL) != ((words[i / 32].known & bit) != 0))
			fail_msg("feature %#x at %#zx: %s", bit, words[i / 32].at, doubt != NULL ? doubt : "no doubt");
		kit_ext4_free(&kit);
	}
}

/* A flipped byte anywhere in the superblock, and no new checksum. */
static void test_superblock_checksum(void **state)
{
	struct kit_ext4 kit = small();
	struct ext4_layout layout;

	(void)state;
	kit_ext4_make(&kit);
	for (size_t i = 0; i < EXT4_SUPERBLOCK_SIZE; i++) {
		for (unsigned change = 1; change < 256; change += 50) {
			kit_ext4_superblock(&kit)[i] ^= (uint8_t)change;
			assert_non_null(read_layout(&kit, &layout));
			kit_ext4_superblock(&kit)[i] ^= (uint8_t)change;
		}
	}
	assert_null(read_layout(&kit, &layout));
	kit_ext4_free(&kit);
}

static void test_too_many_groups(void **state)
{
	struct kit_ext4 kit = small();
	struct ext4_layout layout;

	(void)state;
	kit_ext4_make(&kit);
	for (uint32_t more = 0; more < 2; more++) {
		kit_ext4_set32(kit_ext4_superblock(&kit) + 4, 1 + 512 * (EXT4_GROUPS_MAX + more));
		kit_ext4_set32(kit_ext4_superblock(&kit), 64 * (EXT4_GROUPS_MAX + more));
		kit_ext4_sign_superblock(&kit);
		const char *doubt = ext4_layout_read(kit_ext4_superblock(&kit), UINT64_MAX, &layout);
		if (more == 1)
			assert_non_null(strstr(doubt, "more groups"));
		else
			assert_null(doubt);
	}
	/* the descriptors alone take more than a group */
	kit_ext4_set32(kit_ext4_superblock(&kit) + 4, 1 + 256 * 4096);
	kit_ext4_set32(kit_ext4_superblock(&kit) + 0x20, 256);
	kit_ext4_set32(kit_ext4_superblock(&kit) + 0x24, 256);
	kit_ext4_set32(kit_ext4_superblock(&kit), 64 * 4096);
	kit_ext4_sign_superblock(&kit);
	assert_non_null(strstr(ext4_layout_read(kit_ext4_superblock(&kit), UINT64_MAX, &layout), "larger than a group"));
	kit_ext4_free(&kit);
}

static void test_bases(void **state)
{
	static const uint32_t sparse[] = { 0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343, 625, 729, 2187, 2401, 3125 };
	struct ext4_layout layout = { .sparse = true };
	size_t next = 0;

	(void)state;
	for (uint32_t group = 0; group < EXT4_GROUPS_MAX; group++) {
		bool expected = next < sizeof(sparse) / sizeof(sparse[0]) && sparse[next] == group;
		assert_int_equal(ext4_group_has_base(&layout, group), expected);
		next += expected ? 1 : 0;
	}
	layout = (struct ext4_layout){ .sparse = false };
	assert_true(ext4_group_has_base(&layout, 2) && ext4_group_has_base(&layout, 4000));
	layout = (struct ext4_layout){ .sparse = true, .sparse2 = true, .copies = { 2, 40 } };
	for (uint32_t group = 0; group < 100; group++)
		assert_int_equal(ext4_group_has_base(&layout, group), group == 0 || group == 2 || group == 40);
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

static const struct {
	bool flex;
	uint32_t group;
	size_t at;
	uint32_t value; /* 16 bits where counts and flags stand, else 32 */
	const char *doubt;
} descriptors[] = {
	{ true, 2, 0x00, 0, "where it cannot" },
	{ true, 2, 0x00, 5, "where it cannot" }, /* among the descriptors */
	{ true, 2, 0x00, 6, NULL },
	{ true, 2, 0x00, 6 * 512 + 100, NULL },
	{ true, 2, 0x00, 6 * 512 + 101, "where it cannot" },
	{ true, 2, 0x00, UINT32_MAX, "where it cannot" },
	{ true, 2, 0x20, 1, "where it cannot" },
	{ true, 2, 0x24, 1, "where it cannot" },
	{ true, 2, 0x28, UINT32_MAX, "where it cannot" },
	{ true, 2, 0x04, 6 * 512 + 101, "where it cannot" },
	{ true, 2, 0x08, 6 * 512 + 101 - 16, NULL },
	{ true, 2, 0x08, 6 * 512 + 101 - 15, "where it cannot" },
	{ true, 2, 0x08, UINT32_MAX - 2, "where it cannot" },
	{ true, 2, 0x12, 0x8000, "flags" },
	{ true, 2, 0x12, 0x8, "flags" },
	{ true, 2, 0x0C, 513, "more free blocks" },
	{ true, 6, 0x0C, 101, "more free blocks" },
	{ true, 2, 0x2C, 1, "more free blocks" },
	{ false, 2, 0x00, 1 + 2 * 512, NULL },
	{ false, 2, 0x00, 2 * 512, "where it cannot" },
	{ false, 2, 0x00, 3 * 512, NULL },
	{ false, 2, 0x00, 1 + 3 * 512, "where it cannot" },
	{ false, 2, 0x08, 1 + 3 * 512 - 15, "where it cannot" },
	{ false, 2, 0x04, 1 + 1 * 512, "where it cannot" },
};

static void test_descriptor_doubts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++) {
		struct kit_ext4 kit = small();
		struct ext4_layout layout;
		struct ext4_group facts = { .block_bitmap = 77 };
		kit.flex = descriptors[i].flex ? 4 : 0;
		kit_ext4_make(&kit);
		assert_null(read_layout(&kit, &layout));
		uint8_t *descriptor = kit_ext4_descriptor(&kit, descriptors[i].group);
		if (descriptors[i].at == 0x0C || descriptors[i].at == 0x2C || descriptors[i].at == 0x12)
			kit_ext4_set16(descriptor + descriptors[i].at, descriptors[i].value);
		else
			kit_ext4_set32(descriptor + descriptors[i].at, descriptors[i].value);
		kit_ext4_sign_descriptor(&kit, descriptors[i].group);
		const char *doubt = ext4_group_read(&layout, descriptors[i].group, descriptor, &facts);
		if (descriptors[i].doubt == NULL)
			assert_null(doubt);
		else if (doubt == NULL || strstr(doubt, descriptors[i].doubt) == NULL)
			fail_msg("row %zu: %s", i, doubt != NULL ? doubt : "no doubt");
		kit_ext4_free(&kit);
	}
}

/* A flipped byte, another group's number. */
static void test_descriptor_checksum(void **state)
{
	(void)state;
	for (int narrow = 0; narrow < 2; narrow++) {
		struct kit_ext4 kit = small();
		struct ext4_layout layout;
		struct ext4_group facts;
		kit.narrow = narrow == 1;
		kit_ext4_make(&kit);
		assert_null(read_layout(&kit, &layout));
		uint8_t *descriptor = kit_ext4_descriptor(&kit, 3);
		assert_null(ext4_group_read(&layout, 3, descriptor, &facts));
		assert_non_null(strstr(ext4_group_read(&layout, 2, descriptor, &facts), "checksum"));
		for (size_t i = 0; i < layout.descriptor_size; i++) {
			descriptor[i] ^= 0x41;
			assert_non_null(strstr(ext4_group_read(&layout, 3, descriptor, &facts), "checksum"));
			descriptor[i] ^= 0x41;
		}
		kit_ext4_free(&kit);
	}
}

/* --- maps --------------------------------------------------------------------------------------------------------- */

static void read_groups(struct kit_ext4 *kit, struct ext4_layout *layout, struct ext4_group *groups)
{
	assert_null(read_layout(kit, layout));
	for (uint32_t group = 0; group < layout->groups; group++)
		assert_null(ext4_group_read(layout, group, kit_ext4_descriptor(kit, group), &groups[group]));
}

/* What the layout alone puts into groups without a bitmap, is all that is in use there. */
static void test_layout_mark(void **state)
{
	static const uint32_t flexes[] = { 0, 1, 4, 16 };

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct kit_ext4 kit = small();
		struct ext4_layout layout;
		struct ext4_group groups[7];
		kit.flex = flexes[i / 2];
		kit.copies_everywhere = i % 2 == 1;
		kit.uninit = 0x7F;
		kit_ext4_make(&kit);
		read_groups(&kit, &layout, groups);
		for (uint32_t group = 0; group < 7; group++) {
			uint8_t map[1024] = { 0 };
			ext4_layout_mark(&layout, groups, group, map);
			for (uint32_t bit = 0; bit < ext4_group_blocks(&layout, group); bit++)
				assert_int_equal(map[bit / 8] >> (bit % 8) & 1,
						 kit.truth[ext4_group_first(&layout, group) + bit]);
			assert_int_equal(ext4_map_free(&layout, group, map), groups[group].free_blocks);
		}
		kit_ext4_free(&kit);
	}
}

static void test_bitmap_check(void **state)
{
	(void)state;
	for (int narrow = 0; narrow < 2; narrow++) {
		struct kit_ext4 kit = small();
		struct ext4_layout layout;
		struct ext4_group groups[7];
		kit.narrow = narrow == 1;
		kit_ext4_make(&kit);
		read_groups(&kit, &layout, groups);
		for (uint32_t group = 0; group < 7; group++) {
			uint8_t *map = kit_ext4_bitmap(&kit, group);
			assert_null(ext4_bitmap_check(&layout, group, &groups[group], map));
			for (size_t i = 0; i < layout.blocks_per_group / 8; i++) {
				map[i] ^= 0x10;
				assert_non_null(strstr(ext4_bitmap_check(&layout, group, &groups[group], map), "checksum"));
				map[i] ^= 0x10;
			}
			groups[group].free_blocks--;
			assert_non_null(strstr(ext4_bitmap_check(&layout, group, &groups[group], map), "count"));
			groups[group].free_blocks++;
			/* both halves of it */
			groups[group].checksum ^= narrow == 1 ? 0x8000 : 0x80000000;
			assert_non_null(strstr(ext4_bitmap_check(&layout, group, &groups[group], map), "checksum"));
		}
		kit_ext4_free(&kit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_understood),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_superblock_doubts),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_superblock_checksum),
		cmocka_unit_test(test_too_many_groups),
		cmocka_unit_test(test_bases),
		cmocka_unit_test(test_descriptor_doubts),
		cmocka_unit_test(test_descriptor_checksum),
		cmocka_unit_test(test_layout_mark),
		cmocka_unit_test(test_bitmap_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
