/* SPDX-License-Identifier: Apache-2.0 */
/* The EC2 actions that the CPI calls, by what they are for, each with parameters for a dry run of it. Which there are, which of
 * them read and which can be done without says cpi/aws/aws_actions.h. */
#ifndef CPI_CHECK_FEATURES_H
#define CPI_CHECK_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "cpi/aws/aws_actions.h"
#include "cpi/config.h"

#define FEATURE_MAX_PARAMS 12

/* Values that are filled in when the action is tried. */
#define FEATURE_ZONE "$zone"
#define FEATURE_REGION "$region"
#define FEATURE_KMS_KEY "$kms-key" /* left out where none is configured */
#define FEATURE_PROFILE "$profile"

struct feature_param {
	const char *name;
	const char *value;
};

/* Ids are well-formed and name nothing: where a dry run were carried out by mistake, it would find nothing to harm, and make a
 * volume of 1 GiB at most. */
struct feature_action {
	const char *name; /* of EC2, and in the table */
	struct feature_param params[FEATURE_MAX_PARAMS]; /* end with a NULL name */
};

struct feature {
	enum aws_feature_id id; /* the table's */
	const char *name;    /* the finding's */
	const char *used_by; /* who needs it, where that is not everybody; else NULL */
	const char *allow;   /* what else must be allowed, besides the actions; else NULL */
	const char *untried; /* what a dry run does not show; else NULL */
	bool (*is_configured)(const struct config *config); /* NULL: always */
	const struct feature_action *actions;
	size_t n_actions;
};

extern const struct feature feature_list[];
extern const size_t feature_count;

/* aws.default_iam_instance_profile, NULL where there is none. */
const char *feature_instance_profile(const struct config *config);
/* Whether the action is tried with that profile. */
bool feature_action_names_profile(const struct feature_action *action);
/* Whether that action is called with that configuration. */
bool feature_action_is_needed(const struct feature_action *action, const struct config *config);

#endif
