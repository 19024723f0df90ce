/* SPDX-License-Identifier: Apache-2.0 */
/* Cancellation: raised, seen by poll(), taken back, raised again, also from a real signal handler. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "common/cancel.h"

static struct cancel for_handler;

static void handler(int signal)
{
	cancel_raise(&for_handler, signal);
}

static bool readable(const struct cancel *cancel)
{
	struct pollfd look = { .fd = cancel->read_fd, .events = POLLIN };
	return poll(&look, 1, 0) == 1;
}

static void not_by_a_signal(void **state)
{
	struct cancel cancel;
	struct error err = { .kind = ERROR_NONE };

	(void)state;
	assert_int_equal(cancel_open(&cancel, &err), 0);
	cancel_raise(&cancel, CANCEL_NO_SIGNAL);
	assert_true(cancel_raised(&cancel));
	assert_true(readable(&cancel));
	assert_int_equal(cancel_check(&cancel, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_string_equal(err.message, "stopped, because something else has failed");
	cancel_close(&cancel);
}

static void raised_and_taken_back(void **state)
{
	struct cancel cancel;
	struct error err = { .kind = ERROR_NONE };

	(void)state;
	assert_int_equal(cancel_open(&cancel, &err), 0);
	assert_false(cancel_raised(&cancel));
	assert_false(readable(&cancel));
	assert_int_equal(cancel_check(&cancel, &err), 0);

	cancel_raise(&cancel, SIGTERM);
	assert_true(cancel_raised(&cancel));
	assert_true(readable(&cancel));
	assert_int_equal(cancel_check(&cancel, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_non_null(strstr(err.message, "15"));
	assert_non_null(strstr(err.message, strsignal(SIGTERM)));

	cancel_clear(&cancel);
	assert_false(cancel_raised(&cancel));
	assert_false(readable(&cancel));
	cancel_raise(&cancel, SIGINT);
	assert_int_equal(cancel.signal, SIGINT);
	assert_true(readable(&cancel));
	cancel_close(&cancel);
	assert_int_equal(cancel.read_fd, -1);
}

static void a_full_pipe_does_not_block(void **state)
{
	struct cancel cancel;

	(void)state;
	assert_int_equal(cancel_open(&cancel, NULL), 0);
	for (int i = 0; i < 100000; i++)
		cancel_raise(&cancel, SIGTERM);
	assert_true(readable(&cancel));
	cancel_clear(&cancel);
	assert_false(readable(&cancel));
	cancel_close(&cancel);
}

static void from_a_handler(void **state)
{
	struct sigaction action = { .sa_handler = handler };
	struct sigaction before;

	(void)state;
	assert_int_equal(cancel_open(&for_handler, NULL), 0);
	sigaction(SIGUSR1, &action, &before);
	errno = 4711;
	raise(SIGUSR1);
	assert_int_equal(errno, 4711);
	assert_int_equal(for_handler.signal, SIGUSR1);
	sigaction(SIGUSR1, &before, NULL);
	cancel_close(&for_handler);
}

static void none_is_never_raised(void **state)
{
	(void)state;
	assert_false(cancel_raised(NULL));
	assert_int_equal(cancel_check(NULL, NULL), 0);
}

static void descriptors_are_not_inherited(void **state)
{
	struct cancel cancel;

	(void)state;
	assert_int_equal(cancel_open(&cancel, NULL), 0);
	assert_true((fcntl(cancel.read_fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(cancel.write_fd, F_GETFD) & FD_CLOEXEC) != 0);
	cancel_close(&cancel);
}

/* A child's own: what is raised there does not wake the parent, and the other way round. */
static void renewed(void **state)
{
	struct cancel parents;
	struct cancel childs;

	(void)state;
	assert_int_equal(cancel_open(&parents, NULL), 0);
	childs = parents;
	assert_int_equal(cancel_renew(&childs, NULL), 0);
	assert_false(cancel_raised(&childs));
	cancel_raise(&childs, SIGINT);
	assert_true(readable(&childs));
	assert_false(readable(&parents));
	cancel_close(&childs);

	cancel_raise(&parents, SIGHUP);
	childs = parents;
	assert_int_equal(cancel_renew(&childs, NULL), 0);
	assert_int_equal(childs.signal, SIGHUP);
	assert_true(readable(&childs));
	cancel_close(&childs);
	cancel_close(&parents);
}

static void no_descriptor_left(void **state)
{
	struct rlimit before;
	struct cancel cancel;
	struct error err;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	struct rlimit none = { .rlim_cur = 3, .rlim_max = before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	int done = cancel_open(&cancel, &err);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(done, -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	struct cancel old = { .read_fd = 100, .write_fd = 101 };
	setrlimit(RLIMIT_NOFILE, &none);
	done = cancel_renew(&old, &err);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(done, -1);
	assert_int_equal(old.read_fd, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raised_and_taken_back),
		cmocka_unit_test(not_by_a_signal), cmocka_unit_test(a_full_pipe_does_not_block),
		cmocka_unit_test(from_a_handler),	 cmocka_unit_test(none_is_never_raised),
		cmocka_unit_test(descriptors_are_not_inherited), cmocka_unit_test(no_descriptor_left),
		cmocka_unit_test(renewed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
