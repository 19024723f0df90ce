/* SPDX-License-Identifier: Apache-2.0 */
/* The single checks of `cpi check`, in the order in which they are made. Each adds its findings; -1 only where what comes
 * next would make no sense without it. None creates, changes or deletes anything in the account. */
#ifndef CPI_CHECK_CHECKS_H
#define CPI_CHECK_CHECKS_H

#include "common/arena.h"
#include "common/runtime.h"
#include "cpi/builder/builder.h"
#include "cpi/check/findings.h"
#include "cpi/config.h"
#include "cpi/ec2/client.h"

struct check {
	struct runtime *runtime;
	const struct config *config;
	struct ec2_client *ec2;
	struct arena *arena; /* outlives the findings */
	struct findings *findings;
	const char *account;   /* whose the credentials are; NULL: not known */
	/* endpoints that have answered: what does not answer now would only take its time-outs again */
	bool sts_answers;
	bool balancers_answer;
	bool target_groups_answer;
	bool ebs_answers;
	/* check_open_builder's */
	struct builder *builder;
	struct builder_place place;
	struct error no_builder; /* why there is none */
	bool has_builder;
	bool uploads; /* stemcells go through the EBS direct APIs */
};

/* --- account.c: who we are --- */

void check_region(struct check *check);
/* Which source has credentials. */
int check_credentials(struct check *check);
/* Who that is: GetCallerIdentity. Sets account. */
void check_identity(struct check *check);
/* One call to EC2 that is really made. -1 where nothing can be learned from further ones. */
int check_ec2(struct check *check);
/* What to do about a refusal that concerns all calls; NULL: see the message. */
const char *check_call_advice(const struct error *why);

/* --- endpoints.c: the way there --- */

/* EC2's, the load balancers', STS's and, where they are used, the EBS direct APIs'; and the clock. -1 when EC2's does not
 * answer. */
int check_endpoints(struct check *check);

/* --- permissions.c, services.c: what we may do --- */

void check_permissions(struct check *check);
void check_load_balancers(struct check *check);
/* Only where stemcells go through the EBS direct APIs. */
void check_ebs_direct(struct check *check);

/* --- machine.c: this machine and what is around it --- */

void check_state_directory(struct check *check);
/* Finds out which builder it will be; check_builder tells, and closes it. */
void check_open_builder(struct check *check);
void check_builder(struct check *check);
/* Only where one is configured. */
void check_registry(struct check *check);

#endif
