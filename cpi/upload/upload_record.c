/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/upload/upload_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/onhost_blocks.h"

#define VERSION 1
#define SCRATCH_BYTES ((size_t)16 * 1024 * 1024) /* more than any line of JSON can need */
#define PIECE_BYTES ((size_t)64 * 1024)
#define MAX_TIMEOUT_MINUTES 4320
#define FIRST_ROOM ((size_t)1024)

_Static_assert(PIECE_BYTES >= UPLOAD_RECORD_HEADER_MAX, "a piece holds the longest line");

/* --- writing --- */

/* Each text behind its length, so that no two targets give the same bytes. */
static void put_text(struct buf *out, const char *text)
{
	if (text == NULL)
		buf_str(out, "-;");
	else
		buf_printf(out, "%zu:%s;", strlen(text), text);
}

int upload_record_name(const struct upload_target *target, char ret_name[SHA256_HEX_SIZE], struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(UPLOAD_RECORD_HEADER_MAX);
	uint8_t sum[SHA256_LEN];

	buf_printf(&text, "upload %d;", VERSION);
	put_text(&text, target->image_sha256);
	put_text(&text, target->endpoint);
	put_text(&text, target->account);
	put_text(&text, target->region);
	put_text(&text, target->description);
	put_text(&text, target->kms_key_arn);
	put_text(&text, target->purpose);
	buf_printf(&text, "%llu;%d;%d;", (unsigned long long)target->size_gib, target->encrypted, target->skip_zero_blocks);
	if (buf_check(&text, "what sets an upload apart from others", err) != 0 ||
	    digest_sha256(text.data, text.len, sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), ret_name);
	return 0;
}

int upload_record_describe(const struct upload_target *target, char **ret_json, struct error *err)
{
	struct buf text = BUF_INIT(UPLOAD_RECORD_HEADER_MAX);
	struct json_writer writer;

	json_writer_init(&writer, &text);
	json_begin_object(&writer);
	json_member_string(&writer, "image_sha256", target->image_sha256);
	json_member_string(&writer, "endpoint", target->endpoint);
	json_member_string(&writer, "account", target->account);
	json_member_string(&writer, "region", target->region);
	json_member_string(&writer, "description", target->description);
	json_member_string(&writer, "kms_key_arn", target->kms_key_arn);
	json_member_string(&writer, "purpose", target->purpose);
	json_member_unsigned(&writer, "size_gib", target->size_gib);
	json_member_boolean(&writer, "encrypted", target->encrypted);
	json_member_boolean(&writer, "skip_zero_blocks", target->skip_zero_blocks);
	json_end_object(&writer);
	if (buf_check(&text, "what is noted of an upload", err) != 0) {
		buf_free(&text);
		return -1;
	}
	*ret_json = text.data;
	return 0;
}

int upload_record_header_line(const struct upload_record_header *header, struct buf *line, struct error *err)
{
	struct json_writer writer;

	json_writer_init(&writer, line);
	json_begin_object(&writer);
	json_member_integer(&writer, "upload", VERSION);
	json_member_integer(&writer, "pid", getpid());
	json_member_integer(&writer, "started", header->started);
	json_member_string(&writer, "snapshot_id", header->snapshot_id);
	json_member_boolean(&writer, "encrypted", header->encrypted);
	json_member_unsigned(&writer, "timeout_minutes", header->timeout_minutes);
	json_key(&writer, "target");
	buf_str(line, header->target);
	json_end_object(&writer);
	buf_char(line, '\n');
	return buf_check(line, "the first line of an upload's file", err);
}

size_t upload_record_line(uint32_t index, const uint8_t sha256[SHA256_LEN], char ret_line[UPLOAD_RECORD_LINE_SIZE])
{
	char hex[SHA256_HEX_SIZE];

	digest_hex(sha256, SHA256_LEN, hex);
	return (size_t)snprintf(ret_line, UPLOAD_RECORD_LINE_SIZE, "%u %s\n", (unsigned)index, hex);
}

/* --- reading --- */

static bool is_snapshot_id(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const size_t prefix = strlen("snap-");

	if (text == NULL || strlen(text) >= UPLOAD_RECORD_SNAPSHOT_SIZE || strncmp(text, "snap-", prefix) != 0)
		return false;
	return text[prefix] != '\0' && text[prefix + strspn(text + prefix, allowed)] == '\0';
}

static bool take_members(struct upload_record *record, const struct json *root)
{
	int64_t version;
	int64_t minutes;

	const char *snapshot_id = json_text(json_get(root, "snapshot_id"));
	const struct json *encrypted = json_get(root, "encrypted");
	if (!json_int(json_get(root, "upload"), &version) || version != VERSION || !is_snapshot_id(snapshot_id) ||
	    !json_is(encrypted, JSON_BOOL) || !json_int(json_get(root, "timeout_minutes"), &minutes) || minutes < 1 ||
	    minutes > MAX_TIMEOUT_MINUTES)
		return false;
	memcpy(record->snapshot_id, snapshot_id, strlen(snapshot_id) + 1);
	record->encrypted = json_true(encrypted);
	record->timeout_minutes = (unsigned)minutes;
	record->has_header = true;
	return true;
}

static bool take_header(struct upload_record *record, const char *line, size_t len, bool *ret_nomem)
{
	CLEANUP_ARENA struct arena *arena = arena_new(SCRATCH_BYTES);
	const struct json *root;
	struct error err = { .kind = ERROR_NOMEM };

	bool good = arena != NULL && json_parse(arena, line, len, UPLOAD_RECORD_HEADER_MAX, &root, &err) == 0;
	*ret_nomem = !good && err.kind == ERROR_NOMEM;
	return good && take_members(record, root);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_sum(const char *hex, uint8_t ret_sum[SHA256_LEN])
{
	for (size_t i = 0; i < SHA256_LEN; i++) {
		int high = digit(hex[2 * i]);
		int low = digit(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret_sum[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_block(const char *line, size_t len, struct upload_record_block *ret_block)
{
	uint64_t index = 0;
	size_t at = 0;

	for (; at < len && at < 9 && line[at] >= '0' && line[at] <= '9'; at++)
		index = index * 10 + (uint64_t)(line[at] - '0');
	if (at == 0 || (at > 1 && line[0] == '0') || index > ONHOST_BLOCK_INDEX_MAX)
		return false;
	if (len - at != 1 + 2 * SHA256_LEN || line[at] != ' ')
		return false;
	ret_block->index = (uint32_t)index;
	return read_sum(line + at + 1, ret_block->sha256);
}

struct reading {
	struct upload_record *record;
	size_t room;
	bool nomem;
};

static bool take_block(struct reading *reading, const char *line, size_t len)
{
	struct upload_record *record = reading->record;
	struct upload_record_block block = { .line = (uint32_t)record->n_blocks };

	if (!read_block(line, len, &block))
		return false;
	if (record->n_blocks == reading->room) {
		size_t room = reading->room == 0 ? FIRST_ROOM : reading->room * 2;
		struct upload_record_block *larger = realloc(record->blocks, room * sizeof(*larger));
		if (larger == NULL) {
			reading->nomem = true;
			return false;
		}
		record->blocks = larger;
		reading->room = room;
	}
	record->blocks[record->n_blocks++] = block;
	return true;
}

/* The whole lines of a piece; false when one of them is none of ours, and nothing behind it counts. */
static bool take_lines(struct reading *reading, const char *piece, size_t len, size_t *ret_used)
{
	const char *at = piece;
	const char *end;
	bool good = true;

	while (good && (end = memchr(at, '\n', (size_t)(piece + len - at))) != NULL) {
		size_t line = (size_t)(end - at);
		good = reading->record->has_header ? take_block(reading, at, line) :
						     take_header(reading->record, at, line, &reading->nomem);
		if (good)
			at = end + 1;
	}
	*ret_used = (size_t)(at - piece);
	return good;
}

static int by_index(const void *a, const void *b)
{
	const struct upload_record_block *one = a;
	const struct upload_record_block *other = b;

	if (one->index != other->index)
		return one->index < other->index ? -1 : 1;
	return one->line < other->line ? -1 : one->line > other->line;
}

static void sort_blocks(struct upload_record *record)
{
	size_t kept = 0;

	if (record->n_blocks == 0)
		return;
	qsort(record->blocks, record->n_blocks, sizeof(*record->blocks), by_index);
	for (size_t i = 0; i < record->n_blocks; i++) {
		if (i + 1 < record->n_blocks && record->blocks[i + 1].index == record->blocks[i].index)
			continue;
		record->blocks[kept++] = record->blocks[i];
	}
	record->n_blocks = kept;
}

static int read_all(int fd, const char *what, uint64_t max, struct reading *reading, struct error *err)
{
	CLEANUP_FREE char *piece = malloc(PIECE_BYTES);
	uint64_t *good = &reading->record->good_bytes;

	if (piece == NULL)
		return error_nomem(err);
	while (*good < max) {
		size_t used;
		size_t want = max - *good < PIECE_BYTES ? (size_t)(max - *good) : PIECE_BYTES;
		ssize_t len = io_pread_full(fd, piece, want, *good, what, err);
		if (len < 0)
			return -1;
		bool all_good = take_lines(reading, piece, (size_t)len, &used);
		*good += used;
		/* a line that does not end within a piece is cut, or none */
		if (!all_good || used == 0)
			break;
	}
	return reading->nomem ? error_nomem(err) : 0;
}

int upload_record_read(int fd, const char *what, uint64_t max, struct upload_record *ret_record, struct error *err)
{
	struct upload_record record = { 0 };
	struct reading reading = { .record = &record };

	if (read_all(fd, what, max, &reading, err) != 0) {
		upload_record_free(&record);
		return -1;
	}
	sort_blocks(&record);
	*ret_record = record;
	return 0;
}

int upload_record_read_header(int fd, const char *what, struct upload_record *ret_record, struct error *err)
{
	CLEANUP_FREE char *piece = malloc(UPLOAD_RECORD_HEADER_MAX);
	struct upload_record record = { 0 };

	if (piece == NULL)
		return error_nomem(err);
	ssize_t len = io_pread_full(fd, piece, UPLOAD_RECORD_HEADER_MAX, 0, what, err);
	if (len < 0)
		return -1;
	const char *end = memchr(piece, '\n', (size_t)len);
	bool nomem = false;
	if (end != NULL && take_header(&record, piece, (size_t)(end - piece), &nomem))
		record.good_bytes = (uint64_t)(end - piece) + 1;
	if (nomem)
		return error_nomem(err);
	*ret_record = record;
	return 0;
}

const uint8_t *upload_record_find(const struct upload_record *record, uint32_t index)
{
	size_t low = 0;
	size_t high = record->n_blocks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (record->blocks[middle].index == index)
			return record->blocks[middle].sha256;
		if (record->blocks[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void upload_record_free(struct upload_record *record)
{
	free(record->blocks);
	*record = (struct upload_record){ 0 };
}
