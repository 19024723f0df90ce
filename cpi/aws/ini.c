/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the lines. The reader is strict where botocore's is and lenient where that is, so that a file means the
 * same to both; what sections and keys mean is profile.c's. */
#include "cpi/aws/ini.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/utf8.h"

struct span {
	const char *at;
	size_t len;
};

/* What there is already: sections (key NULL) and their keys. Open addressing, never more than half full. */
struct seen {
	const struct profile_section *section;
	const char *key;
};

struct open_section {
	struct profile_section section;
	const struct profile_entry **end; /* where the next key goes */
	struct open_section *next;
};

struct reader {
	struct arena *arena;
	size_t line;
	struct open_section *first, *last;
	struct open_section defaults; /* [DEFAULT], which is none of the list */
	struct open_section *current; /* NULL before the first */
	struct profile_entry *entry;  /* the current key's; NULL between a section's header and its first key */
	size_t entry_line;
	size_t indent; /* of the current key's line */
	struct buf value;
	struct seen *seen;
	size_t seen_size; /* a power of two */
};

/* --- blanks, as Python has them in text --- */

/* Bytes of the blank character at the text's beginning, 0 when there is none. */
static size_t blank_length(struct span text)
{
	static const char *const wide[] = { "\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
					    "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80" };

	if (text.len == 0)
		return 0;
	unsigned char c = (unsigned char)*text.at;
	if (c < 0x80)
		return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) ? 1 : 0;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		size_t len = strlen(wide[i]);
		if (text.len >= len && memcmp(text.at, wide[i], len) == 0)
			return len;
	}
	/* U+2000 to U+200A */
	if (text.len >= 3 && memcmp(text.at, "\xE2\x80", 2) == 0 && (unsigned char)text.at[2] <= 0x8A)
		return 3;
	return 0;
}

/* Bytes of what splits a value into lines; all of these are blanks too. */
static size_t break_length(struct span text)
{
	size_t len = blank_length(text);

	if (len == 1)
		return strchr("\n\v\f\r\x1C\x1D\x1E", *text.at) != NULL ? 1 : 0;
	if (len > 1 && (memcmp(text.at, "\xC2\x85", 2) == 0 || memcmp(text.at, "\xE2\x80\xA8", len) == 0 ||
			memcmp(text.at, "\xE2\x80\xA9", len) == 0))
		return len;
	return 0;
}

static struct span strip_front(struct span text, size_t *ret_characters)
{
	size_t len;

	*ret_characters = 0;
	while ((len = blank_length(text)) > 0) {
		text.at += len;
		text.len -= len;
		(*ret_characters)++;
	}
	return text;
}

static struct span strip_end(struct span text)
{
	while (text.len > 0) {
		size_t start = text.len - 1;
		while (start > 0 && ((unsigned char)text.at[start] & 0xC0) == 0x80)
			start--;
		if (blank_length((struct span){ text.at + start, text.len - start }) == 0)
			break;
		text.len = start;
	}
	return text;
}

static struct span strip(struct span text)
{
	size_t characters;

	return strip_end(strip_front(text, &characters));
}

/* --- what there is already --- */

static uint64_t hash(uint64_t seed, const char *text)
{
	uint64_t value = seed ^ UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return value;
}

/* The place of a section by its name (key NULL), or of a section's key: taken, or free with section NULL. */
static struct seen *find_seen(struct reader *reader, const struct profile_section *section, const char *key)
{
	uint64_t value = key == NULL ? hash(0, section->name) : hash((uintptr_t)section * 31, key);
	size_t at = (size_t)(value ^ value >> 32) & (reader->seen_size - 1);

	for (;; at = (at + 1) & (reader->seen_size - 1)) {
		struct seen *seen = &reader->seen[at];
		if (seen->section == NULL)
			return seen;
		if (key == NULL && seen->key == NULL && strcmp(seen->section->name, section->name) == 0)
			return seen;
		if (key != NULL && seen->key != NULL && seen->section == section && strcmp(seen->key, key) == 0)
			return seen;
	}
}

static bool see(struct reader *reader, const struct profile_section *section, const char *key)
{
	struct seen *seen = find_seen(reader, section, key);

	if (seen->section != NULL)
		return false;
	*seen = (struct seen){ section, key };
	return true;
}

/* --- values --- */

static int bad_line(const struct reader *reader, struct error *err, const char *what)
{
	return error_set(err, ERROR_INVALID, "line %zu %s", reader->line, what);
}

/* Takes the first line off a value. */
static struct span take_line(struct span *value)
{
	struct span line = { value->at, 0 };
	size_t skip = 0;

	while (line.len < value->len && skip == 0) {
		skip = break_length((struct span){ value->at + line.len, value->len - line.len });
		line.len += skip == 0 ? 1 : 0;
	}
	value->at += line.len + skip;
	value->len -= line.len + skip;
	return strip(line);
}

/* The keys below a key: of a repeated one the last counts. Their case stays, as in botocore. */
static int read_nested(struct reader *reader, struct span value, const struct profile_entry **ret_nested,
		       struct error *err)
{
	const struct profile_entry *nested = NULL;

	while (value.len > 0) {
		struct span line = take_line(&value);
		const char *equals = memchr(line.at, '=', line.len);
		if (line.len == 0)
			continue;
		if (equals == NULL)
			return error_set(err, ERROR_INVALID,
					 "line %zu begins a list of indented lines, of which one is not \"key = value\"",
					 reader->entry_line);
		struct span key = strip_end((struct span){ line.at, (size_t)(equals - line.at) });
		struct span text = strip((struct span){ equals + 1, line.len - (size_t)(equals + 1 - line.at) });
		struct profile_entry *entry = arena_alloc(reader->arena, sizeof(*entry));
		char *name = arena_strndup(reader->arena, key.at, key.len);
		char *content = arena_strndup(reader->arena, text.at, text.len);
		if (entry == NULL || name == NULL || content == NULL)
			return error_nomem(err);
		*entry = (struct profile_entry){ .key = name, .value = content, .next = nested };
		nested = entry;
	}
	*ret_nested = nested;
	return 0;
}

/* The current key has all its lines. */
static int end_value(struct reader *reader, struct error *err)
{
	struct profile_entry *entry = reader->entry;

	if (entry == NULL)
		return 0;
	if (reader->value.failed)
		return error_nomem(err);
	struct span value = strip_end((struct span){ buf_text(&reader->value), reader->value.len });
	reader->entry = NULL;
	entry->value = arena_strndup(reader->arena, value.at, value.len);
	if (entry->value == NULL)
		return error_nomem(err);
	return value.len > 0 && *value.at == '\n' ? read_nested(reader, value, &entry->nested, err) : 0;
}

/* --- lines --- */

static int begin_section(struct reader *reader, struct span name, struct error *err)
{
	if (end_value(reader, err) != 0)
		return -1;
	if (name.len == strlen("DEFAULT") && memcmp(name.at, "DEFAULT", name.len) == 0) {
		reader->current = &reader->defaults;
		return 0;
	}
	struct open_section *opened = arena_alloc(reader->arena, sizeof(*opened));
	char *text = arena_strndup(reader->arena, name.at, name.len);
	if (opened == NULL || text == NULL)
		return error_nomem(err);
	opened->section.name = text;
	opened->end = &opened->section.entries;
	if (!see(reader, &opened->section, NULL))
		return bad_line(reader, err, "begins a section that there is already: each may stand once");
	if (reader->last == NULL) {
		reader->first = opened;
	} else {
		reader->last->next = opened;
		reader->last->section.next = &opened->section;
	}
	reader->last = opened;
	reader->current = opened;
	return 0;
}

static int begin_key(struct reader *reader, struct span line, struct error *err)
{
	size_t at = 0;

	if (end_value(reader, err) != 0)
		return -1;
	while (at < line.len && line.at[at] != '=' && line.at[at] != ':')
		at++;
	struct span key = strip_end((struct span){ line.at, at });
	if (at == line.len || key.len == 0)
		return bad_line(reader, err, "is neither \"[section]\" nor \"key = value\"");
	struct profile_entry *entry = arena_alloc(reader->arena, sizeof(*entry));
	char *name = arena_strndup(reader->arena, key.at, key.len);
	if (entry == NULL || name == NULL)
		return error_nomem(err);
	for (char *c = name; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	if (!see(reader, &reader->current->section, name))
		return bad_line(reader, err, "has a key that its section has already: each may stand once");
	entry->key = name;
	reader->entry = entry;
	reader->entry_line = reader->line;
	*reader->current->end = entry;
	reader->current->end = &entry->next;
	struct span value = strip((struct span){ line.at + at + 1, line.len - at - 1 });
	buf_reset(&reader->value);
	buf_append(&reader->value, value.at, value.len);
	return 0;
}

static void continue_value(struct reader *reader, struct span line)
{
	buf_char(&reader->value, '\n');
	buf_append(&reader->value, line.at, line.len);
}

static int read_line(struct reader *reader, struct span raw, struct error *err)
{
	size_t indent;
	struct span line = strip_end(strip_front(raw, &indent));

	reader->line++;
	if (line.len > 0 && (*line.at == '#' || *line.at == ';'))
		return 0;
	if (reader->entry != NULL && (line.len == 0 || indent > reader->indent)) {
		continue_value(reader, line);
		return 0;
	}
	if (line.len == 0)
		return 0;
	reader->indent = indent;
	size_t end = line.len;
	while (end > 0 && line.at[end - 1] != ']')
		end--;
	if (*line.at == '[' && end > 2)
		return begin_section(reader, (struct span){ line.at + 1, end - 2 }, err);
	if (reader->current == NULL)
		return bad_line(reader, err, "stands outside of any section: a line such as \"[default]\" must come first");
	return begin_key(reader, line, err);
}

static int read_lines(struct reader *reader, struct span text, struct error *err)
{
	while (text.len > 0) {
		size_t len = 0;
		while (len < text.len && text.at[len] != '\n' && text.at[len] != '\r')
			len++;
		if (read_line(reader, (struct span){ text.at, len }, err) != 0)
			return -1;
		if (len + 1 < text.len && text.at[len] == '\r' && text.at[len + 1] == '\n')
			len++;
		size_t skip = len < text.len ? len + 1 : len;
		text = (struct span){ text.at + skip, text.len - skip };
	}
	return end_value(reader, err);
}

/* Counts the lines, and refuses what is no text. */
static int check_text(struct span text, size_t *ret_lines, struct error *err)
{
	size_t lines = 1;

	for (size_t at = 0; at < text.len;) {
		size_t len = utf8_length(text.at + at, text.len - at);
		if (len == 0 || text.at[at] == '\0')
			return error_set(err, ERROR_INVALID, "line %zu is not UTF-8 text", lines);
		if (text.at[at] == '\n' || (text.at[at] == '\r' && (at + 1 == text.len || text.at[at + 1] != '\n')))
			lines++;
		at += len;
	}
	*ret_lines = lines;
	return 0;
}

int ini_parse(const char *text, size_t len, struct arena *arena, const struct profile_section **ret_sections,
	      struct error *err)
{
	struct reader reader = { .arena = arena, .defaults.section.name = "DEFAULT", .seen_size = 16 };
	struct seen *seen CLEANUP_FREE = NULL;
	size_t lines;

	if (check_text((struct span){ text, len }, &lines, err) != 0)
		return -1;
	while (reader.seen_size / 2 < lines)
		reader.seen_size *= 2;
	seen = calloc(reader.seen_size, sizeof(*seen));
	if (seen == NULL)
		return error_nomem(err);
	reader.seen = seen;
	reader.defaults.end = &reader.defaults.section.entries;
	reader.value = (struct buf)BUF_INIT(2 * len + 1);
	int result = read_lines(&reader, (struct span){ text, len }, err);
	buf_free(&reader.value);
	if (result != 0)
		return -1;
	/* keys of [DEFAULT] stand behind those of each section, whose own are found first */
	for (struct open_section *opened = reader.first; opened != NULL; opened = opened->next)
		*opened->end = reader.defaults.section.entries;
	*ret_sections = reader.first == NULL ? NULL : &reader.first->section;
	return 0;
}
