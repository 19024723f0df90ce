/* SPDX-License-Identifier: Apache-2.0 */
/* All actions that AWS is asked for, each declared once: by which service, for which feature, and what becomes of it where it is
 * denied. aws_call makes no call that is not declared here; `cpi policy` and `cpi check` read the same table. What is sent in
 * a call is the typed calls', which features a configuration uses is cpi/policy's.
 * Facts: Service Authorization Reference (EC2, EBS, Elastic Load Balancing, STS, IAM, KMS). */
#ifndef CPI_AWS_AWS_ACTIONS_H
#define CPI_AWS_AWS_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* What an operator may allow or leave out as a whole. */
enum aws_feature_id {
	AWS_FEATURE_VM,
	AWS_FEATURE_INTERFACE,
	AWS_FEATURE_PREFIX,
	AWS_FEATURE_SOURCE_DEST_CHECK,
	AWS_FEATURE_ELASTIC_IP,
	AWS_FEATURE_ROUTE,
	AWS_FEATURE_ELB,
	AWS_FEATURE_TARGET_GROUP,
	AWS_FEATURE_PROFILE,
	AWS_FEATURE_SPOT,
	AWS_FEATURE_TAG,
	AWS_FEATURE_DISK,
	AWS_FEATURE_RESIZE,
	AWS_FEATURE_ENCRYPTION,
	AWS_FEATURE_SNAPSHOT,
	AWS_FEATURE_HEAVY_STEMCELL,
	AWS_FEATURE_LIGHT_STEMCELL,
	AWS_FEATURE_DIRECT_STEMCELL,
	AWS_FEATURE_WORKER,
	AWS_FEATURE_ROLE,
	AWS_FEATURE_DENIAL,
	AWS_FEATURE_NONE, /* of actions that take no permission; also their number */
};
#define AWS_N_FEATURES ((size_t)AWS_FEATURE_NONE)
#define AWS_FEATURE_BIT(id) (1U << (unsigned)(id))

struct aws_feature {
	const char *name;       /* "elastic-ip" */
	const char *sid;        /* "ElasticIp": letters and digits alone, as IAM has it */
	const char *used_by;    /* methods and commands */
	const char *decided_by; /* the properties that call for it */
};

struct aws_action {
	const char *service; /* as the signature and IAM have it */
	const char *name;
	enum aws_feature_id feature; /* whose it is */
	unsigned also;               /* features that need it too: AWS_FEATURE_BIT */
	bool by_aws;                 /* never called: AWS asks for it where it carries out one of our calls */
	bool reads;                  /* changes nothing */
	const char *can_do_without;  /* what happens where it is denied; NULL: what needs it fails */
};

extern const struct aws_feature aws_features[];
extern const struct aws_action aws_actions[];
extern const size_t aws_action_count;

/* NULL: it is not declared. */
const struct aws_action *aws_action_find(const char *service, const char *name);
/* Whether a feature needs an action, as its own or besides. */
bool aws_action_serves(const struct aws_action *action, enum aws_feature_id feature);
/* What a refusal is about: the declared action that the message names ("iam:PassRole"), else the one that was called. */
const struct aws_action *aws_action_refused(const char *service, const char *name, const char *message);

#endif
