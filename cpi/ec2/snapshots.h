/* SPDX-License-Identifier: Apache-2.0 */
/* EBS snapshots: CreateSnapshot, DeleteSnapshot, DescribeSnapshots, and the wait for "completed". */
#ifndef CPI_EC2_SNAPSHOTS_H
#define CPI_EC2_SNAPSHOTS_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/wait.h"

struct snapshot {
	const char *id;
	const char *state; /* pending, completed, error, recoverable, recovering */
	const char *state_message;
	const char *progress; /* "40%" */
	const char *volume_id;
	const char *description;
	uint64_t volume_size_gib;
	bool encrypted;
	bool maybe_twice; /* by snapshot_create alone: an answer was lost, and EC2 did not show yet whether it had made one */
	struct ec2_tags tags;
};

/* EC2 takes no client token here: after a lost answer the snapshot is looked up by the tag unique_tag (one of tags,
 * whose value no other snapshot of the account has) before the call is made again. What EC2 does not show in that moment
 * is made twice; see maybe_twice. */
int snapshot_create(struct ec2_client *ec2, struct arena *arena, const char *volume_id, const char *description,
		    struct ec2_tags tags, const struct ec2_tag *unique_tag, struct snapshot *ret_snapshot,
		    struct error *err);
/* Gone already counts as success: *ret_existed (may be NULL) tells, and *err holds EC2's refusal then. */
int snapshot_delete(struct ec2_client *ec2, const char *snapshot_id, bool *ret_existed, struct error *err);
/* By ids, or by filters among the account's own; paged to the end. */
int snapshot_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		      struct snapshot **ret_snapshots, size_t *ret_count, struct error *err);
int snapshot_wait_completed(struct ec2_client *ec2, const char *snapshot_id, const struct wait_options *wait,
			    struct error *err);

#endif
