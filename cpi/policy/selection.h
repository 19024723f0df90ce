/* SPDX-License-Identifier: Apache-2.0 */
/* Which features a policy is made for: what the configuration uses and what it cannot know of, as an operator changes it. */
#ifndef CPI_POLICY_SELECTION_H
#define CPI_POLICY_SELECTION_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/aws/aws_actions.h"
#include "cpi/config.h"

/* As typed; NULL: not given. Lists are names with commas between them. */
struct policy_choice {
	const char *only;    /* these and no others */
	const char *with;    /* these too */
	const char *without; /* not these */
	const char *role;    /* that VMs may be given: its ARN or its name */
	const char *kms_key; /* its ARN, in place of the configuration's */
	const char *region;  /* in place of the configuration's */
};

struct policy_selection {
	bool chosen[AWS_N_FEATURES];
	const char *region;     /* NULL: not known, any */
	const char *partition;  /* "aws" */
	const char *role;       /* ARN that iam:PassRole is for */
	const char *kms_key;    /* ARN; NULL: none is known */
	const char *assumed;    /* aws.role_arn, NULL: none */
	bool instance_types;    /* DescribeInstanceTypes is called */
};

/* Texts are the configuration's, the choice's and the arena's. Makes no call. ERROR_INVALID for a feature that there is not (with
 * the nearest that there is), for a role or a key that is no ARN of one, and for a feature that needs one that is not known. */
int policy_select(const struct config *config, const struct policy_choice *choice, struct arena *arena,
		  struct policy_selection *ret_selection, struct error *err);
/* Whether the policy holds that action. */
bool policy_has(const struct policy_selection *selection, const struct aws_action *action);

#endif
