/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a failed attempt is repeated, and after which delay. One retry layer only: nothing above repeats a call. */
#ifndef CPI_AWS_RETRY_H
#define CPI_AWS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/deadline.h"
#include "common/error.h"

#define RETRY_CAP_MS 20000            /* the longest delay */
#define RETRY_TRANSIENT_BASE_MS 100
#define RETRY_THROTTLE_BASE_MS 500
#define RETRY_MAX_THROTTLES 120       /* a budget beside max_retries: as a rule the deadline comes first */
#define RETRY_NOT_FOUND_MS 30000      /* how long something just created may stay unknown */
#define RETRY_DEADLINE_MS (15 * 60 * 1000) /* no attempt starts later than that after the first */

enum retry_class {
	RETRY_NEVER,
	RETRY_TRANSIENT,  /* the other side or the way to it failed */
	RETRY_THROTTLE,   /* the account's bucket is empty, or another limit on how much it asks */
	RETRY_NOT_FOUND,  /* retry_is_not_found: worth waiting only for what this call made */
	RETRY_CLOCK_SKEW, /* codes that a wrong clock gives, among other causes */
	RETRY_EXPIRED,    /* the session token has expired */
};

/* Of AWS's codes and the status; what no code tells, the error's "retryable" may. */
enum retry_class retry_classify(const struct error *err);
/* Invalid*.NotFound, InvalidAMIID.Unavailable, ResourceNotFoundException: the resource does not exist, or not yet. */
bool retry_is_not_found(const char *aws_code);
/* UnauthorizedOperation, AccessDenied …: the credentials are good, and have no right to this. */
bool retry_is_denied(const char *aws_code);
/* Whether the failed attempt may have taken effect all the same: no answer, half an answer, a server's error. */
bool retry_outcome_unknown(const struct error *err);
/* Milliseconds from a Retry-After header (seconds, or a date as seen from now); 0 for NULL and what is neither. */
int64_t retry_after_ms(const char *header, int64_t now_s);

/* One call's account of attempts. */
struct retry {
	const struct clock *clock;
	unsigned max_retries;
	bool created_by_us;
	unsigned failures;  /* transient ones so far */
	unsigned throttles;
	unsigned not_found;
	int64_t not_found_ms; /* RETRY_NOT_FOUND_MS, unless it is set after retry_init */
	struct deadline deadline;
	struct deadline not_found_until; /* from the first NotFound on */
};

void retry_init(struct retry *retry, const struct clock *clock, unsigned max_retries, bool created_by_us);
/* Whether to try again after a failure of that class, and after how long (unscaled; at least retry_after). */
bool retry_next(struct retry *retry, enum retry_class class, int64_t retry_after, int64_t *ret_delay_ms);

#endif
