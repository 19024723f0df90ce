/* SPDX-License-Identifier: Apache-2.0 */
/* What is believed of one request token bucket of AWS's after it has refused a call, and whose turn it is. Pure: state and
 * time in, state and turn out; where the state is kept is throttle.c's.
 * Between two refusals the bucket has given out what has flowed into it: that bounds the rate from above. As long as it
 * refuses nothing, the rate is tried a little higher.
 * Fact: "Request throttling for the Amazon EC2 API", Amazon EC2 Developer Guide, for the buckets and their sizes. */
#ifndef CPI_AWS_TOKEN_BUCKET_H
#define CPI_AWS_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_BUCKET_LOOK_MS 1000 /* the longest time after which a waiting call looks again: the rate may have changed */

/* One attempt's place in the queue. Zeros: none yet. */
struct throttle_ticket {
	int64_t born;   /* the bucket's, whose ticket it is; 0: sent without one */
	int64_t number; /* counted from 1 */
	int64_t epoch;  /* in which it was sent */
	bool waited;
};

/* Times in microseconds, tokens in millionths, rates in millionths of a token a second. */
struct token_bucket {
	int64_t born;   /* when the first refusal came; tells this bucket's tickets from those of an earlier time */
	int64_t at;     /* until when issued is counted */
	int64_t issued; /* tokens since born; ticket n's turn is when the nth has been issued */
	int64_t given;  /* tickets */
	int64_t rate;
	/* since the last refusal from which the rate was judged */
	int64_t epoch;   /* when that was */
	int64_t sent;    /* attempts with tickets */
	int64_t refused; /* of those */
	int64_t streak;  /* attempts that had waited and were taken, since any refusal */
	int64_t first;   /* the lowest ticket that has asked */
	int64_t since;   /* then */
};

/* Whether AWS has a bucket of its own for this Describe action where it is asked without filters and pages. */
bool token_bucket_is_split(const char *action);
/* AWS's published size of the action's bucket, or a guess where none is published. */
void token_bucket_published(const char *action, bool filtered, int64_t *ret_depth, int64_t *ret_rate);

/* A bucket that has just refused a call. now: microseconds. */
void token_bucket_open(struct token_bucket *bucket, int64_t published_rate, int64_t now);
/* Whether the values can be a bucket's: what was read from a file may be anything. */
bool token_bucket_is_sane(const struct token_bucket *bucket);
/* Counts what has flowed in. false: it must be full by now, and there is nothing to remember of it. */
bool token_bucket_advance(struct token_bucket *bucket, int64_t depth, int64_t now);
/* After token_bucket_advance: milliseconds after which to ask again, 0: it is the ticket's turn, and it counts as sent. */
int64_t token_bucket_turn(struct token_bucket *bucket, struct throttle_ticket *ticket);
void token_bucket_refused(struct token_bucket *bucket, int64_t published_rate, const struct throttle_ticket *ticket);
void token_bucket_taken(struct token_bucket *bucket, int64_t published_rate, const struct throttle_ticket *ticket);

#endif
