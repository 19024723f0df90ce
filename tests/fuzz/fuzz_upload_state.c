/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an upload's file: no crash, only what stands in whole good lines from the start counts, and what is written behind
 * them is read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/io.h"
#include "common/onhost_blocks.h"
#include "cpi/upload/upload_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NEW_INDEX 77

static void require(bool condition)
{
	if (!condition)
		abort();
}

static struct upload_record read_file(int fd, uint64_t max)
{
	struct upload_record record = { 0 };
	struct error err;

	require(upload_record_read(fd, "the file", max, &record, &err) == 0);
	return record;
}

static void check(const struct upload_record *record, const uint8_t *data, size_t size)
{
	size_t lines = 0;

	require(record->good_bytes <= size);
	require(record->good_bytes == 0 || data[record->good_bytes - 1] == '\n');
	require(record->has_header == (record->good_bytes > 0));
	for (size_t i = 0; i < record->good_bytes; i++)
		lines += data[i] == '\n';
	require(record->n_blocks == 0 || record->n_blocks < lines);
	require(!record->has_header || (record->timeout_minutes > 0 && strncmp(record->snapshot_id, "snap-", 5) == 0));
	for (size_t i = 0; i < record->n_blocks; i++) {
		const struct upload_record_block *block = &record->blocks[i];
		require(block->index <= ONHOST_BLOCK_INDEX_MAX);
		require(i == 0 || record->blocks[i - 1].index < block->index);
		require(upload_record_find(record, block->index) == block->sha256);
	}
}

static void require_same(const struct upload_record *one, const struct upload_record *other)
{
	require(one->has_header == other->has_header && one->n_blocks == other->n_blocks);
	require(one->good_bytes == other->good_bytes && strcmp(one->snapshot_id, other->snapshot_id) == 0);
	for (size_t i = 0; i < one->n_blocks; i++) {
		require(one->blocks[i].index == other->blocks[i].index);
		require(memcmp(one->blocks[i].sha256, other->blocks[i].sha256, SHA256_LEN) == 0);
	}
}

/* As upload_state_add does it. */
static void check_appended(int fd, const struct upload_record *record)
{
	const uint8_t sum[SHA256_LEN] = { 0xab, 0xcd };
	char line[UPLOAD_RECORD_LINE_SIZE];
	size_t len = upload_record_line(NEW_INDEX, sum, line);
	bool was_there = upload_record_find(record, NEW_INDEX) != NULL;

	require(ftruncate(fd, (off_t)record->good_bytes) == 0);
	require(io_pwrite_all(fd, line, len, record->good_bytes, "the file", NULL) == 0);
	struct upload_record longer = read_file(fd, UPLOAD_STATE_MAX_BYTES);
	require(longer.good_bytes == record->good_bytes + len);
	require(longer.n_blocks == record->n_blocks + !was_there);
	require(memcmp(upload_record_find(&longer, NEW_INDEX), sum, sizeof(sum)) == 0);
	upload_record_free(&longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("upload", MFD_CLOEXEC);
	struct upload_record header = { 0 };

	require(fd >= 0 && io_write_all(fd, size > 0 ? data : (const uint8_t *)"", size, "the file", NULL) == 0);
	struct upload_record record = read_file(fd, UPLOAD_STATE_MAX_BYTES);
	check(&record, data, size);
	/* what follows the good bytes changes nothing */
	struct upload_record again = read_file(fd, record.good_bytes);
	require_same(&record, &again);
	require(upload_record_read_header(fd, "the file", &header, NULL) == 0);
	require(header.has_header == record.has_header && header.timeout_minutes == record.timeout_minutes);
	if (record.has_header)
		check_appended(fd, &record);
	upload_record_free(&again);
	upload_record_free(&record);
	close(fd);
	return 0;
}
