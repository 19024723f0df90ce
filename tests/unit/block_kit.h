/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of blocks as onhost would write them (common/onhost_blocks.h), well-formed or not, and a program that writes one. Whatever
 * cannot be made fails the test. */
#ifndef TESTS_UNIT_BLOCK_KIT_H
#define TESTS_UNIT_BLOCK_KIT_H

#include <stdint.h>

#include "common/buf.h"
#include "tests/unit/tree.h"

#define BLOCK_KIT_BLOCK ((uint32_t)512 * 1024)
#define BLOCK_KIT_MAX ((size_t)256 * 1024 * 1024)
#define BLOCK_KIT_SUM "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

/* The two numbers of a header. */
void block_kit_header(struct buf *stream, uint32_t first, uint32_t second);
void block_kit_message(struct buf *stream, const char *json);
void block_kit_progress(struct buf *stream, uint64_t read, uint64_t total);
/* len bytes, of which each is byte. */
void block_kit_block(struct buf *stream, uint32_t index, uint8_t byte, uint32_t len);
void block_kit_written(struct buf *stream, uint64_t image_size);

/* "TREE/onhost": a shell script that does `before`, writes the stream (TREE/stream), and does `after`; its arguments stand in
 * TREE/arguments, its environment in TREE/environment. */
void block_kit_program(const struct tree *tree, const struct buf *stream, const char *before, const char *after);

#endif
