/* SPDX-License-Identifier: Apache-2.0 */
/* A host's thread around a call: SIGPIPE and locale. The handler is the default one, so that a signal that gets through ends the
 * test. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "cpi/library_host.h"

static void write_to_nobody(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(write(fds[1], "", 1), -1);
	close(fds[1]);
}

static int blocked(int number)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	return sigismember(&mask, number);
}

static int pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

static void test_signal_of_ours(void **state)
{
	struct library_host host;

	(void)state;
	library_host_enter(&host);
	assert_int_equal(blocked(SIGPIPE), 1);
	assert_int_equal(blocked(SIGTERM), 0);
	write_to_nobody();
	assert_int_equal(pending(), 1);
	library_host_leave(&host);
	assert_int_equal(blocked(SIGPIPE), 0);
	assert_int_equal(pending(), 0);
}

/* The host had it blocked, and one was waiting: that stays. */
static void test_signal_of_the_hosts(void **state)
{
	struct library_host host;
	sigset_t set;
	int number;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	write_to_nobody();
	library_host_enter(&host);
	write_to_nobody();
	library_host_leave(&host);
	assert_int_equal(blocked(SIGPIPE), 1);
	assert_int_equal(pending(), 1);
	assert_int_equal(sigwait(&set, &number), 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *write_in_thread(void *unused)
{
	write_to_nobody();
	return unused;
}

static void test_threads_that_it_makes(void **state)
{
	struct library_host host;
	pthread_t thread;

	(void)state;
	library_host_enter(&host);
	assert_int_equal(pthread_create(&thread, NULL, write_in_thread, NULL), 0);
	pthread_join(thread, NULL);
	library_host_leave(&host);
	assert_int_equal(pending(), 0);
}

static void test_locale(void **state)
{
	struct library_host host;
	locale_t mine = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);

	(void)state;
	assert_true(mine != (locale_t)0);
	locale_t before = uselocale(mine);
	assert_int_equal(MB_CUR_MAX, 6);
	library_host_enter(&host);
	assert_int_equal(MB_CUR_MAX, 1);
	library_host_leave(&host);
	assert_ptr_equal(uselocale((locale_t)0), mine);
	uselocale(before);
	freelocale(mine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signal_of_ours),
		cmocka_unit_test(test_signal_of_the_hosts),
		cmocka_unit_test(test_threads_that_it_makes),
		cmocka_unit_test(test_locale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
