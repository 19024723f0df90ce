/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of one machine share of an account's request token buckets: a small locked file in the state
 * directory. Nothing is slowed down until AWS has refused a call of an action; from then on the calls of all processes
 * take turns at the rate at which the bucket refills, until it must be full again. Nothing here fails a call: where the
 * file cannot be used, each process learns for itself. */
#ifndef CPI_AWS_THROTTLE_H
#define CPI_AWS_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/runtime.h"
#include "cpi/aws/token_bucket.h"

struct throttle;

/* Whose bucket it is, and which one. */
struct throttle_scope {
	const char *account; /* its id or, where that is not known, the access key's */
	const char *region;
	const char *endpoint_host;
	const char *action;
	bool filtered; /* throttle_is_filtered */
};

/* Touches no file yet. */
int throttle_new(struct runtime *runtime, struct throttle **ret_throttle, struct error *err);
void throttle_free(struct throttle *throttle);

/* Whether the body of a Query call has filters or asks for pages: such a Describe call has a bucket of its own. */
bool throttle_is_filtered(const char *body);

/* Before each attempt, again and again until it says 0: milliseconds after which to ask again. *ticket is zeros before the
 * first time for an attempt, and belongs to it. Any thread may call:
 *     struct throttle_ticket ticket = { 0 };
 *     while ((ms = throttle_turn(throttle, &scope, &ticket)) > 0)
 *             sleep(ms);
 *     … send …
 *     if (taken) throttle_taken(throttle, &scope, &ticket); else if (RETRY_THROTTLE) throttle_refused(…); */
int64_t throttle_turn(struct throttle *throttle, const struct throttle_scope *scope, struct throttle_ticket *ticket);
/* AWS has refused the attempt for want of tokens. true: the next attempt's turn is known to all processes, so that no backoff
 * is needed before asking for it (a Retry-After still counts). false: back off as well. */
bool throttle_refused(struct throttle *throttle, const struct throttle_scope *scope,
		      const struct throttle_ticket *ticket);
/* AWS has taken it: any other answer, errors too. */
void throttle_taken(struct throttle *throttle, const struct throttle_scope *scope,
		    const struct throttle_ticket *ticket);

#endif
