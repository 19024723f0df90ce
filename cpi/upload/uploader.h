/* SPDX-License-Identifier: Apache-2.0 */
/* All blocks of an image to a snapshot that was started: one thread reads them (the caller's), others hash and send them, each
 * on a connection of its own. Memory is a fixed number of blocks: when all are on their way, reading waits. */
#ifndef CPI_UPLOAD_UPLOADER_H
#define CPI_UPLOAD_UPLOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "common/runtime.h"
#include "cpi/ec2/client.h"
#include "cpi/upload/image_blocks.h"
#include "cpi/upload/upload_state.h"

#define UPLOADER_CONNECTIONS 32
#define UPLOADER_CONNECTIONS_MAX 64 /* CONFIG_UPLOAD_CONNECTIONS_MAX */

struct uploader_options {
	const char *snapshot_id;
	struct image_blocks *blocks;
	struct upload_state *state; /* NULL: nothing is recorded or known */
	uint64_t total_bytes;       /* of the image, 0: not known */
	unsigned connections;       /* 1 to UPLOADER_CONNECTIONS_MAX; 0: UPLOADER_CONNECTIONS */
	bool just_started;          /* the snapshot was made a moment ago: AWS may not know it yet */
	/* About once a second and at the end, from the caller's thread; may be NULL. written counts what was acknowledged,
	 * skipped what need not be sent or was acknowledged before. */
	void (*progress)(void *self, const struct onhost_progress *progress);
	void *self;
};

struct uploader_result {
	uint32_t n_blocks;  /* that the snapshot has now */
	uint32_t n_resumed; /* of these, acknowledged before */
	uint8_t sha256[SHA256_LEN]; /* over their digests in the order of indexes */
	unsigned most_at_once;
	unsigned throttled;
	double seconds;
	struct error recording; /* kind ERROR_NONE, unless blocks could not be recorded any more: why */
};

/* Returns when all blocks are acknowledged, or at the first failure (the block's number in front), when none is on its way any more:
 * they are cut off. Until then the runtime of ec2's calls watches a cancel of its own in place of runtime's, so that no other
 * thread may use that runtime. ERROR_INTERNAL when the state names blocks that the image does not have. */
int uploader_run(struct runtime *runtime, struct ec2_client *ec2, const struct uploader_options *options,
		 struct uploader_result *ret_result, struct error *err);

#endif
