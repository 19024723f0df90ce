/* SPDX-License-Identifier: Apache-2.0 */
#include "onhost/gzip_header.h"

#include "onhost/crc.h"

/* In their order. What follows the fixed ones is there if its flag is set. */
enum field { FIXED, EXTRA_LEN, EXTRA, NAME, COMMENT, SUM, FIELDS };

#define FIXED_LEN 10
#define DEFLATE 8
#define FLAG_SUM 0x02
#define FLAG_EXTRA 0x04
#define FLAG_NAME 0x08
#define FLAG_COMMENT 0x10
#define FLAGS_RESERVED 0xE0

void gzip_header_start(struct gzip_header *header)
{
	*header = (struct gzip_header){ .field = FIXED, .crc = ~UINT32_C(0) };
}

bool gzip_header_in_fixed(const struct gzip_header *header)
{
	return header->field == FIXED;
}

static bool has(const struct gzip_header *header, int field)
{
	static const uint8_t flag[FIELDS] = { 0, FLAG_EXTRA, FLAG_EXTRA, FLAG_NAME, FLAG_COMMENT, FLAG_SUM };

	return (header->flags & flag[field]) != 0 && !(field == EXTRA && header->extra_len == 0);
}

static bool fixed_is_good(struct gzip_header *header, uint8_t byte, const char **ret_why)
{
	switch (header->count) {
	case 0:
		*ret_why = "incorrect header";
		return byte == 0x1F;
	case 1:
		*ret_why = "incorrect header";
		return byte == 0x8B;
	case 2:
		*ret_why = "unknown compression method";
		return byte == DEFLATE;
	case 3:
		*ret_why = "unknown header flags";
		header->flags = byte;
		return (byte & FLAGS_RESERVED) == 0;
	default: /* time, how hard it was compressed, system */
		return true;
	}
}

static bool field_is_good(struct gzip_header *header, uint8_t byte, const char **ret_why)
{
	switch (header->field) {
	case FIXED:
		return fixed_is_good(header, byte, ret_why);
	case EXTRA_LEN:
		header->extra_len |= (size_t)byte << 8 * header->count;
		return true;
	case SUM:
		*ret_why = "incorrect header checksum";
		return byte == (uint8_t)(~header->crc >> 8 * header->count);
	default:
		return true;
	}
}

/* The byte that was counted last is the field's last. */
static bool field_ends(const struct gzip_header *header, uint8_t byte)
{
	switch (header->field) {
	case FIXED:
		return header->count == FIXED_LEN;
	case EXTRA:
		return header->count == header->extra_len;
	case NAME:
	case COMMENT:
		return byte == '\0';
	default:
		return header->count == 2;
	}
}

enum gzip_header_result gzip_header_take(struct gzip_header *header, uint8_t byte, const char **ret_why)
{
	if (!field_is_good(header, byte, ret_why))
		return GZIP_HEADER_BAD;
	if (header->field != SUM)
		header->crc = crc32_update(header->crc, &byte, 1);
	header->count++;
	if (!field_ends(header, byte))
		return GZIP_HEADER_MORE;
	header->count = 0;
	do
		header->field++;
	while (header->field < FIELDS && !has(header, header->field));
	return header->field < FIELDS ? GZIP_HEADER_MORE : GZIP_HEADER_END;
}
