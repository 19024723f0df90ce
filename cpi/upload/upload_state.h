/* SPDX-License-Identifier: Apache-2.0 */
/* What has been uploaded of a snapshot, on the disk, so that the same upload goes on after a kill: one file an upload, locked
 * while its process lives, in the folder "uploads" of the state directory (common/state_dir.h). A line a block, whose
 * acknowledgement has come before it is written; a line that was cut, and what follows it, does not count. The blocks' digests stand
 * there, so that nothing is believed but that AWS has such a block. */
#ifndef CPI_UPLOAD_UPLOAD_STATE_H
#define CPI_UPLOAD_UPLOAD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/deadline.h"
#include "common/digest.h"
#include "common/error.h"

/* 1.7 TiB of blocks; what comes then is not recorded. */
#define UPLOAD_STATE_MAX_BYTES ((size_t)256 * 1024 * 1024)

struct upload_state;

/* What makes two uploads the same one. Texts may be NULL: not said. */
struct upload_target {
	const char *image_sha256; /* of the image's file, in hex */
	const char *endpoint;     /* of EBS */
	const char *account;      /* or the access key's id */
	const char *region;
	const char *description;
	const char *kms_key_arn;
	const char *purpose;      /* "create_stemcell" and the request's director, "upload-image": what else sets them apart (tags, names) */
	uint64_t size_gib;
	bool encrypted;
	bool skip_zero_blocks;
};

/* Finds or makes the file and locks it. ERROR_IO when the state directory cannot be used, or (retryable) another process is at
 * the very same upload. Files of uploads that are over their time and belong to no process are deleted on the way. */
int upload_state_open(const struct clock *clock, const struct upload_target *target, struct upload_state **ret_state,
		      struct error *err);
/* What was recorded, NULL when there is nothing to go on from (a new file, or one that is over its time). The text lives as long as
 * the state. */
const char *upload_state_snapshot(const struct upload_state *state);
bool upload_state_encrypted(const struct upload_state *state);
/* Of the blocks that were recorded when it was opened (what is added later is not looked up again; upload_state_begin forgets them):
 * whether this one is among them, with any digest; whether with that digest; how many they are. Any thread. */
bool upload_state_knows(const struct upload_state *state, uint32_t index);
bool upload_state_has(const struct upload_state *state, uint32_t index, const uint8_t sha256[SHA256_LEN]);
uint32_t upload_state_count(const struct upload_state *state);

/* Starts over with that snapshot, which AWS drops timeout_minutes after the last sign of life: on the disk when it returns. */
int upload_state_begin(struct upload_state *state, const char *snapshot_id, bool encrypted, unsigned timeout_minutes,
		       struct error *err);
/* A block was acknowledged. Any thread. A failure to write is told once, and then nothing more is recorded. */
int upload_state_add(struct upload_state *state, uint32_t index, const uint8_t sha256[SHA256_LEN], struct error *err);
/* Closes it; the file stays for the next try. NULL is passed over. */
void upload_state_close(struct upload_state *state);
/* Deletes the file and closes it. */
void upload_state_remove(struct upload_state *state);

#endif
