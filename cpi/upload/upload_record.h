/* SPDX-License-Identifier: Apache-2.0 */
/* The text of an upload's file, there and back: a line of JSON that says which snapshot and for whom, and a line a block, "INDEX
 * SHA256" (decimal, 64 lower-case hexadecimal digits). Where the file lies, and whose it is, is upload_state.c's. */
#ifndef CPI_UPLOAD_UPLOAD_RECORD_H
#define CPI_UPLOAD_UPLOAD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/error.h"
#include "cpi/upload/upload_state.h"

#define UPLOAD_RECORD_HEADER_MAX ((size_t)16 * 1024)
#define UPLOAD_RECORD_SNAPSHOT_SIZE 64
/* A block's line with its line break, and a NUL. */
#define UPLOAD_RECORD_LINE_SIZE 80

/* In hex, the same for the same target alone. */
int upload_record_name(const struct upload_target *target, char ret_name[SHA256_HEX_SIZE], struct error *err);
/* The target as JSON, for people who look into the file; freed by the caller. */
int upload_record_describe(const struct upload_target *target, char **ret_json, struct error *err);

struct upload_record_header {
	const char *snapshot_id;
	bool encrypted;
	unsigned timeout_minutes;
	int64_t started;    /* seconds since 1970 */
	const char *target; /* upload_record_describe's */
};

/* With its line break. */
int upload_record_header_line(const struct upload_record_header *header, struct buf *line, struct error *err);
/* With its line break; the length. */
size_t upload_record_line(uint32_t index, const uint8_t sha256[SHA256_LEN], char ret_line[UPLOAD_RECORD_LINE_SIZE]);

struct upload_record_block {
	uint32_t index;
	uint32_t line; /* which it was: of several for one block the last counts */
	uint8_t sha256[SHA256_LEN];
};

/* Starts as zeros. */
struct upload_record {
	bool has_header;
	char snapshot_id[UPLOAD_RECORD_SNAPSHOT_SIZE];
	bool encrypted;
	unsigned timeout_minutes;
	struct upload_record_block *blocks; /* ascending, each once */
	size_t n_blocks;
	uint64_t good_bytes; /* of the file, up to the first thing that is none of ours */
};

/* Reads a file from its start, and no more of it than max bytes. Whatever is in it: it stops at the first line that was cut or is
 * none. ERROR_IO that names what; ERROR_NOMEM. */
int upload_record_read(int fd, const char *what, uint64_t max, struct upload_record *ret_record, struct error *err);
/* The header alone. */
int upload_record_read_header(int fd, const char *what, struct upload_record *ret_record, struct error *err);
/* The block's digest, NULL when it is not there. */
const uint8_t *upload_record_find(const struct upload_record *record, uint32_t index);
/* Leaves it as zeros. */
void upload_record_free(struct upload_record *record);

#endif
