/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/show.h"

#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "common/utf8.h"

struct glyph {
	const char *bytes;
	unsigned char len;
	unsigned char width;
};

struct range {
	uint32_t from;
	uint32_t to;
};

/* Wide and fullwidth characters (Unicode Standard Annex 11), in blocks. */
static const struct range wide[] = {
	{ 0x1100, 0x115F }, { 0x2E80, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F },
	{ 0xFF01, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1FAFF }, { 0x20000, 0x3FFFD },
};

/* Controls, marks that take no column, marks of direction, and what no font has. */
static const struct range hidden[] = {
	{ 0x00, 0x1F }, { 0x7F, 0x9F }, { 0xAD, 0xAD }, { 0x300, 0x36F }, { 0x483, 0x489 }, { 0x591, 0x5C7 },
	{ 0x600, 0x61C }, { 0x64B, 0x65F }, { 0x180B, 0x180E }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF },
	{ 0x200B, 0x200F }, { 0x2028, 0x202E }, { 0x2060, 0x206F }, { 0x20D0, 0x20FF }, { 0xD800, 0xF8FF },
	{ 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F }, { 0xFEFF, 0xFEFF }, { 0xFFF0, 0xFFFC }, { 0xFFFE, 0xFFFF }, { 0xE0000, 0x10FFFF },
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code)
{
	for (size_t i = 0; i < count; i++) {
		if (code >= ranges[i].from && code <= ranges[i].to)
			return true;
	}
	return false;
}

static uint32_t code_of(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;
	uint32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7FU >> len);

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (bytes[i] & 0x3F);
	return code;
}

uint32_t show_hidden(const char *text, size_t len)
{
	uint32_t code = code_of(text, len);

	return is_in(hidden, sizeof(hidden) / sizeof(hidden[0]), code) ? code : 0;
}

static struct glyph glyph_at(const char *text, size_t rest, bool unicode, size_t *ret_len)
{
	static const char unknown[] = "?";

	*ret_len = 1;
	if (*text >= ' ' && *text <= '~')
		return (struct glyph){ text, 1, 1 };
	size_t len = utf8_length(text, rest);
	*ret_len = len == 0 ? 1 : len;
	if (len == 0 || (len > 1 && !unicode))
		return (struct glyph){ unknown, 1, 1 };
	if ((unsigned char)text[0] < ' ' || show_hidden(text, len) != 0)
		return (struct glyph){ unknown, 1, 1 };
	bool is_wide = is_in(wide, sizeof(wide) / sizeof(wide[0]), code_of(text, len));
	return (struct glyph){ text, (unsigned char)len, is_wide ? 2 : 1 };
}

/* A text, glyph by glyph. */
struct walk {
	const char *at;
	size_t rest;
	bool unicode;
	struct glyph glyph;
};

static bool next_glyph(struct walk *walk)
{
	size_t len;

	if (walk->rest == 0)
		return false;
	walk->glyph = glyph_at(walk->at, walk->rest, walk->unicode, &len);
	walk->at += len;
	walk->rest -= len;
	return true;
}

size_t show_width(const char *text, bool unicode)
{
	struct walk walk = { .at = text, .rest = strlen(text), .unicode = unicode };
	size_t width = 0;

	while (next_glyph(&walk))
		width += walk.glyph.width;
	return width;
}

static void put(struct buf *out, const struct walk *walk)
{
	buf_append(out, walk->glyph.bytes, walk->glyph.len);
}

size_t show_text(struct buf *out, const char *text, size_t max_width, bool unicode)
{
	struct walk walk = { .at = text, .rest = strlen(text), .unicode = unicode };
	size_t left = show_width(text, unicode); /* of what has not been walked */
	size_t dots = unicode ? 1 : 2;
	bool cut = left > max_width && max_width >= dots + 2;
	size_t front = cut ? (max_width - dots + 1) / 2 : max_width;
	size_t width = 0;
	bool more = next_glyph(&walk);

	for (; more && width + walk.glyph.width <= front; more = next_glyph(&walk)) {
		put(out, &walk);
		width += walk.glyph.width;
		left -= walk.glyph.width;
	}
	if (!cut)
		return width;
	buf_str(out, unicode ? "…" : "..");
	width += dots;
	for (; more && width + left > max_width; more = next_glyph(&walk))
		left -= walk.glyph.width;
	for (; more; more = next_glyph(&walk))
		put(out, &walk);
	return width + left;
}

void show_duration(int64_t ms, char ret_text[static SHOW_TIME_SIZE])
{
	long long s = (long long)(ms / 1000);

	if (ms < 1000)
		snprintf(ret_text, SHOW_TIME_SIZE, "%lldms", (long long)ms);
	else if (s < 60)
		snprintf(ret_text, SHOW_TIME_SIZE, "%lld.%02ds", s, (int)(ms % 1000 / 10));
	else if (s < 3600)
		snprintf(ret_text, SHOW_TIME_SIZE, "%lldm%02llds", s / 60, s % 60);
	else if (s < 100 * 3600)
		snprintf(ret_text, SHOW_TIME_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(ret_text, SHOW_TIME_SIZE, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

void show_time(int64_t ms, char ret_text[static SHOW_TIME_SIZE])
{
	char text[FORMAT_ISO8601_SIZE];

	if (!format_iso8601(ms / 1000, text)) {
		snprintf(ret_text, SHOW_TIME_SIZE, "?");
		return;
	}
	*strchr(text, 'T') = ' ';
	snprintf(ret_text, SHOW_TIME_SIZE, "%s.%03d", text, (int)(ms % 1000));
}
