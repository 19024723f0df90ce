/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks side by side: that they are, whose error it is, signals, cancellation, and no threads to be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "common/cancel.h"
#include "common/deadline.h"
#include "common/parallel.h"
#include "tests/unit/gather.h"

#define MANY (3 * PARALLEL_MAX)

/* What the tasks of one test share. */
struct shared {
	struct gather gather;
	unsigned meet; /* so many tasks wait for each other; 0: none does */
	atomic_uint running;
	atomic_uint most; /* that ran at the same time */
	struct cancel cancel;
	pthread_t caller;
};

struct job {
	struct shared *shared;
	unsigned number;
	unsigned runs;
	bool fails;
	bool met;
	bool on_caller;
	bool takes_signals;
};

static int finish(struct job *job, struct error *err)
{
	return job->fails ? error_set(err, ERROR_CLOUD, "job %u failed", job->number) : 0;
}

static int run_job(void *self, struct error *err)
{
	struct job *job = self;
	struct shared *shared = job->shared;
	sigset_t blocked;

	unsigned running = ++shared->running;
	for (unsigned most = shared->most; running > most && !atomic_compare_exchange_weak(&shared->most, &most, running);)
		;
	job->runs++;
	job->met = shared->meet == 0 || gather_meet(&shared->gather, shared->meet);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	job->takes_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGINT) ||
			     !sigismember(&blocked, SIGHUP);
	job->on_caller = pthread_equal(pthread_self(), shared->caller);
	shared->running--;
	return finish(job, err);
}

static void make(struct shared *shared, struct job *jobs, struct parallel_task *tasks, unsigned count)
{
	*shared = (struct shared){ .gather = GATHER_INIT, .caller = pthread_self() };
	for (unsigned i = 0; i < count; i++) {
		jobs[i] = (struct job){ .shared = shared, .number = i };
		tasks[i] = (struct parallel_task){ run_job, &jobs[i] };
	}
}

static void test_all_at_the_same_time(void **state)
{
	(void)state;
	struct shared shared;
	struct job jobs[PARALLEL_MAX];
	struct parallel_task tasks[PARALLEL_MAX];

	for (unsigned count = 1; count <= PARALLEL_MAX; count++) {
		unsigned on_caller = 0;
		make(&shared, jobs, tasks, count);
		shared.meet = count;
		assert_int_equal(parallel_run(tasks, count, NULL), 0);
		for (unsigned i = 0; i < count; i++) {
			assert_int_equal(jobs[i].runs, 1);
			assert_true(jobs[i].met);
			on_caller += jobs[i].on_caller;
		}
		/* the caller works as well: a single task needs no thread */
		assert_int_equal(on_caller, 1);
	}
	assert_int_equal(parallel_run(tasks, 0, NULL), 0);
}

static void test_no_more_than_the_limit(void **state)
{
	(void)state;
	struct shared shared;
	struct job jobs[MANY];
	struct parallel_task tasks[MANY];

	make(&shared, jobs, tasks, MANY);
	shared.meet = PARALLEL_MAX;
	assert_int_equal(parallel_run(tasks, MANY, NULL), 0);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(jobs[i].runs, 1);
		assert_true(jobs[i].met);
	}
	assert_int_equal(shared.most, PARALLEL_MAX);
	assert_int_equal(shared.running, 0);
}

/* The first to fail is the last in the list, and the other way round. */
static int fail_in_reverse(void *self, struct error *err)
{
	struct job *job = self;
	unsigned later = job->shared->meet - 1 - job->number;

	job->runs++;
	while (gather_count(&job->shared->gather) < later)
		usleep(1000);
	int result = finish(job, err);
	(void)gather_meet(&job->shared->gather, 0);
	return result;
}

static void test_the_error_is_the_first_of_the_list(void **state)
{
	(void)state;
	struct shared shared;
	struct job jobs[8];
	struct parallel_task tasks[8];
	struct error err = { .kind = ERROR_NONE };

	make(&shared, jobs, tasks, 8);
	shared.meet = 8;
	for (unsigned i = 0; i < 8; i++) {
		tasks[i].run = fail_in_reverse;
		jobs[i].fails = i == 2 || i == 3 || i == 7;
	}
	assert_int_equal(parallel_run(tasks, 8, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_string_equal(err.message, "job 2 failed");
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(jobs[i].runs, 1);

	make(&shared, jobs, tasks, 8);
	jobs[7].fails = true;
	assert_int_equal(parallel_run(tasks, 8, NULL), -1);
}

static void test_signals_stay_with_the_caller(void **state)
{
	(void)state;
	struct shared shared;
	struct job jobs[6];
	struct parallel_task tasks[6];
	sigset_t before;
	sigset_t after;

	make(&shared, jobs, tasks, 6);
	shared.meet = 6;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(parallel_run(tasks, 6, NULL), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(jobs[i].takes_signals, jobs[i].on_caller);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int signal = 1; signal < NSIG; signal++)
		assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

static struct cancel *for_handler;

static void on_signal(int signal)
{
	cancel_raise(for_handler, signal);
}

/* Sleeps; one of them sends the process the signal that ends all. */
static int sleep_long(void *self, struct error *err)
{
	struct job *job = self;
	struct shared *shared = job->shared;
	struct clock clock;

	clock_system(&clock);
	job->runs++;
	job->met = gather_meet(&shared->gather, shared->meet);
	if (job->number == 0)
		kill(getpid(), SIGTERM);
	return deadline_sleep(&clock, deadline_in(&clock, 20000), 20000, &shared->cancel, err);
}

static void test_a_signal_ends_all(void **state)
{
	(void)state;
	struct shared shared;
	struct job jobs[6];
	struct parallel_task tasks[6];
	struct sigaction action = { .sa_handler = on_signal };
	struct error err = { .kind = ERROR_NONE };

	make(&shared, jobs, tasks, 6);
	shared.meet = 6;
	assert_int_equal(cancel_open(&shared.cancel, NULL), 0);
	for_handler = &shared.cancel;
	sigaction(SIGTERM, &action, NULL);
	for (unsigned i = 0; i < 6; i++)
		tasks[i].run = sleep_long;
	assert_int_equal(parallel_run(tasks, 6, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	for (unsigned i = 0; i < 6; i++)
		assert_true(jobs[i].met);
	signal(SIGTERM, SIG_DFL);
	cancel_close(&shared.cancel);
}

/* A stack that no address space holds. */
static void test_without_threads(void **state)
{
	(void)state;
	struct shared shared;
	struct job jobs[MANY];
	struct parallel_task tasks[MANY];
	pthread_attr_t usual;
	pthread_attr_t huge;
	size_t stack;
	struct error err;

	assert_int_equal(pthread_getattr_default_np(&usual), 0);
	assert_int_equal(pthread_attr_getstacksize(&usual, &stack), 0);
	assert_int_equal(pthread_attr_init(&huge), 0);
	assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 50), 0);
	assert_int_equal(pthread_setattr_default_np(&huge), 0);
	make(&shared, jobs, tasks, MANY);
	jobs[5].fails = true;
	jobs[9].fails = true;
	int result = parallel_run(tasks, MANY, &err);
	assert_int_equal(pthread_attr_setstacksize(&usual, stack), 0);
	assert_int_equal(pthread_setattr_default_np(&usual), 0);
	assert_int_equal(result, -1);
	assert_string_equal(err.message, "job 5 failed");
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(jobs[i].runs, 1);
		assert_true(jobs[i].on_caller);
	}
	pthread_attr_destroy(&huge);
	pthread_attr_destroy(&usual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_the_same_time),
		cmocka_unit_test(test_no_more_than_the_limit),
		cmocka_unit_test(test_the_error_is_the_first_of_the_list),
		cmocka_unit_test(test_signals_stay_with_the_caller),
		cmocka_unit_test(test_a_signal_ends_all),
		cmocka_unit_test(test_without_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
