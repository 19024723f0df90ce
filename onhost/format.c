/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, and tar's sum over its header, since old tars have no signature. */
#include "onhost/format.h"

#include <stdbool.h>
#include <string.h>

#define TAR_BLOCK 512
#define TAR_CHECKSUM 148
#define TAR_CHECKSUM_LEN 8
#define BOOT_SIGNATURE 510
#define EXT_MAGIC (1024 + 56)

struct magic {
	size_t offset;
	size_t len;
	const char *bytes;
	const char *name;
};

static const struct magic guesses[] = {
	{ 0, 2, "\x1f\x8b", "gzip data" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "zstd data" },
	{ 0, 6,
	  "\xfd"
	  "7zXZ\0",
	  "xz data" },
	{ 0, 3, "BZh", "bzip2 data" },
	{ 0, 4, "\x04\x22\x4d\x18", "lz4 data" },
	{ 0, 4, "PK\x03\x04", "a zip archive" },
	{ 0, 6, "7z\xbc\xaf\x27\x1c", "a 7z archive" },
	{ 0, 4, "QFI\xfb", "a qcow2 disk image" },
	{ 0, 4, "KDMV", "a VMDK disk image" },
	{ 0, 8, "vhdxfile", "a VHDX disk image" },
	{ 0, 8, "conectix", "a VHD disk image" },
	{ 0, 6, "070701", "a cpio archive" },
	{ 0, 4,
	  "\x7f"
	  "ELF",
	  "a program" },
	{ 0, 1, "<", "a web page" },
	{ 0, 1, "{", "JSON text" },
};

static bool has_magic(const struct magic *magic, const uint8_t *data, size_t len)
{
	return len >= magic->offset + magic->len && memcmp(data + magic->offset, magic->bytes, magic->len) == 0;
}

enum format_packing format_packing(const uint8_t *data, size_t len)
{
	static const struct magic skippable = { 1, 3, "\x2a\x4d\x18", NULL };

	if (has_magic(&guesses[0], data, len))
		return FORMAT_GZIP;
	if (has_magic(&guesses[1], data, len))
		return FORMAT_ZSTD;
	/* parallel packers put a skippable frame in front */
	if (has_magic(&skippable, data, len) && (data[0] & 0xF0) == 0x50)
		return FORMAT_ZSTD;
	if (has_magic(&guesses[2], data, len))
		return FORMAT_XZ;
	return FORMAT_PLAIN;
}

/* Octal digits with blanks before and a blank or NUL behind, as tar writes its checksum. */
static bool tar_octal(const uint8_t *text, size_t len, unsigned *ret_value)
{
	size_t i = 0;
	unsigned value = 0;

	while (i < len && text[i] == ' ')
		i++;
	size_t first = i;
	while (i < len && text[i] >= '0' && text[i] <= '7')
		value = value * 8 + (unsigned)(text[i++] - '0');
	if (i == first || (i < len && text[i] != ' ' && text[i] != '\0'))
		return false;
	*ret_value = value;
	return true;
}

static bool is_tar(const uint8_t *data, size_t len)
{
	unsigned declared;
	unsigned sum = 0;
	int signed_sum = 0;

	if (len < TAR_BLOCK || !tar_octal(data + TAR_CHECKSUM, TAR_CHECKSUM_LEN, &declared))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		uint8_t byte = i >= TAR_CHECKSUM && i < TAR_CHECKSUM + TAR_CHECKSUM_LEN ? ' ' : data[i];
		sum += byte;
		/* some old tars added the bytes up as signed ones */
		signed_sum += (int8_t)byte;
	}
	return sum == declared || signed_sum == (int)declared;
}

enum format_content format_content(const uint8_t *data, size_t len)
{
	if (is_tar(data, len))
		return FORMAT_TAR;
	if (len >= BOOT_SIGNATURE + 2 && data[BOOT_SIGNATURE] == 0x55 && data[BOOT_SIGNATURE + 1] == 0xAA)
		return FORMAT_RAW;
	if (len >= EXT_MAGIC + 2 && data[EXT_MAGIC] == 0x53 && data[EXT_MAGIC + 1] == 0xEF)
		return FORMAT_RAW;
	return FORMAT_UNKNOWN;
}

const char *format_guess(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		if (has_magic(&guesses[i], data, len))
			return guesses[i].name;
	}
	return NULL;
}

const char *format_name(enum format_packing packing, enum format_content content)
{
	static const char *const names[FORMAT_PACKINGS][2] = {
		[FORMAT_PLAIN] = { "tar", "raw" },
		[FORMAT_GZIP] = { "gzip tar", "gzip raw" },
		[FORMAT_ZSTD] = { "zstd tar", "zstd raw" },
		[FORMAT_XZ] = { "xz tar", "xz raw" },
	};

	return names[packing][content == FORMAT_TAR ? 0 : 1];
}
