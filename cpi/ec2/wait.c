/* SPDX-License-Identifier: Apache-2.0 */
/* The loop, its delays and its end. What is looked at, and which states are failures, is the typed calls'. */
#include "cpi/ec2/wait.h"

#include <stdio.h>

#include "common/log.h"

#define STEADY_FOR_MS 30000
#define LONGEST_MS 13600 /* 15 s with its jitter */
#define JITTER 10        /* a tenth of the delay, up and down */
#define SAY_SO_EVERY_MS 30000
#define MAX_FAILED_LOOKS 5 /* in a row; each of them was repeated already, as calls are */
#define MAX_STRETCH 64     /* so that the shortest delay can become the longest */
#define SCRATCH ((size_t)8 * 1024 * 1024)

struct waiting {
	struct runtime *runtime;
	struct aws_client *aws;
	const char *what;
	int64_t limit_ms;
	struct deadline deadline;
	struct deadline say_so; /* when the log next gets a line */
	struct deadline steady; /* until when looks keep their pace */
	unsigned looks;
	unsigned failed_looks;
	int64_t delay_ms; /* before the next look, jitter and throttling aside */
	unsigned stretch; /* that delay times this: doubled whenever AWS throttles a look */
	char seen[256];
};

/* Quick first, for what takes a second; then at the pace that an instance's start deserves; then ever slower, for what
 * takes an hour. */
static int64_t next_delay(struct waiting *waiting)
{
	static const int64_t first[] = { 250, 500, 1000, 1750, 2500, 2800 };
	const size_t n_first = sizeof(first) / sizeof(first[0]);

	if (waiting->looks <= n_first)
		waiting->delay_ms = first[waiting->looks - 1];
	else if (deadline_passed(waiting->runtime->clock, waiting->steady))
		waiting->delay_ms = waiting->delay_ms * 3 / 2;
	if (waiting->delay_ms > LONGEST_MS)
		waiting->delay_ms = LONGEST_MS;
	int64_t delay = waiting->delay_ms * waiting->stretch;
	if (delay > LONGEST_MS)
		delay = LONGEST_MS;
	int64_t jitter = delay / JITTER;
	return delay - jitter + backoff_delay_ms(0, 2 * jitter, 2 * jitter);
}

static void say_so(struct waiting *waiting)
{
	const struct clock *clock = waiting->runtime->clock;

	if (waiting->looks > 1 && !deadline_passed(clock, waiting->say_so))
		return;
	log_debug(waiting->runtime->log, "waiting for %s: %s", waiting->what, waiting->seen);
	waiting->say_so = deadline_in(clock, SAY_SO_EVERY_MS);
}

/* A wait of an hour should outlast a minute without network: a failure that may pass is a look that saw nothing. */
static bool is_passing(struct waiting *waiting, const struct error *failure)
{
	if (!failure->retryable || ++waiting->failed_looks > MAX_FAILED_LOOKS)
		return false;
	log_debug(waiting->runtime->log, "waiting for %s: a look failed: %s", waiting->what, failure->message);
	return true;
}

static int look_once(struct waiting *waiting, wait_look_fn look, void *self, struct arena *scratch,
		     enum wait_look *ret_look, struct error *err)
{
	struct error failure = { 0 };
	enum wait_look result = WAIT_AGAIN;
	unsigned throttles = aws_client_throttles(waiting->aws);

	arena_reset(scratch);
	waiting->looks++;
	int looked = look(self, scratch, &result, waiting->seen, sizeof(waiting->seen), &failure);
	if (aws_client_throttles(waiting->aws) != throttles && waiting->stretch < MAX_STRETCH)
		waiting->stretch *= 2;
	if (looked != 0) {
		if (!is_passing(waiting, &failure)) {
			if (err != NULL)
				*err = failure;
			return error_prefix(err, "waiting for %s", waiting->what);
		}
		result = WAIT_AGAIN;
	} else {
		waiting->failed_looks = 0;
	}
	*ret_look = result;
	return 0;
}

int wait_until(struct ec2_client *ec2, const char *what, int64_t limit_ms, wait_look_fn look, void *self,
	       struct error *err)
{
	struct runtime *runtime = aws_client_runtime(ec2->aws);
	struct arena *scratch CLEANUP_ARENA = arena_new(SCRATCH);
	if (scratch == NULL)
		return error_nomem(err);
	struct waiting waiting = {
		.runtime = runtime,
		.aws = ec2->aws,
		.what = what,
		.limit_ms = limit_ms,
		.deadline = deadline_in(runtime->clock, limit_ms),
		.steady = deadline_in(runtime->clock, STEADY_FOR_MS),
		.stretch = 1,
		.seen = "nothing yet",
	};

	for (;;) {
		/* asked before the look: whatever the last sleep was cut to, there is a look after it */
		bool last = deadline_passed(runtime->clock, waiting.deadline);
		enum wait_look result = WAIT_AGAIN;
		if (cancel_check(runtime->cancel, err) != 0)
			return error_prefix(err, "waiting for %s", what);
		if (look_once(&waiting, look, self, scratch, &result, err) != 0)
			return -1;
		if (result == WAIT_DONE) {
			log_debug(runtime->log, "%s: done (%s)", what, waiting.seen);
			return 0;
		}
		if (last)
			return error_set(err, ERROR_TIMEOUT, "waited %lld s for %s, in vain; last seen: %s",
					 (long long)(limit_ms / 1000), what, waiting.seen);
		say_so(&waiting);
		if (deadline_sleep(runtime->clock, waiting.deadline, next_delay(&waiting), runtime->cancel, err) != 0)
			return error_prefix(err, "waiting for %s", what);
	}
}

int wait_for(struct ec2_client *ec2, const struct wait_goal *goal, wait_look_fn look, void *self, struct error *err)
{
	int64_t limit_ms = goal->options != NULL && goal->options->limit_ms > 0 ? goal->options->limit_ms : goal->limit_ms;
	char what[192];

	snprintf(what, sizeof(what), "%s %s to be %s", goal->what, goal->id, goal->state);
	return wait_until(ec2, what, limit_ms, look, self, err);
}
