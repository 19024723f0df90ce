/* SPDX-License-Identifier: Apache-2.0 */
/* Reading tar with libarchive, which has its only home here. It is given plain bytes and no filter: packing is
 * image.c's. */
#include "onhost/untar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "onhost/byte_run.h"

#define TAR_BLOCK ((size_t)512)
#define TAR_END_LEN ((int64_t)1024)
/* What may stand before the file's first byte: long names, extended headers, the map of a sparse file (it takes 20
 * bytes a part). libarchive keeps the map in memory. */
#define HEADERS_MAX ((int64_t)1024 * 1024)
#define NAME_SHOWN 64

#define ADVICE "build the image with `tar -czf image root.img`"

struct untar {
	struct image *image;
	struct ahead *ahead;
	struct extents *extents;
	struct archive *archive;
	bool in_headers;
	uint8_t block[TAR_BLOCK];
	const uint8_t *given; /* what libarchive was given last */
	size_t given_len;
	int64_t given_sum; /* bytes of all that it was given */
	int64_t data_end;  /* where the file's bytes and their padding end */
	bool failed;
	struct error failure; /* of the image or the pipeline: it goes before what libarchive says */
};

static void free_archive(struct archive **archive)
{
	if (*archive != NULL)
		archive_read_free(*archive);
}

static int refuse_stream(const struct untar *untar, const char *what, struct error *err)
{
	const char *said = archive_error_string(untar->archive);

	if (untar->failed) {
		*err = untar->failure;
		return -1;
	}
	if (archive_errno(untar->archive) == ENOMEM)
		return error_nomem(err);
	return error_set(err, ERROR_IMAGE,
			 "the image's tar archive is damaged or cut short, %s (%s); "
			 "download the stemcell again",
			 what, said != NULL ? said : "no reason given");
}

/* Single blocks until the header is parsed, so that libarchive has nothing left over when the file's bytes begin; then
 * whole slots, which pass through it without a copy. */
static int next_bytes(struct untar *untar, struct error *err)
{
	if (untar->in_headers) {
		if (untar->given_sum >= HEADERS_MAX)
			return error_set(err, ERROR_IMAGE,
					 "the headers before root.img take over %lld KiB (a file with very many holes?); "
					 ADVICE,
					 (long long)HEADERS_MAX / 1024);
		untar->given = untar->block;
		if (image_read(untar->image, untar->block, sizeof(untar->block), &untar->given_len, err) != 0)
			return -1;
	} else if (ahead_read(untar->ahead, &untar->given, &untar->given_len, err) != 0) {
		return -1;
	}
	untar->given_sum += (int64_t)untar->given_len;
	return 0;
}

static la_ssize_t give(struct archive *archive, void *self, const void **ret_data)
{
	struct untar *untar = self;

	if (untar->failed || next_bytes(untar, &untar->failure) != 0) {
		untar->failed = true;
		archive_set_error(archive, EIO, "the input failed");
		return ARCHIVE_FATAL;
	}
	*ret_data = untar->given;
	return (la_ssize_t)untar->given_len;
}

static int open_archive(struct untar *untar, struct error *err)
{
	struct archive *archive = archive_read_new();
	if (archive == NULL)
		return error_nomem(err);
	untar->archive = archive;
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK)
		return error_set(err, ERROR_INTERNAL, "libarchive knows no tar: %s", archive_error_string(archive));
	if (archive_read_open(archive, untar, NULL, give, NULL) != ARCHIVE_OK)
		return refuse_stream(untar, "at its beginning", err);
	return 0;
}

/* The name as it may be shown: archives are made by others. */
static const char *shown(struct archive_entry *entry, char text[NAME_SHOWN])
{
	const char *name = archive_entry_pathname(entry);
	size_t i = 0;

	for (; name != NULL && name[i] != '\0' && i < NAME_SHOWN - 1; i++)
		text[i] = name[i] >= ' ' && name[i] <= '~' && name[i] != '\'' ? name[i] : '?';
	text[i] = '\0';
	return text;
}

static bool is_root_img(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	if (name == NULL)
		return false;
	if (strncmp(name, "./", 2) == 0)
		name += 2;
	/* a folder has a slash behind its name, and is refused for what it is */
	return strcmp(name, "root.img") == 0 || strcmp(name, "root.img/") == 0;
}

static const char *type_name(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry) != NULL)
		return "a hard link";
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return NULL;
	case AE_IFLNK:
		return "a symbolic link";
	case AE_IFDIR:
		return "a directory";
	case AE_IFIFO:
		return "a pipe";
	case AE_IFCHR:
	case AE_IFBLK:
		return "a device";
	default:
		return "not a file";
	}
}

static int check_entry(struct archive_entry *entry, struct error *err)
{
	char name[NAME_SHOWN];

	if (!is_root_img(entry)) {
		const char *hint = strcmp(shown(entry, name), "stemcell.MF") == 0
					   ? " (this is the whole stemcell: the image is the file of that name inside)"
					   : "";
		return error_set(err, ERROR_IMAGE,
				 "the image's archive holds '%s'%s where only root.img may be; " ADVICE, name, hint);
	}
	const char *type = type_name(entry);
	if (type != NULL)
		return error_set(err, ERROR_IMAGE, "root.img in the image's archive is %s, not a regular file; " ADVICE,
				 type);
	if (!archive_entry_size_is_set(entry) || archive_entry_size(entry) < 0)
		return error_set(err, ERROR_IMAGE, "the image's archive does not say how large root.img is; " ADVICE);
	return 0;
}

/* Bytes that must follow: those of the parts that a sparse file's map names, else all. */
static uint64_t expected_bytes(struct archive_entry *entry)
{
	la_int64_t offset, len;
	uint64_t sum = 0;

	if (archive_entry_sparse_reset(entry) == 0)
		return (uint64_t)archive_entry_size(entry);
	while (archive_entry_sparse_next(entry, &offset, &len) == ARCHIVE_OK)
		sum += (uint64_t)len;
	return sum;
}

static int copy_data(struct untar *untar, uint64_t expected, struct error *err)
{
	uint64_t sum = 0;

	for (;;) {
		const void *data;
		size_t len;
		la_int64_t offset;
		int result = archive_read_data_block(untar->archive, &data, &len, &offset);
		if (result == ARCHIVE_EOF && !untar->failed)
			break;
		if (result != ARCHIVE_OK)
			return refuse_stream(untar, "in the middle of root.img", err);
		if (offset < 0)
			return error_set(err, ERROR_IMAGE, "the archive's map of root.img is damaged; " ADVICE);
		if (extents_data(untar->extents, data, len, (uint64_t)offset, err) != 0)
			return -1;
		sum += len;
	}
	if (sum != expected)
		return error_set(
			err, ERROR_IMAGE,
			"root.img in the image's archive has %llu bytes of data where %llu are declared; download "
			"or build the stemcell again",
			(unsigned long long)sum, (unsigned long long)expected);
	untar->data_end = archive_filter_bytes(untar->archive, 0);
	return 0;
}

static int check_zeros(const uint8_t *data, size_t len, struct error *err)
{
	if (!byte_run_of_zeros(data, len))
		return error_set(err, ERROR_IMAGE,
				 "bytes that do not belong to it follow the end of the image's "
				 "tar archive; download the stemcell again");
	return 0;
}

/* What libarchive was given and has not used, and all that follows, is padding. */
static int check_padding(struct untar *untar, struct error *err)
{
	int64_t unused = untar->given_sum - archive_filter_bytes(untar->archive, 0);
	const uint8_t *rest;
	size_t got;

	if (unused < 0 || (uint64_t)unused > untar->given_len)
		return error_set(err, ERROR_INTERNAL, "libarchive's count of what it read cannot be right");
	if (check_zeros(untar->given + (untar->given_len - (size_t)unused), (size_t)unused, err) != 0)
		return -1;
	do {
		if (ahead_read(untar->ahead, &rest, &got, err) != 0 || check_zeros(rest, got, err) != 0)
			return -1;
	} while (got == SLOT_SIZE);
	return 0;
}

/* After the file: the two blocks of zeros, and only zeros. libarchive itself takes the stream's end for the archive's.
 */
static int check_end(struct untar *untar, struct error *err)
{
	struct archive_entry *entry;
	char name[NAME_SHOWN];
	int result = archive_read_next_header(untar->archive, &entry);

	if (result == ARCHIVE_OK || result == ARCHIVE_WARN)
		return error_set(
			err, ERROR_IMAGE,
			"the image's archive holds %s '%s' behind root.img, where nothing more may be; " ADVICE,
			is_root_img(entry) ? "a second" : "also", shown(entry, name));
	if (result != ARCHIVE_EOF || untar->failed)
		return refuse_stream(untar, "behind root.img", err);
	int64_t end = archive_filter_bytes(untar->archive, 0) - untar->data_end;
	if (end != TAR_END_LEN)
		return error_set(err, ERROR_IMAGE,
				 "the image is cut short: its tar archive does not end with two blocks of zeros right "
				 "behind root.img; download the stemcell again");
	return check_padding(untar, err);
}

int untar_run(struct image *image, struct ahead *ahead, struct extents *extents, struct error *err)
{
	struct untar untar = { .image = image, .ahead = ahead, .extents = extents, .in_headers = true };
	struct archive_entry *entry;

	int opened = open_archive(&untar, err);
	CLEANUP(free_archive) struct archive *archive = untar.archive;
	if (opened != 0)
		return -1;
	int result = archive_read_next_header(archive, &entry);
	/* a warning is about what is not used here: owners' names, attributes */
	if ((result != ARCHIVE_OK && result != ARCHIVE_WARN) || untar.failed)
		return refuse_stream(&untar, "in its first header", err);
	if (check_entry(entry, err) != 0)
		return -1;
	if (extents_declare(extents, (uint64_t)archive_entry_size(entry), err) != 0)
		return -1;
	untar.in_headers = false;
	if (copy_data(&untar, expected_bytes(entry), err) != 0)
		return -1;
	return check_end(&untar, err);
}
