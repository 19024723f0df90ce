/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/block_kit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/io.h"

/* Not by the encoder: the form is the contract's. */
void block_kit_header(struct buf *stream, uint32_t first, uint32_t second)
{
	const uint8_t bytes[8] = {
		(uint8_t)(first >> 24),	 (uint8_t)(first >> 16),  (uint8_t)(first >> 8),  (uint8_t)first,
		(uint8_t)(second >> 24), (uint8_t)(second >> 16), (uint8_t)(second >> 8), (uint8_t)second,
	};
	buf_append(stream, bytes, sizeof(bytes));
}

void block_kit_message(struct buf *stream, const char *json)
{
	block_kit_header(stream, (uint32_t)strlen(json), 0);
	buf_str(stream, json);
}

void block_kit_progress(struct buf *stream, uint64_t read, uint64_t total)
{
	char json[256];

	snprintf(json, sizeof(json), "{\"event\":\"progress\",\"read\":%llu,\"written\":0,\"skipped\":0,\"total\":%llu,\"seconds\":0.5}",
		 (unsigned long long)read, (unsigned long long)total);
	block_kit_message(stream, json);
}

void block_kit_block(struct buf *stream, uint32_t index, uint8_t byte, uint32_t len)
{
	block_kit_header(stream, index, len);
	char *data = buf_reserve(stream, len);
	assert_non_null(data);
	memset(data, byte, len);
	buf_commit(stream, len);
}

void block_kit_written(struct buf *stream, uint64_t image_size)
{
	char json[512];

	snprintf(json, sizeof(json),
		 "{\"ok\":\"written\",\"read\":5,\"written\":3,\"skipped\":2,\"image_size\":%llu,\"seconds\":1,"
		 "\"input_sha256\":\"" BLOCK_KIT_SUM "\",\"image_sha256\":\"\",\"format\":\"gzip tar\"}",
		 (unsigned long long)image_size);
	block_kit_message(stream, json);
}

void block_kit_program(const struct tree *tree, const struct buf *stream, const char *before, const char *after)
{
	char path[128];

	tree_path(tree, "stream", path, sizeof(path));
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(buf_check(stream, "the stream", NULL), 0);
	assert_int_equal(io_write_all(fd, stream->len > 0 ? stream->data : "", stream->len, path, NULL), 0);
	char script[2048];
	int len = snprintf(script, sizeof(script),
			   "#!/bin/sh\nprintf '%%s\\n' \"$@\" >%s/arguments\nenv >%s/environment\n%s\ncat %s\n%s\n", tree->root,
			   tree->root, before, path, after);
	assert_true(len > 0 && (size_t)len < sizeof(script));
	tree_file(tree, script, "onhost");
	assert_int_equal(chmod(tree_path(tree, "onhost", path, sizeof(path)), 0700), 0);
}
