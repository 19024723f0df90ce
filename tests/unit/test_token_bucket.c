/* SPDX-License-Identifier: Apache-2.0 */
/* The model of a bucket: how near the queue comes to what a real bucket allows, whatever that one is, and what it makes of
 * clocks that jump and of values that come out of a file. */
#include "cpi/aws/token_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/bucket_sim.h"

#define ONE INT64_C(1000000)

static void test_published(void **state)
{
	(void)state;
	/* from the guide's table; where it has none, a guess */
	static const struct {
		const char *action;
		bool filtered;
		int depth;
		int rate;
	} rows[] = {
		{ "RunInstances", false, 5, 2 },
		{ "StartInstances", false, 5, 2 },
		{ "TerminateInstances", false, 100, 5 },
		{ "CreateVolume", false, 100, 5 },
		{ "DeleteVolume", false, 100, 5 },
		{ "CreateSnapshot", false, 100, 5 },
		{ "DeleteSnapshot", false, 100, 5 },
		{ "CreateNetworkInterface", false, 100, 5 },
		{ "DeregisterImage", false, 100, 5 },
		{ "CreateTags", false, 100, 10 },
		{ "CopyImage", false, 100, 1 },
		{ "AttachVolume", false, 50, 5 },
		{ "RegisterImage", false, 50, 5 },
		{ "DescribeInstances", true, 100, 20 },
		{ "DescribeInstances", false, 50, 10 },
		{ "DescribeInstanceStatus", false, 50, 10 },
		{ "DescribeNetworkInterfaces", false, 50, 10 },
		{ "DescribeSecurityGroups", false, 50, 10 },
		{ "DescribeSnapshots", false, 50, 10 },
		{ "DescribeSpotInstanceRequests", false, 50, 10 },
		{ "DescribeVolumes", false, 50, 10 },
		{ "DescribeVolumes", true, 100, 20 },
		{ "DescribeImages", false, 100, 20 },
		{ "DescribeSubnets", false, 100, 20 },
		{ "GetCallerIdentity", false, 100, 20 },
		{ "StartSnapshot", false, 10, 10 },
		{ "CompleteSnapshot", false, 10, 10 },
		{ "PutSnapshotBlock", false, 1000, 1000 },
	};
	int64_t depth, rate;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		token_bucket_published(rows[i].action, rows[i].filtered, &depth, &rate);
		if (depth != rows[i].depth * ONE || rate != rows[i].rate * ONE)
			fail_msg("%s: %lld/%lld", rows[i].action, (long long)depth, (long long)rate);
	}
}

/* --- many processes before one bucket --- */

struct shared {
	int64_t depth; /* published */
	int64_t rate;
	bool known;
	struct token_bucket bucket;
	struct throttle_ticket *tickets;
};

static int64_t turn(void *self, unsigned process, int64_t now)
{
	struct shared *shared = self;

	if (shared->known)
		shared->known = token_bucket_advance(&shared->bucket, shared->depth, now);
	return shared->known ? token_bucket_turn(&shared->bucket, &shared->tickets[process]) : 0;
}

static void refused(void *self, unsigned process, int64_t now)
{
	struct shared *shared = self;

	if (shared->known)
		shared->known = token_bucket_advance(&shared->bucket, shared->depth, now);
	if (shared->known)
		token_bucket_refused(&shared->bucket, shared->rate, &shared->tickets[process]);
	else
		token_bucket_open(&shared->bucket, shared->rate, now);
	shared->known = true;
	shared->tickets[process] = (struct throttle_ticket){ 0 };
	assert_true(token_bucket_is_sane(&shared->bucket));
}

static void taken(void *self, unsigned process, int64_t now)
{
	struct shared *shared = self;

	if (shared->known)
		shared->known = token_bucket_advance(&shared->bucket, shared->depth, now);
	if (shared->known)
		token_bucket_taken(&shared->bucket, shared->rate, &shared->tickets[process]);
	shared->tickets[process] = (struct throttle_ticket){ 0 };
}

static struct bucket_outcome run(const struct bucket_sim *sim, int published_depth, int published_rate)
{
	struct shared shared = {
		.depth = published_depth * ONE,
		.rate = published_rate * ONE,
		.tickets = calloc(sim->processes, sizeof(struct throttle_ticket)),
	};
	const struct bucket_client client = { turn, refused, taken, &shared };

	assert_non_null(shared.tickets);
	struct bucket_outcome outcome = bucket_sim_run(sim, &client);
	free(shared.tickets);
	return outcome;
}

static void test_near_what_the_bucket_allows(void **state)
{
	(void)state;
	static const struct {
		unsigned processes, calls;
		double depth, refill; /* the real ones */
		int published_depth, published_rate;
		unsigned most_refused;
	} rows[] = {
		/* as published */
		{ 200, 1, 100, 5, 100, 5, 5 },
		{ 200, 1, 50, 5, 50, 5, 5 },
		{ 200, 3, 50, 10, 50, 10, 8 },
		{ 500, 1, 100, 5, 100, 5, 8 },
		{ 50, 1, 5, 2, 5, 2, 5 },
		{ 300, 1, 100, 1, 100, 1, 5 },
		/* slower, because others call too, or for an account that AWS has cut down */
		{ 200, 1, 100, 2.5, 100, 5, 8 },
		{ 200, 1, 20, 1, 100, 5, 10 },
		{ 200, 2, 20, 4, 50, 10, 10 },
		/* faster, because the account's limit was raised */
		{ 200, 1, 50, 10, 100, 5, 6 },
		{ 200, 1, 20, 15, 50, 5, 6 },
		{ 400, 1, 100, 20, 100, 5, 6 },
	};
	/* processes that start at once or one after the other; answers that come at once, or late */
	static const struct {
		double start_s, taken_s, refused_s;
	} ways[] = { { 0, 0.01, 0.01 }, { 1, 0.02, 0.02 }, { 0.2, 0.3, 0.05 }, { 1, 0.5, 0.02 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) * 4; i++) {
		const size_t k = i / 4;
		for (unsigned seed = 0; seed < 2; seed++) {
			const struct bucket_sim sim = {
				.processes = rows[k].processes,
				.calls = rows[k].calls,
				.depth = rows[k].depth,
				.refill = rows[k].refill,
				.start_s = ways[i % 4].start_s,
				.taken_s = ways[i % 4].taken_s,
				.refused_s = ways[i % 4].refused_s,
				.seed = seed,
			};
			struct bucket_outcome outcome = run(&sim, rows[k].published_depth, rows[k].published_rate);
			if (outcome.seconds > 1.3 * outcome.best_s || outcome.most_refused > rows[k].most_refused)
				fail_msg("row %zu, way %zu: %.1f s where %.1f s are possible, one was refused %u times", k, i % 4,
					 outcome.seconds, outcome.best_s, outcome.most_refused);
		}
	}
}

static void test_a_large_bucket_slows_nobody(void **state)
{
	(void)state;
	const struct bucket_sim sim = { .processes = 200, .calls = 5, .depth = 1000, .refill = 5, .taken_s = 0.1 };
	struct bucket_outcome outcome = run(&sim, 100, 5);

	assert_int_equal(outcome.refused, 0);
	/* five calls of 0.16 s at most, and no wait */
	assert_true(outcome.seconds < 0.9);
}

static void test_others_who_take_everything(void **state)
{
	(void)state;
	/* for two minutes nothing is left over; then it goes on fast enough, and nobody was refused for ever */
	const struct bucket_sim sim = {
		.processes = 100, .calls = 1, .depth = 100, .refill = 5, .taken_s = 0.1, .refused_s = 0.1, .busy_until_s = 120
	};
	struct bucket_outcome outcome = run(&sim, 100, 5);

	assert_in_range(outcome.most_refused, 1, 10);
	assert_in_range((int64_t)outcome.seconds, 120, 240);
}

/* --- one bucket by hand --- */

static struct token_bucket opened(int64_t now)
{
	struct token_bucket bucket;

	token_bucket_open(&bucket, 5 * ONE, now);
	return bucket;
}

static void test_in_the_order_of_asking(void **state)
{
	(void)state;
	struct token_bucket bucket = opened(ONE);
	struct throttle_ticket tickets[8] = { { 0 } };

	for (int i = 0; i < 8; i++) {
		int64_t wait = token_bucket_turn(&bucket, &tickets[i]);
		assert_in_range(wait, i < 5 ? (i + 1) * 200 : 1000, i < 5 ? (i + 1) * 200 + 1 : 1000);
	}
	/* asked again, it is the same ticket */
	assert_true(token_bucket_advance(&bucket, 100 * ONE, ONE + 2 * ONE / 5));
	assert_in_range(token_bucket_turn(&bucket, &tickets[7]), 1000, 1000);
	assert_in_range(token_bucket_turn(&bucket, &tickets[2]), 200, 201);
	assert_int_equal(token_bucket_turn(&bucket, &tickets[1]), 0);
	assert_int_equal(token_bucket_turn(&bucket, &tickets[0]), 0);
	assert_int_equal(bucket.given, 8);
}

static void test_forgotten_when_it_must_be_full(void **state)
{
	(void)state;
	struct token_bucket bucket = opened(ONE);
	struct throttle_ticket ticket = { 0 };

	assert_true(token_bucket_advance(&bucket, 100 * ONE, ONE + 19 * ONE));
	/* what has flowed in meanwhile is there for the asking */
	for (int i = 0; i < 95; i++) {
		ticket = (struct throttle_ticket){ 0 };
		assert_int_equal(token_bucket_turn(&bucket, &ticket), 0);
		assert_false(ticket.waited);
	}
	ticket = (struct throttle_ticket){ 0 };
	assert_in_range(token_bucket_turn(&bucket, &ticket), 200, 201);
	assert_true(token_bucket_advance(&bucket, 100 * ONE, ONE + 39 * ONE));
	assert_false(token_bucket_advance(&bucket, 100 * ONE, ONE + 41 * ONE));
	bucket = opened(ONE);
	bucket.given = 1000000;
	assert_false(token_bucket_advance(&bucket, 100 * ONE, ONE + 3601 * ONE));
}

static void test_a_ticket_of_an_earlier_time(void **state)
{
	(void)state;
	struct token_bucket bucket = opened(ONE);
	struct throttle_ticket ticket = { .born = 1, .number = 77, .waited = true };

	assert_in_range(token_bucket_turn(&bucket, &ticket), 200, 201);
	assert_int_equal(ticket.number, 1);
	const struct token_bucket before = bucket;
	const struct throttle_ticket other = { .born = 1, .number = 1, .waited = true };
	token_bucket_refused(&bucket, 5 * ONE, &other);
	token_bucket_taken(&bucket, 5 * ONE, &other);
	token_bucket_refused(&bucket, 5 * ONE, &(struct throttle_ticket){ 0 });
	assert_memory_equal(&bucket, &before, sizeof(bucket));
}

static void test_those_who_died_are_passed_over(void **state)
{
	(void)state;
	struct token_bucket bucket = opened(ONE);
	struct throttle_ticket alive[2] = { { 0 } };
	int64_t now = ONE;

	/* a hundred before them, who never ask again */
	for (int i = 0; i < 102; i++) {
		struct throttle_ticket ticket = { 0 };
		assert_true(token_bucket_turn(&bucket, i < 100 ? &ticket : &alive[i - 100]) > 0);
	}
	/* as long as they may be alive nobody passes them */
	for (; now < 9 * ONE; now += ONE) {
		assert_true(token_bucket_advance(&bucket, 100 * ONE, now));
		assert_true(token_bucket_turn(&bucket, &alive[1]) > 0);
		assert_true(token_bucket_turn(&bucket, &alive[0]) > 0);
	}
	/* five seconds in which they should have asked have gone by twice, because they did so in the first */
	for (; now < 12 * ONE; now += ONE) {
		assert_true(token_bucket_advance(&bucket, 100 * ONE, now));
		int64_t second = token_bucket_turn(&bucket, &alive[1]);
		int64_t first = token_bucket_turn(&bucket, &alive[0]);
		assert_true(first > 0 && first <= second);
	}
	assert_true(token_bucket_advance(&bucket, 100 * ONE, now));
	assert_int_equal(token_bucket_turn(&bucket, &alive[0]), 0);
	assert_int_equal(token_bucket_turn(&bucket, &alive[1]), 0);
	/* and the order of those who ask stays */
	assert_int_equal(bucket.given, 102);
	struct throttle_ticket next = { 0 };
	assert_true(token_bucket_turn(&bucket, &next) >= 0);
	assert_int_equal(next.number, 103);
}

static void test_refused_where_there_should_be_tokens(void **state)
{
	(void)state;
	struct token_bucket bucket = opened(ONE);
	struct throttle_ticket tickets[3] = { { 0 } };

	assert_true(token_bucket_advance(&bucket, 100 * ONE, 11 * ONE));
	for (int i = 0; i < 3; i++)
		assert_int_equal(token_bucket_turn(&bucket, &tickets[i]), 0);
	/* others draw from it: what seemed to be left is not there, but the rate is none the worse */
	token_bucket_refused(&bucket, 5 * ONE, &tickets[0]);
	struct throttle_ticket next = { 0 };
	assert_in_range(token_bucket_turn(&bucket, &next), 200, 201);
	token_bucket_refused(&bucket, 5 * ONE, &tickets[1]);
	token_bucket_refused(&bucket, 5 * ONE, &tickets[2]);
	assert_int_equal(bucket.rate, 5 * ONE);
	assert_in_range(token_bucket_turn(&bucket, &next), 200, 201);
}

static void test_clocks_that_jump(void **state)
{
	(void)state;
	struct token_bucket bucket = opened(1000 * ONE);
	struct throttle_ticket ticket = { 0 };

	assert_in_range(token_bucket_turn(&bucket, &ticket), 200, 201);
	/* back: it starts from there, and nobody waits for the old time to come again */
	assert_true(token_bucket_advance(&bucket, 100 * ONE, ONE));
	assert_in_range(token_bucket_turn(&bucket, &ticket), 200, 201);
	assert_true(token_bucket_advance(&bucket, 100 * ONE, ONE + ONE / 4));
	assert_int_equal(token_bucket_turn(&bucket, &ticket), 0);
	assert_true(token_bucket_is_sane(&bucket));
	/* ahead: at worst a refusal */
	assert_false(token_bucket_advance(&bucket, 100 * ONE, INT64_C(4000000000) * ONE));
}

static void test_what_is_no_bucket(void **state)
{
	(void)state;
	const struct token_bucket good = opened(ONE);
	struct token_bucket bad;

	assert_true(token_bucket_is_sane(&good));
#define BAD(member, value)                                                                                             \
	bad = good;                                                                                                    \
	bad.member = (value);                                                                                          \
	assert_false(token_bucket_is_sane(&bad))
	BAD(born, 0);
	BAD(at, -1);
	BAD(epoch, 0);
	BAD(rate, 0);
	BAD(rate, INT64_MAX);
	BAD(issued, -1);
	BAD(issued, INT64_MAX);
	BAD(given, -1);
	BAD(given, INT64_MAX);
	BAD(sent, -1);
	BAD(refused, 1);
	BAD(streak, INT64_MAX);
	BAD(first, -1);
	BAD(since, 0);
#undef BAD
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_near_what_the_bucket_allows),
		cmocka_unit_test(test_a_large_bucket_slows_nobody),
		cmocka_unit_test(test_others_who_take_everything),
		cmocka_unit_test(test_in_the_order_of_asking),
		cmocka_unit_test(test_forgotten_when_it_must_be_full),
		cmocka_unit_test(test_a_ticket_of_an_earlier_time),
		cmocka_unit_test(test_those_who_died_are_passed_over),
		cmocka_unit_test(test_refused_where_there_should_be_tokens),
		cmocka_unit_test(test_clocks_that_jump),
		cmocka_unit_test(test_what_is_no_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
