/* SPDX-License-Identifier: Apache-2.0 */
/* The published buckets, the queue before one, and how its rate is judged. */
#include "cpi/aws/token_bucket.h"

#include <stddef.h>
#include <string.h>

#define ONE INT64_C(1000000) /* a token; a second */
#define MIN_RATE (ONE / 100)
#define LOWEST 32 /* by as much less than published: what one look in so long a time costs is nothing */
#define MAX_RATE (10000 * ONE)
#define MAX_COUNT INT64_C(1000000000000)
#define FORGET_AFTER (3600 * ONE) /* every bucket is full by then */
#define SILENCE (5 * ONE)         /* who has not asked for so long will not come; five looks */
#define ENOUGH 8                  /* tokens that should have flowed in, before the rate is judged by what did */
#define STEADY 6                  /* calls taken in a row, before the rate is tried higher than published: */
#define STEP_UP 12                /* by one 12th for each call more */
#define MAX_STEP_UP (ONE * 4 / 10) /* but not twice as fast before the refusals of it can have come back */
#define STEADY_BELOW 2             /* the same, where it is lower than published: */
#define STEP_BACK 8               /* by one 8th */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- what AWS publishes --- */

struct size {
	const char *action;
	int depth;
	int rate;
};

static const struct size changing[] = {
	{ "RunInstances", 5, 2 },       { "StartInstances", 5, 2 },    { "TerminateInstances", 100, 5 },
	{ "CreateVolume", 100, 5 },     { "DeleteVolume", 100, 5 },    { "CreateSnapshot", 100, 5 },
	{ "DeleteSnapshot", 100, 5 },   { "CreateTags", 100, 10 },     { "CreateNetworkInterface", 100, 5 },
	{ "DeregisterImage", 100, 5 },  { "CopyImage", 100, 1 },       { "StartSnapshot", 10, 10 },
	{ "CompleteSnapshot", 10, 10 }, { "PutSnapshotBlock", 1000, 1000 },
};
static const struct size describing_without_filter = { NULL, 50, 10 };
static const struct size describing = { NULL, 100, 20 };
static const struct size others = { NULL, 50, 5 };

/* The Describe actions that cost more where they are asked without filters and pages. */
static const char *const dear_without_filter[] = { "DescribeInstances",          "DescribeInstanceStatus",
						   "DescribeNetworkInterfaces",  "DescribeSecurityGroups",
						   "DescribeSnapshots",          "DescribeSpotInstanceRequests",
						   "DescribeVolumes" };

bool token_bucket_is_split(const char *action)
{
	for (size_t i = 0; i < COUNT(dear_without_filter); i++) {
		if (strcmp(action, dear_without_filter[i]) == 0)
			return true;
	}
	return false;
}

static const struct size *find_size(const char *action, bool filtered)
{
	for (size_t i = 0; i < COUNT(changing); i++) {
		if (strcmp(action, changing[i].action) == 0)
			return &changing[i];
	}
	if (!filtered && token_bucket_is_split(action))
		return &describing_without_filter;
	return strncmp(action, "Describe", strlen("Describe")) == 0 || strncmp(action, "Get", strlen("Get")) == 0 ?
		       &describing :
		       &others;
}

void token_bucket_published(const char *action, bool filtered, int64_t *ret_depth, int64_t *ret_rate)
{
	const struct size *size = find_size(action, filtered);

	*ret_depth = size->depth * ONE;
	*ret_rate = size->rate * ONE;
}

/* --- one bucket --- */

void token_bucket_open(struct token_bucket *bucket, int64_t published_rate, int64_t now)
{
	*bucket = (struct token_bucket){ .born = now, .at = now, .rate = published_rate, .epoch = now, .since = now };
}

static bool is_count(int64_t value)
{
	return value >= 0 && value <= MAX_COUNT;
}

bool token_bucket_is_sane(const struct token_bucket *bucket)
{
	return bucket->born > 0 && bucket->at > 0 && bucket->epoch > 0 && bucket->rate >= MIN_RATE &&
	       bucket->rate <= MAX_RATE && is_count(bucket->issued / ONE) && bucket->issued >= 0 &&
	       is_count(bucket->given) && is_count(bucket->sent) && is_count(bucket->refused) &&
	       bucket->refused <= bucket->sent && is_count(bucket->streak) && is_count(bucket->first) && bucket->since > 0;
}

static void judge_anew(struct token_bucket *bucket)
{
	bucket->epoch = bucket->at;
	bucket->sent = 0;
	bucket->refused = 0;
}

bool token_bucket_advance(struct token_bucket *bucket, int64_t depth, int64_t now)
{
	int64_t passed = now - bucket->at;

	bucket->at = now;
	if (passed < 0 || bucket->epoch > now || bucket->since > now) {
		/* the clock was set back: the time in between is lost, and proves nothing */
		judge_anew(bucket);
		bucket->since = now;
		return true;
	}
	if (passed >= FORGET_AFTER)
		return false;
	bucket->issued += (int64_t)((double)bucket->rate * (double)passed / (double)ONE);
	return bucket->issued - bucket->given * ONE < depth;
}

/* Processes die while they wait, hundreds at once where a task is cancelled; those behind them move up. */
static void pass_over_the_dead(struct token_bucket *bucket, int64_t number)
{
	if (bucket->at - bucket->since < SILENCE) {
		if (bucket->first == 0 || number < bucket->first)
			bucket->first = number;
		return;
	}
	if (bucket->first > bucket->issued / ONE + 1 && bucket->first <= bucket->given)
		bucket->issued = (bucket->first - 1) * ONE;
	bucket->first = number;
	bucket->since = bucket->at;
}

int64_t token_bucket_turn(struct token_bucket *bucket, struct throttle_ticket *ticket)
{
	if (ticket->born != bucket->born)
		*ticket = (struct throttle_ticket){ .born = bucket->born, .number = ++bucket->given };
	pass_over_the_dead(bucket, ticket->number);
	int64_t missing = ticket->number * ONE - bucket->issued;
	if (missing <= 0) {
		bucket->sent++;
		ticket->epoch = bucket->epoch;
		return 0;
	}
	ticket->waited = true;
	int64_t wait_ms = (int64_t)((double)missing / (double)bucket->rate * 1000) + 1;
	return wait_ms < TOKEN_BUCKET_LOOK_MS ? wait_ms : TOKEN_BUCKET_LOOK_MS;
}

/* It was empty at the epoch, and is empty now: at most what was taken between has flowed in, and less than one token more. */
static void judge_rate(struct token_bucket *bucket, int64_t published_rate)
{
	double seconds = (double)(bucket->at - bucket->epoch) / (double)ONE;

	if (seconds * (double)bucket->rate < (double)(ENOUGH * ONE))
		return;
	int64_t taken = bucket->sent - bucket->refused; /* or still on their way */
	int64_t most = (int64_t)((double)(taken + 1) * (double)ONE / seconds);
	if (most < bucket->rate / 2)
		most = bucket->rate / 2; /* in steps: calls sent before anything was known took tokens too */
	if (most < published_rate / LOWEST)
		most = published_rate / LOWEST;
	if (bucket->rate > most)
		bucket->rate = most;
	judge_anew(bucket);
}

void token_bucket_refused(struct token_bucket *bucket, int64_t published_rate, const struct throttle_ticket *ticket)
{
	if (ticket->born != bucket->born)
		return; /* sent before anything was known: tells nothing new */
	bucket->streak = 0;
	if (ticket->epoch != bucket->epoch)
		return;
	bucket->refused++;
	if (ticket->waited) {
		judge_rate(bucket, published_rate);
		return;
	}
	/* there should have been tokens: the bucket is smaller, or others draw from it as well */
	if (bucket->issued > bucket->given * ONE)
		bucket->issued = bucket->given * ONE;
	judge_anew(bucket);
}

void token_bucket_taken(struct token_bucket *bucket, int64_t published_rate, const struct throttle_ticket *ticket)
{
	if (ticket->born != bucket->born || !ticket->waited)
		return; /* it was not held up: no reason to go faster */
	bucket->streak++;
	int64_t step = 0;
	if (bucket->rate < published_rate && bucket->streak > STEADY_BELOW)
		step = bucket->rate / STEP_BACK;
	else if (bucket->streak > STEADY)
		step = bucket->rate / STEP_UP < MAX_STEP_UP ? bucket->rate / STEP_UP : MAX_STEP_UP;
	bucket->rate = bucket->rate + step < MAX_RATE ? bucket->rate + step : MAX_RATE;
}
