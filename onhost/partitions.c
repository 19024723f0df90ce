/* SPDX-License-Identifier: Apache-2.0 */
/* One step for each part of a table, each telling the next which bytes it needs. */
#include "onhost/partitions.h"

#include <string.h>

#include "onhost/crc.h"

#define MBR_TABLE 446
#define MBR_ENTRIES 4
#define MBR_ENTRY_SIZE 16
#define MBR_LINUX 0x83
#define MBR_PROTECTIVE 0xEE
#define GPT_HEADER_SIZE 92
#define GPT_HEADER_CRC 16
#define GUID_SIZE 16
#define LARGEST_DISK ((uint64_t)64 << 40)

static const uint8_t zeros[MBR_ENTRIES * MBR_ENTRY_SIZE];

static void give_up(struct partitions *partitions, const char *doubt)
{
	partitions->count = 0;
	partitions->doubt = doubt;
	partitions->next = NULL;
}

static void want(struct partitions *partitions, uint64_t offset, size_t len, void (*next)(struct partitions *))
{
	partitions->piece = (struct piece){ .offset = offset, .len = len, .to = partitions->sectors };
	partitions->next = next;
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

/* In the order of their starts. sectors is at most 2^63 / 512. */
static void add(struct partitions *partitions, uint64_t first, uint64_t sectors, bool of_linux)
{
	size_t at = partitions->count;

	if (at == PARTITIONS_MAX) {
		give_up(partitions, "the table has more partitions than are looked at");
		return;
	}
	if (first > LARGEST_DISK / SECTOR_SIZE || sectors > LARGEST_DISK / SECTOR_SIZE) {
		give_up(partitions, "a partition lies behind the end of the largest disk");
		return;
	}
	while (at > 0 && partitions->list[at - 1].start > first * SECTOR_SIZE) {
		partitions->list[at] = partitions->list[at - 1];
		at--;
	}
	partitions->list[at] = (struct partition){ first * SECTOR_SIZE, sectors * SECTOR_SIZE, of_linux };
	partitions->count++;
}

/* The list is whole: it is checked, and what is not Linux's goes. */
static void finish(struct partitions *partitions)
{
	uint64_t end = partitions->used;
	size_t kept = 0;

	partitions->next = NULL;
	for (size_t i = 0; i < partitions->count; i++) {
		const struct partition *each = &partitions->list[i];
		if (each->start < end) {
			give_up(partitions, "a partition reaches into another, or into the table");
			return;
		}
		end = each->start + each->size;
		if (end > partitions->image_size) {
			give_up(partitions, "a partition reaches behind the end of the image");
			return;
		}
		if (each->of_linux)
			partitions->list[kept++] = *each;
	}
	partitions->count = kept;
	if (kept == 0)
		partitions->doubt = "the table has no partition of a Linux type";
}

/* --- GUID partition tables ---------------------------------------------------------------------------------------- */

/* As they stand on the disk: 0fc63daf-8483-4772-8e79-3d69d8477de4 and so on. */
static const uint8_t linux_types[][GUID_SIZE] = {
	/* Linux data */
	{ 0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4 },
	/* root of x86-64 */
	{ 0xE3, 0xBC, 0x68, 0x4F, 0xCD, 0xE8, 0xB1, 0x4D, 0x96, 0xE7, 0xFB, 0xCA, 0xF9, 0x84, 0xB7, 0x09 },
	/* root of 64-bit ARM */
	{ 0x45, 0xB0, 0x21, 0xB9, 0xF0, 0x1D, 0xC3, 0x41, 0xAF, 0x44, 0x4C, 0x6F, 0x28, 0x0D, 0x3F, 0xAE },
	/* extended boot loader partition */
	{ 0xFF, 0xC2, 0x13, 0xBC, 0xE6, 0x59, 0x62, 0x42, 0xA3, 0x52, 0xB2, 0x75, 0xFD, 0x6F, 0x71, 0x72 },
};

static bool is_linux_type(const uint8_t *guid)
{
	for (size_t i = 0; i < sizeof(linux_types) / sizeof(linux_types[0]); i++) {
		if (memcmp(guid, linux_types[i], GUID_SIZE) == 0)
			return true;
	}
	return false;
}

static void read_gpt_entries(struct partitions *partitions)
{
	if (~crc32_update(~UINT32_C(0), partitions->sectors, partitions->piece.len) != partitions->entries_crc) {
		give_up(partitions, "the checksum of the GPT's entries is wrong");
		return;
	}
	partitions->next = NULL;
	for (size_t at = 0; at < partitions->piece.len && partitions->doubt == NULL; at += GPT_ENTRY_SIZE) {
		const uint8_t *entry = partitions->sectors + at;
		uint64_t first = piece_le64(entry + 32), last = piece_le64(entry + 40);
		if (memcmp(entry, zeros, GUID_SIZE) == 0)
			continue;
		if (last < first || last == UINT64_MAX) {
			give_up(partitions, "a partition of the GPT ends before it begins");
			return;
		}
		add(partitions, first, last - first + 1, is_linux_type(entry));
	}
	if (partitions->doubt == NULL)
		finish(partitions);
}

static void read_gpt_header(struct partitions *partitions)
{
	uint8_t *header = partitions->sectors;
	uint32_t size = piece_le32(header + 12);
	uint32_t crc = piece_le32(header + GPT_HEADER_CRC);
	uint32_t count = piece_le32(header + 80);

	if (memcmp(header, "EFI PART", 8) != 0 || size < GPT_HEADER_SIZE || size > SECTOR_SIZE) {
		give_up(partitions, "there is no GPT behind its protective MBR");
		return;
	}
	memset(header + GPT_HEADER_CRC, 0, 4);
	if (~crc32_update(~UINT32_C(0), header, size) != crc) {
		give_up(partitions, "the checksum of the GPT's header is wrong");
		return;
	}
	if (piece_le64(header + 24) != 1 || piece_le64(header + 72) != 2 || count == 0 || count > GPT_ENTRIES_MAX ||
	    piece_le32(header + 84) != GPT_ENTRY_SIZE) {
		give_up(partitions, "the GPT is of an unusual form");
		return;
	}
	partitions->entries_crc = piece_le32(header + 88);
	partitions->used = 2 * SECTOR_SIZE + count * GPT_ENTRY_SIZE;
	want(partitions, 2 * SECTOR_SIZE, count * GPT_ENTRY_SIZE, read_gpt_entries);
}

/* --- the first sector --------------------------------------------------------------------------------------------- */

static void read_mbr_entries(struct partitions *partitions)
{
	for (size_t i = 0; i < MBR_ENTRIES && partitions->doubt == NULL; i++) {
		const uint8_t *entry = partitions->sectors + MBR_TABLE + i * MBR_ENTRY_SIZE;
		uint32_t first = piece_le32(entry + 8), sectors = piece_le32(entry + 12);
		if ((entry[0] & 0x7F) != 0)
			give_up(partitions, "what stands where the MBR's table should is none");
		else if (entry[4] == MBR_PROTECTIVE)
			give_up(partitions, "the table is an MBR and a GPT at once");
		else if (sectors != 0)
			add(partitions, first, sectors, entry[4] == MBR_LINUX);
	}
	if (partitions->doubt == NULL)
		finish(partitions);
}

static void read_first_sector(struct partitions *partitions)
{
	const uint8_t *sector = partitions->sectors, *table = sector + MBR_TABLE;

	/* an old superblock may have survived in the gap behind a table: so the whole disk only where there is none */
	if (sector[510] != 0x55 || sector[511] != 0xAA || memcmp(table, zeros, sizeof(zeros)) == 0) {
		uint64_t size = partitions->image_size < LARGEST_DISK ? partitions->image_size : LARGEST_DISK;
		add(partitions, 0, size / SECTOR_SIZE, true);
		partitions->next = NULL;
	} else if (table[4] == MBR_PROTECTIVE &&
		   memcmp(table + MBR_ENTRY_SIZE, zeros, sizeof(zeros) - MBR_ENTRY_SIZE) == 0) {
		want(partitions, SECTOR_SIZE, SECTOR_SIZE, read_gpt_header);
	} else {
		read_mbr_entries(partitions);
	}
}

void partitions_init(struct partitions *partitions, uint64_t image_size)
{
	memset(partitions, 0, sizeof(*partitions));
	partitions->image_size = image_size;
	partitions->used = SECTOR_SIZE;
	want(partitions, 0, SECTOR_SIZE, read_first_sector);
}

bool partitions_feed(struct partitions *partitions, const uint8_t *data, size_t len, uint64_t offset)
{
	while (partitions->next != NULL) {
		enum piece_state state = piece_take(&partitions->piece, data, len, offset);
		if (state == PIECE_WAITS)
			return false;
		if (state == PIECE_WHOLE)
			partitions->next(partitions);
		else
			give_up(partitions, "the table stands in a hole of the archive");
	}
	return true;
}
