/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which the processes of one user keep one account's buckets: text, locked while it is in use, rewritten in
 * place. There is none while nothing is throttled. */
#ifndef CPI_AWS_THROTTLE_FILE_H
#define CPI_AWS_THROTTLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "cpi/aws/token_bucket.h"

#define THROTTLE_NAME_SIZE 80
#define THROTTLE_MAX_BUCKETS 64
#define THROTTLE_MAX_BYTES ((size_t)16 * 1024)

struct throttle_table {
	size_t count;
	struct throttle_entry {
		char name[THROTTLE_NAME_SIZE]; /* letters, digits, dots */
		struct token_bucket bucket;
	} entries[THROTTLE_MAX_BUCKETS];
};

enum throttle_opened {
	THROTTLE_FILE_OPEN,
	THROTTLE_FILE_NONE, /* it does not exist */
	THROTTLE_FILE_BUSY, /* nobody keeps it as long as it was waited for; or its lock cannot be had */
};

/* Opens and locks it, and reads it into the table: an empty one where it is new or holds anything but buckets. With create,
 * makes it (0600) where there is none. -1 and ERROR_IO where it can be used neither now nor later: not this user's, not
 * a file, not allowed. The lock goes with the descriptor. */
int throttle_file_open(const char *path, bool create, enum throttle_opened *ret_opened, int *ret_fd,
		       struct throttle_table *ret_table, struct error *err);
/* Writes what is to stay; an empty table removes the file. */
int throttle_file_write(int fd, const char *path, const struct throttle_table *table, struct error *err);
/* Deletes the files of that folder that nobody has written for a day. now_s: seconds since 1970. */
void throttle_file_sweep(const char *folder, int64_t now_s);

#endif
