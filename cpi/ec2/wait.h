/* SPDX-License-Identifier: Apache-2.0 */
/* The one loop behind all waits: ends at once on a failed state with AWS's reason, on a deadline with what was seen last, and
 * on cancellation. Its looks are at most 15 in the first 30 s, and so spread that one comes 1.3 s after the change in the
 * mean; after that they back off to one in 15 s. Each time AWS throttles one, they come half as often. */
#ifndef CPI_EC2_WAIT_H
#define CPI_EC2_WAIT_H

#include "cpi/ec2/client.h"

struct wait_options {
	int64_t limit_ms;  /* 0: the wait's own default, in its source file */
	bool just_created; /* this call made it: NotFound is eventual consistency, not the answer */
};

enum wait_look { WAIT_AGAIN, WAIT_DONE };

/* One look. 0 and *ret_look with a text of what was seen ("state pending, 40%") in seen; -1 ends the wait. scratch is
 * emptied before each look. */
typedef int (*wait_look_fn)(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			    struct error *err);

/* This call made what is waited for. options may be NULL, here and below. */
static inline bool wait_just_created(const struct wait_options *options)
{
	return options != NULL && options->just_created;
}

/* what: "volume vol-… to be available", for the log and the time-out's message. */
int wait_until(struct ec2_client *ec2, const char *what, int64_t limit_ms, wait_look_fn look, void *self,
	       struct error *err);

struct wait_goal {
	const char *what;  /* "volume" */
	const char *id;
	const char *state; /* what it is to be: "available" */
	int64_t limit_ms;  /* where options say none */
	const struct wait_options *options;
};

/* wait_until for a thing of EC2's. */
int wait_for(struct ec2_client *ec2, const struct wait_goal *goal, wait_look_fn look, void *self, struct error *err);

#endif
