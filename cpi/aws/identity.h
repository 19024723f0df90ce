/* SPDX-License-Identifier: Apache-2.0 */
/* What calls are signed with: credentials and AWS's clock, one for all threads of a client. One thread loads credentials while
 * the others wait for the outcome; no lock is held meanwhile. */
#ifndef CPI_AWS_IDENTITY_H
#define CPI_AWS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/runtime.h"
#include "cpi/aws/client.h"
#include "cpi/aws/credentials/credentials.h"

struct identity;

/* What one attempt is signed with: a copy, because newer credentials may replace them at any time. Its texts live as long as
 * the identity. */
struct identity_use {
	struct credentials credentials;
	unsigned generation;    /* counts the credentials that were loaded */
	int64_t clock_offset_s; /* AWS's clock, as seen from ours */
};

/* Looks nothing up yet. settings and runtime must outlive it. */
int identity_new(struct runtime *runtime, const struct aws_settings *settings, struct identity **ret_identity,
		 struct error *err);
/* These credentials for good, NULL: none, for calls that are not signed. They must outlive it. */
int identity_new_fixed(struct runtime *runtime, const struct aws_settings *settings,
		       const struct credentials *credentials, struct identity **ret_identity, struct error *err);
/* Also makes the log forget its secrets. NULL is passed over. */
void identity_free(struct identity *identity);

/* Loads credentials where there are none yet or they are about to expire; where that fails or brings the same, those that
 * are still valid (or may stay in use) do, and the source is left in peace for a minute. -1 with the error of
 * credentials_load. */
int identity_get(struct identity *identity, struct identity_use *ret_use, struct error *err);
/* Seconds since 1970 by AWS's clock. */
int64_t identity_now_s(const struct identity *identity, const struct identity_use *use);

/* After a refusal that a wrong clock may have caused: takes AWS's clock from the answer's Date (seconds since 1970; 0: none)
 * where the one that use was signed by is over 4 minutes off. true when signing again makes sense. */
bool identity_repair_clock(struct identity *identity, const struct identity_use *use, int64_t date);
/* After a refusal because a session has expired: has use's credentials loaded again by the next identity_get, unless that
 * has happened already. true when signing again makes sense; keys without an end come out of their source the same. */
bool identity_renew(struct identity *identity, const struct identity_use *use);

#endif
