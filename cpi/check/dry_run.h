/* SPDX-License-Identifier: Apache-2.0 */
/* Dry runs of EC2 actions, and what AWS says to each. Fact: "Common query parameters", Amazon EC2 API Reference:
 * DryRunOperation where the permissions are there, UnauthorizedOperation where they are not. Any other code says that AWS
 * looked at something else first: then it is not known. */
#ifndef CPI_CHECK_DRY_RUN_H
#define CPI_CHECK_DRY_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "cpi/check/features.h"
#include "cpi/check/checks.h"

enum dry_run_outcome {
	DRY_RUN_NOT_TRIED,
	DRY_RUN_PERMITTED,
	DRY_RUN_DENIED,
	DRY_RUN_NOT_FOUND,   /* the made-up id was looked for; nothing was refused */
	DRY_RUN_UNCLEAR,     /* another answer, or none */
	DRY_RUN_CARRIED_OUT, /* the other side does not know what a dry run is */
};

struct dry_run {
	const struct feature *feature;
	const struct feature_action *action;
	const struct aws_action *declared; /* the same as the table of all actions has it */
	enum dry_run_outcome outcome;
	const char *permission; /* denied: what is missing, as AWS names it, else "ec2:<action>" */
	bool explicit_deny;     /* denied by a statement, not for want of one */
	const char *code;       /* AWS's, or what else went wrong */
	const char *message;
};

/* Of all actions that the configuration needs, in the table's order; in check's arena. Those that read come first: unless AWS
 * has answered one of them as a dry run, none of the others is sent. -1 without memory or when cancelled. */
int dry_run_all(struct check *check, struct dry_run **ret_runs, size_t *ret_count, struct error *err);

#endif
