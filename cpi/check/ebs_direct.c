/* SPDX-License-Identifier: Apache-2.0 */
/* The EBS direct APIs know no dry run: they are asked for the blocks of a snapshot that does not exist, once.
 * Fact: "ListSnapshotBlocks", EBS direct APIs Reference: ResourceNotFoundException, AccessDeniedException. */
#include "cpi/aws/client.h"
#include "cpi/check/checks.h"

#define NAME "EBS direct permissions"
#define SNAPSHOT "snap-0123456789abcdef0"
#define UNTRIED "ebs:StartSnapshot, ebs:PutSnapshotBlock and ebs:CompleteSnapshot"

static const struct aws_service ebs = { .name = "ebs", .version = "2019-11-02" };

static int ask(struct check *check, struct error *err)
{
	const struct aws_rest_call call = {
		.call = { .service = &ebs, .action = "ListSnapshotBlocks", .purpose = "snapshot " SNAPSHOT, .once = true },
		.method = "GET",
		.path = "/snapshots/" SNAPSHOT "/blocks",
		.query = "maxResults=100",
	};

	return aws_call_rest(check->ec2->aws, &call, err);
}

void check_ebs_direct(struct check *check)
{
	struct error why;

	if (!check->uploads || !check->ebs_answers)
		return;
	if (ask(check, &why) == 0 || ec2_is_not_found(&why))
		findings_ok(check->findings, NAME,
			    "ebs:ListSnapshotBlocks permitted; not tried: " UNTRIED ", which have no dry run");
	else if (ec2_is_denied(&why))
		findings_failed(check->findings, NAME, "allow ebs:ListSnapshotBlocks, " UNTRIED " on *",
				"ebs:ListSnapshotBlocks is denied (%s)", why.aws_code);
	else
		findings_unknown(check->findings, NAME, "see the message, and try again", "%s; not tried: " UNTRIED, why.message);
}
