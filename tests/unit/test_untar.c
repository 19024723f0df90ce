/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives of every dialect that are right, and of every kind that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "onhost/untar.h"
#include "tests/unit/image_kit.h"

#define LEN ((size_t)2 * 1024 * 1024 + 1536)
#define SMALL ((size_t)4096)

static uint8_t disk[LEN];

static int run(struct image *image, struct extents *extents, struct error *err)
{
	struct ahead *ahead;

	assert_int_equal(ahead_open(image, extents, &ahead, err), 0);
	int result = untar_run(image, ahead, extents, err);
	ahead_close(ahead);
	return result;
}

/* The tar in buf through the whole stage; what came out stands in out. */
static int untar(const struct buf *tar, size_t step, bool holes, struct kit_disk_image *out, struct error *err)
{
	struct kit_stream stream = {
		.data = (const uint8_t *)buf_text(tar), .len = tar->len, .step = step, .fail_at = SIZE_MAX
	};
	struct stream_in in = kit_stream_in(&stream);
	struct image *image CLEANUP_IMAGE = NULL;
	struct extents extents;

	kit_collect_init(out, LEN);
	const struct extents_options options = { .limit = LEN,
						 .where = "the disk",
						 .holes = holes,
						 .slots = &out->slots,
						 .emit = kit_collect,
						 .emit_self = out };
	*err = (struct error){ 0 };
	assert_int_equal(extents_init(&extents, &options, err), 0);
	int result = image_open(&in, &image, err);
	if (result == 0)
		result = run(image, &extents, err);
	if (result == 0)
		result = extents_end(&extents, err);
	extents_destroy(&extents);
	return result;
}

static void expect_disk(const struct buf *tar, size_t step, const uint8_t *want, size_t len)
{
	struct kit_disk_image out;
	struct error err;

	assert_int_equal(untar(tar, step, true, &out, &err), 0);
	assert_memory_equal(out.data, want, len);
	for (size_t i = len; i < LEN; i++)
		assert_int_equal(out.data[i], KIT_UNTOUCHED);
	kit_collect_free(&out);
}

static void expect_refused(const struct buf *tar, const char *text)
{
	struct kit_disk_image out;
	struct error err;

	if (untar(tar, 0, true, &out, &err) == 0)
		fail_msg("accepted; '%s' was due", text);
	assert_int_equal(err.kind, ERROR_IMAGE);
	if (strstr(err.message, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, err.message);
	kit_collect_free(&out);
}

static void test_dialects(void **state)
{
	static const enum kit_dialect dialects[] = { KIT_V7, KIT_USTAR, KIT_GNU };
	static const char *const names[] = { "root.img", "./root.img" };
	static const size_t lens[] = { 512, SMALL, 1024 * 1024, 1024 * 1024 + 512, LEN };
	static const size_t steps[] = { 0, 511, 4097 };

	(void)state;
	for (size_t i = 0; i < 3 * 2 * 5 * 3; i++) {
		struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
		size_t len = lens[i / 6 % 5];
		const struct kit_member member = { dialects[i % 3], names[i / 3 % 2], NULL, '0', len };
		kit_tar_member(&tar, &member, disk, len);
		kit_tar_end(&tar);
		expect_disk(&tar, steps[i / 30], disk, len);
	}
}

static void test_padding(void **state)
{
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
	static const uint8_t zeros[10240];

	(void)state;
	kit_tar(&tar, disk, SMALL);
	for (size_t i = 0; i < 300; i++)
		buf_append(&tar, zeros, sizeof(zeros));
	expect_disk(&tar, 0, disk, SMALL);
	buf_append(&tar, "\0", 1);
	expect_disk(&tar, 0, disk, SMALL);
	buf_append(&tar, "x", 1);
	expect_refused(&tar, "follow the end");
}

static void test_garbage_behind(void **state)
{
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_tar(&tar, disk, SMALL);
	buf_str(&tar, "x");
	expect_refused(&tar, "follow the end");
}

static void test_pax(void **state)
{
	static const char *const global[] = { "comment=made by hand", NULL };
	static const char *const local[] = { "mtime=1700000000.5", "uname=J\xc3\xb6rg", "path=./root.img", "size=4096",
					     NULL };
	const struct kit_member member = { KIT_USTAR, "other", NULL, '0', 0 };
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_pax(&tar, 'g', global);
	kit_pax(&tar, 'x', local);
	kit_tar_member(&tar, &member, disk, SMALL);
	kit_tar_end(&tar);
	expect_disk(&tar, 0, disk, SMALL);
}

static void test_gnu_long_name(void **state)
{
	const struct kit_member longlink = { KIT_GNU, "././@LongLink", NULL, 'L', 11 };
	const struct kit_member member = { KIT_GNU, "other", NULL, '0', SMALL };
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_tar_member(&tar, &longlink, "./root.img", 11);
	kit_tar_member(&tar, &member, disk, SMALL);
	kit_tar_end(&tar);
	expect_disk(&tar, 0, disk, SMALL);
}

static void test_other_members(void **state)
{
	static const struct {
		const char *first, *second, *text;
	} rows[] = {
		{ "README", NULL, "holds 'README' where only root.img may be" },
		{ "README", "root.img", "holds 'README'" },
		{ "root.img", "README", "also 'README' behind root.img" },
		{ "root.img", "root.img", "a second 'root.img'" },
		{ "root.img", "./root.img", "a second './root.img'" },
		{ "stemcell.MF", "image", "the whole stemcell" },
		{ "root.img2", NULL, "holds 'root.img2'" },
		{ "../root.img", NULL, "holds '../root.img'" },
		{ "/root.img", NULL, "holds '/root.img'" },
		{ "a\nb\x1b[31m", NULL, "holds 'a?b?[31m'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct kit_member member = { KIT_USTAR, rows[i].first, NULL, '0', SMALL };
		kit_tar_member(&tar, &member, disk, SMALL);
		member.name = rows[i].second;
		if (member.name != NULL)
			kit_tar_member(&tar, &member, disk, SMALL);
		kit_tar_end(&tar);
		expect_refused(&tar, rows[i].text);
	}
}

static void test_types(void **state)
{
	static const struct {
		char type;
		const char *link, *text;
	} rows[] = {
		{ '1', "other", "a hard link" }, { '2', "/etc/shadow", "a symbolic link" },
		{ '3', NULL, "a device" },       { '4', NULL, "a device" },
		{ '5', NULL, "a directory" },    { '6', NULL, "a pipe" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
		const struct kit_member member = { KIT_USTAR, "root.img", rows[i].link, rows[i].type, 0 };
		kit_tar_member(&tar, &member, "", 0);
		kit_tar_end(&tar);
		expect_refused(&tar, rows[i].text);
	}
	/* how tar itself writes a folder */
	struct buf folder CLEANUP_BUF = BUF_INIT(KIT_MAX);
	const struct kit_member slash = { KIT_USTAR, "root.img/", NULL, '5', 0 };
	kit_tar_member(&folder, &slash, "", 0);
	kit_tar_end(&folder);
	expect_refused(&folder, "root.img in the image's archive is a directory");
	/* a hard link with bytes of its own, as pax allows */
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
	const struct kit_member member = { KIT_USTAR, "root.img", "other", '1', SMALL };
	kit_tar_member(&tar, &member, disk, SMALL);
	kit_tar_end(&tar);
	expect_refused(&tar, "hard link");
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t declared;
		size_t len;
		const char *text;
	} rows[] = {
		{ 0, 0, "empty (0 bytes)" },
		{ 513, 513, "not a multiple of 512" },
		{ LEN + 512, SMALL, "the disk holds only" },
		{ SMALL + 512, SMALL, "" }, /* the end of the archive is taken for data, and then there is none */
		{ SMALL, SMALL + 512, "behind root.img" },
		{ SMALL, SMALL - 512, "cut short" },
		{ LEN, SMALL, "in the middle of root.img" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
		const struct kit_member member = { KIT_USTAR, "root.img", NULL, '0', rows[i].declared };
		kit_tar_member(&tar, &member, disk, rows[i].len);
		kit_tar_end(&tar);
		expect_refused(&tar, rows[i].text);
	}
}

static void test_cut_anywhere(void **state)
{
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_tar(&tar, disk, SMALL);
	/* the last two blocks are the archive's end: both are needed */
	for (size_t len = tar.len - 1; len >= 512; len -= len > 512 && len < SMALL ? 61 : 1) {
		tar.len = len;
		expect_refused(&tar, "cut short");
	}
}

/* The sum over the header finds every changed byte of it. */
static void test_flip_header(void **state)
{
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_tar(&tar, disk, SMALL);
	for (size_t i = 0; i < 512; i++) {
		struct kit_disk_image out;
		struct error err;
		if (i >= 148 && i < 156)
			continue; /* the sum itself, which may be written in several ways */
		tar.data[i] ^= 0x01;
		assert_int_equal(untar(&tar, 0, true, &out, &err), -1);
		assert_int_equal(err.kind, ERROR_IMAGE);
		kit_collect_free(&out);
		tar.data[i] ^= 0x01;
	}
}

/* GNU's old sparse header: four parts in the header itself. */
static void old_sparse_header(uint8_t block[512], size_t stored, size_t real, const size_t (*parts)[2], size_t n_parts)
{
	const struct kit_member member = { KIT_GNU, "root.img", NULL, 'S', stored };

	kit_tar_header(block, &member);
	for (size_t i = 0; i < n_parts; i++) {
		snprintf((char *)block + 386 + i * 24, 12, "%011zo", parts[i][0]);
		snprintf((char *)block + 398 + i * 24, 12, "%011zo", parts[i][1]);
	}
	snprintf((char *)block + 483, 12, "%011zo", real);
	kit_tar_checksum(block);
}

static void test_old_sparse(void **state)
{
	static const size_t parts[][2] = { { 4096, 512 }, { 1024 * 1024, 4096 }, { LEN, 0 } };
	static uint8_t want[LEN];
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct kit_disk_image out;
	struct error err;
	uint8_t block[512];

	(void)state;
	memcpy(want + 4096, disk, 512);
	memcpy(want + 1024 * 1024, disk + 512, 4096);
	old_sparse_header(block, 512 + 4096, LEN, parts, 3);
	buf_append(&tar, block, 512);
	buf_append(&tar, disk, 512 + 4096);
	kit_tar_end(&tar);
	expect_disk(&tar, 0, want, LEN);

	assert_int_equal(untar(&tar, 0, false, &out, &err), 0);
	assert_int_equal(out.data[0], KIT_UNTOUCHED);
	assert_memory_equal(out.data + 4096, disk, 512);
	assert_int_equal(out.data[4096 + 512], 0);
	assert_int_equal(out.data[8192], KIT_UNTOUCHED);
	assert_memory_equal(out.data + 1024 * 1024, disk + 512, 4096);
	assert_int_equal(out.data[LEN - 1], KIT_UNTOUCHED);
	kit_collect_free(&out);
}

static void test_wrong_sparse_maps(void **state)
{
	static const struct {
		size_t stored, real, len;
		size_t parts[3][2];
		const char *text;
	} rows[] = {
		{ 1536, SMALL, 1536, { { 0, 1024 }, { 512, 512 }, { SMALL, 0 } }, "overlap" },
		{ 1024, SMALL, 1024, { { 2048, 512 }, { 0, 512 }, { SMALL, 0 } }, "parts of it" },
		{ 1024, SMALL, 1024, { { SMALL - 512, 1024 }, { SMALL, 0 }, { SMALL, 0 } }, "more bytes than" },
		{ 1024, SMALL, 1024, { { 0, 512 }, { SMALL, 0 }, { SMALL, 0 } }, "behind root.img" },
		{ 512,
		  SMALL,
		  512,
		  { { 0, 512 }, { 1024, 512 }, { SMALL, 0 } },
		  "declared" }, /* less than the map names */
		{ 1024, LEN + 512, 1024, { { 0, 512 }, { LEN, 512 }, { LEN + 512, 0 } }, "holds only" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
		uint8_t block[512];
		old_sparse_header(block, rows[i].stored, rows[i].real, rows[i].parts, 3);
		buf_append(&tar, block, 512);
		buf_append(&tar, disk, rows[i].len);
		kit_tar_end(&tar);
		expect_refused(&tar, rows[i].text);
	}
}

/* pax 1.0: the map stands in front of the data. */
static void pax_sparse(struct buf *tar, const char *map, size_t map_len, size_t data_len)
{
	static const char *const records[] = { "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=root.img",
					       "GNU.sparse.realsize=1048576", NULL };
	struct buf body CLEANUP_BUF = BUF_INIT(KIT_MAX);
	static const uint8_t zeros[512];

	buf_append(&body, map, map_len);
	buf_append(&body, zeros, (512 - map_len % 512) % 512);
	buf_append(&body, disk, data_len);
	const struct kit_member member = { KIT_USTAR, "GNUSparseFile.0/root.img", NULL, '0', body.len };
	kit_pax(tar, 'x', records);
	kit_tar_member(tar, &member, body.data, body.len);
	kit_tar_end(tar);
}

static void test_pax_sparse(void **state)
{
	static const char map[] = "3\n8192\n1024\n524288\n512\n1048576\n0\n";
	static uint8_t want[1048576];
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	memcpy(want + 8192, disk, 1024);
	memcpy(want + 524288, disk + 1024, 512);
	pax_sparse(&tar, map, sizeof(map) - 1, 1536);
	expect_disk(&tar, 0, want, sizeof(want));
	expect_disk(&tar, 100, want, sizeof(want));
}

/* The map is held in memory, so it has a limit. */
static void test_map_too_large(void **state)
{
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct buf map CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	buf_str(&map, "600000\n");
	for (size_t i = 0; i < 600000; i++)
		buf_str(&map, "0\n0\n");
	pax_sparse(&tar, map.data, map.len, 512);
	expect_refused(&tar, "very many holes");
}

/* What another implementation writes. */
static void test_written_by_libarchive(void **state)
{
	static const int formats[] = { ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
				       ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FORMAT_TAR_GNUTAR,
				       ARCHIVE_FORMAT_TAR };

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct archive *archive = archive_write_new();
		struct archive_entry *entry = archive_entry_new();
		size_t used = 0;
		char *to = buf_reserve(&tar, LEN + 65536);
		assert_int_equal(archive_write_set_format(archive, formats[i]), ARCHIVE_OK);
		assert_int_equal(archive_write_open_memory(archive, to, LEN + 65536, &used), ARCHIVE_OK);
		archive_entry_set_pathname(entry, "root.img");
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, (la_int64_t)LEN);
		archive_entry_set_mtime(entry, 1700000000, 500);
		assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
		assert_int_equal(archive_write_data(archive, disk, LEN), (int)LEN);
		archive_entry_free(entry);
		assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
		archive_write_free(archive);
		buf_commit(&tar, used);
		expect_disk(&tar, 0, disk, LEN);
	}
}

/* An error of the input is told as it is, wherever it comes. */
static void test_input_error(void **state)
{
	struct buf tar CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	kit_tar(&tar, disk, LEN);
	for (size_t at = 0; at <= tar.len; at += at < 8192 || at > tar.len - 2048 ? 256 : 65536) {
		struct kit_stream stream = { .data = (const uint8_t *)tar.data, .len = tar.len, .fail_at = at };
		struct stream_in in = kit_stream_in(&stream);
		struct image *image CLEANUP_IMAGE = NULL;
		struct kit_disk_image out;
		struct extents extents;
		struct error err = { 0 };
		kit_collect_init(&out, LEN);
		const struct extents_options options = {
			.limit = LEN, .where = "the disk", .slots = &out.slots, .emit = kit_collect, .emit_self = &out
		};
		extents_init(&extents, &options, &err);
		if (image_open(&in, &image, &err) == 0)
			assert_int_equal(run(image, &extents, &err), -1);
		assert_int_equal(err.kind, ERROR_NETWORK);
		extents_destroy(&extents);
		kit_collect_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_garbage_behind),
		cmocka_unit_test(test_pax),
		cmocka_unit_test(test_gnu_long_name),
		cmocka_unit_test(test_other_members),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_flip_header),
		cmocka_unit_test(test_old_sparse),
		cmocka_unit_test(test_wrong_sparse_maps),
		cmocka_unit_test(test_pax_sparse),
		cmocka_unit_test(test_map_too_large),
		cmocka_unit_test(test_written_by_libarchive),
		cmocka_unit_test(test_input_error),
	};

	kit_disk(disk, LEN, 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
