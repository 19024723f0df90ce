/* SPDX-License-Identifier: Apache-2.0 */
/* The EBS direct APIs, as far as a snapshot is made by them: StartSnapshot, PutSnapshotBlock, CompleteSnapshot. Fact: EBS direct
 * APIs Reference; "Use EBS direct APIs to write", Amazon EBS User Guide. */
#ifndef CPI_EC2_SNAPSHOT_BLOCKS_H
#define CPI_EC2_SNAPSHOT_BLOCKS_H

#include "common/digest.h"
#include "cpi/ec2/client.h"

#define SNAPSHOT_BLOCK_SIZE ((size_t)512 * 1024)
/* How long after StartSnapshot AWS may not know the snapshot everywhere. */
#define SNAPSHOT_UNKNOWN_MS ((int64_t)130 * 1000)

struct snapshot_start_request {
	uint64_t size_gib;
	const char *description; /* NULL: none */
	struct ec2_tags tags;
	bool encrypted;          /* false: as the account's default is */
	const char *kms_key_arn; /* NULL: the account's default key. A key's full ARN, otherwise ERROR_CONFIG: an alias or id is refused */
	const char *client_token;
	unsigned timeout_minutes; /* 10 to 4320: AWS drops the snapshot when nothing comes for so long */
};

struct started_snapshot {
	const char *id;
	bool encrypted; /* as AWS says: the account's default counts */
};

/* A denial names the permission (ebs:StartSnapshot …), in all three. */
int snapshot_start(struct ec2_client *ec2, struct arena *arena, const struct snapshot_start_request *request,
		   struct started_snapshot *ret_snapshot, struct error *err);

struct snapshot_block {
	const char *snapshot_id;
	uint32_t index;
	const uint8_t *data; /* SNAPSHOT_BLOCK_SIZE bytes */
	const uint8_t *sha256; /* of them, SHA256_LEN bytes */
	unsigned percent;      /* of all, for those who ask EC2 for the snapshot's progress */
	int64_t unknown_ms;    /* how long "snapshot does not exist" may still be AWS's slowness; 0: no longer */
};

/* What happened on the way, for whoever decides how many are sent at once. */
struct snapshot_put {
	unsigned throttled; /* attempts that AWS refused because the account asks too much */
};

/* Any thread may call. Writing a block again replaces it. The answer's checksum is compared with ours (ERROR_AWS when it is
 * another one, time and again). Leaves a log line at debug when all went well at once, else as every call does. *ret_put is
 * filled in either case. */
int snapshot_put_block(struct ec2_client *ec2, const struct snapshot_block *block, struct snapshot_put *ret_put, struct error *err);
/* sha256: over the digests of all blocks in the order of their indexes. AWS goes on working when this returns: see
 * snapshot_wait_completed. A lost answer is no failure: to a snapshot that is completed already, AWS's refusal counts as success. */
int snapshot_complete(struct ec2_client *ec2, const char *snapshot_id, uint32_t n_blocks, const uint8_t sha256[SHA256_LEN],
		      struct error *err);

#endif
