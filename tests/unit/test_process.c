/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes: their streams, what they inherit, how they end, and how they are made to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "common/process.h"
#include "tests/unit/under_valgrind.h"

static struct clock system_time;
#define MINUTE_MS 60000

/* Literals are const here, and exec's arrays are not. */
static int start(const char *const argv[], struct process *ret_process, struct error *err)
{
	return process_start((char *const *)(uintptr_t)argv, ret_process, err);
}

static struct process start_sh(const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct process process;
	struct error err;

	assert_int_equal(start(argv, &process, &err), 0);
	return process;
}

static int wait_for(struct process *process)
{
	int status = -1;
	struct error err;

	assert_int_equal(process_wait(process, &system_time, deadline_in(&system_time, MINUTE_MS), &status, &err), 0);
	assert_int_equal(process->pid, 0);
	return status;
}

static void assert_stream(int fd, const char *expected)
{
	struct buf buf = BUF_INIT(10000);

	assert_int_equal(io_read_to_end(fd, &buf, "the child", NULL), 0);
	assert_string_equal(buf_text(&buf), expected);
	buf_free(&buf);
}

static void three_streams(void **state)
{
	(void)state;
	struct process process = start_sh("read line; echo \"got $line\"; echo trouble >&2; exit 3");
	assert_int_equal(io_write_all(process.in_fd, "hello\n", 6, "the child", NULL), 0);
	assert_stream(process.out_fd, "got hello\n");
	assert_stream(process.err_fd, "trouble\n");
	int status = wait_for(&process);
	assert_int_equal(WEXITSTATUS(status), 3);
	process_stop(&process, &system_time, 0);
	assert_int_equal(process.in_fd, -1);
}

static void it_sees_the_end_of_its_input(void **state)
{
	(void)state;
	struct process process = start_sh("cat >/dev/null; echo done");
	close(process.in_fd);
	process.in_fd = -1;
	assert_stream(process.out_fd, "done\n");
	assert_int_equal(wait_for(&process), 0);
	process_stop(&process, &system_time, 0);
}

/* A descriptor of ours without close-on-exec, as a library might leave one. */
static void no_other_descriptor(void **state)
{
	(void)state;
	int stray = fcntl(STDIN_FILENO, F_DUPFD, 100);
	assert_true(stray >= 100);
	struct process process = start_sh("for fd in 0 1 2 100 101 102; do [ -e /proc/self/fd/$fd ] && echo $fd; done; true");
	assert_stream(process.out_fd, "0\n1\n2\n");
	assert_int_equal(wait_for(&process), 0);
	process_stop(&process, &system_time, 0);
	close(stray);
}

static void without_some_variables(void **state)
{
	static const char *const left_out[] = { "TEST_HUSH", "TEST_NOT_SET", NULL };
	const struct process_manner manner = { .without = left_out };
	const char *const argv[] = { "sh", "-c", "env | grep ^TEST_ | sort", NULL };
	struct process process;

	(void)state;
	setenv("TEST_HUSH", "secret", 1);
	setenv("TEST_HUSH_LONGER", "a", 1);
	setenv("TEST_HUS", "b", 1);
	assert_int_equal(process_start_as((char *const *)(uintptr_t)argv, &manner, &process, NULL), 0);
	assert_stream(process.out_fd, "TEST_HUS=b\nTEST_HUSH_LONGER=a\n");
	assert_int_equal(wait_for(&process), 0);
	process_stop(&process, &system_time, 0);
	process = start_sh("env | grep ^TEST_HUSH=");
	assert_stream(process.out_fd, "TEST_HUSH=secret\n");
	assert_int_equal(wait_for(&process), 0);
	process_stop(&process, &system_time, 0);
	unsetenv("TEST_HUSH");
	unsetenv("TEST_HUSH_LONGER");
	unsetenv("TEST_HUS");
}

/* The sixth word of its stat is the session, the fifth the group; what it starts is ended along with it. */
static void without_a_terminal(void **state)
{
	const struct process_manner manner = { .no_terminal = true };
	const char *const argv[] = { "sh", "-c", "set -- $(cat /proc/$$/stat); echo $(( $6 == $$ && $5 == $$ )); sleep 60 & wait", NULL };
	struct process process;

	(void)state;
	assert_int_equal(process_start_as((char *const *)(uintptr_t)argv, &manner, &process, NULL), 0);
	char answer[2];
	assert_int_equal(io_read_full(process.out_fd, answer, 2, "its answer", NULL), 2);
	assert_memory_equal(answer, "1\n", 2);
	int out_fd = dup(process.out_fd);
	process_stop(&process, &system_time, 5000);
	/* nobody holds its other end any more */
	assert_stream(out_fd, "");
	close(out_fd);
}

/* SIGTERM is ignored and blocked in us, and must not be in the child. */
static void default_signals(void **state)
{
	sigset_t block;
	sigset_t before;

	(void)state;
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &before);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	struct process process = start_sh("kill -TERM $$; echo survived");
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_stream(process.out_fd, "");
	int status = wait_for(&process);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	process_stop(&process, &system_time, 0);

	process = start_sh("kill -PIPE $$; echo survived");
	assert_stream(process.out_fd, "");
	status = wait_for(&process);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	process_stop(&process, &system_time, 0);
}

static void a_group_of_its_own(void **state)
{
	(void)state;
	struct process process = start_sh("read line");
	assert_int_equal(getpgid(process.pid), process.pid);
	assert_int_not_equal(getpgrp(), process.pid);
	process_stop(&process, &system_time, MINUTE_MS);
}

static void cannot_be_started(void **state)
{
	static const struct {
		const char *name;
		const char *words;
	} rows[] = {
		{ "no-such-program-anywhere", "cannot start no-such-program-anywhere: there is no such program in PATH" },
		{ "/no/such/program", "cannot start /no/such/program: there is no such program; install it" },
		{ "/dev/null", "cannot start /dev/null: Permission denied" },
	};
	struct process process = { .pid = 4711 };
	struct error err;

	(void)state;
	if (under_valgrind())
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const argv[] = { rows[i].name, NULL };
		assert_int_equal(start(argv, &process, &err), -1);
		assert_int_equal(err.kind, ERROR_IO);
		assert_non_null(strstr(err.message, rows[i].words));
		assert_int_equal(process.pid, 4711);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void no_descriptor_left(void **state)
{
	const char *const argv[] = { "true", NULL };
	struct rlimit before;
	struct process process;
	struct error err;

	(void)state;
	int lowest = dup(0);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &before);
	for (int room = 0; room < 6; room++) {
		struct rlimit few = { .rlim_cur = (rlim_t)(lowest + room), .rlim_max = before.rlim_max };
		setrlimit(RLIMIT_NOFILE, &few);
		int done = start(argv, &process, &err);
		setrlimit(RLIMIT_NOFILE, &before);
		assert_int_equal(done, -1);
		assert_non_null(strstr(err.message, "cannot start true: "));
	}
	int again = dup(0);
	assert_int_equal(again, lowest); /* none leaked */
	close(again);
}

/* In a process whose own standard streams are closed the pipes get their numbers. */
static void with_closed_streams(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		const char *const argv[] = { "sh", "-c", "read a; echo $a; echo $a >&2", NULL };
		struct process process;
		char got[8] = "";
		close(0);
		close(1);
		close(2);
		bool right = start(argv, &process, NULL) == 0 && process.in_fd > 2 && process.out_fd > 2 &&
			     process.err_fd > 2 && io_write_all(process.in_fd, "xy\n", 3, "", NULL) == 0 &&
			     io_read_full(process.out_fd, got, 4, "", NULL) == 3 && strcmp(got, "xy\n") == 0 &&
			     io_read_full(process.err_fd, got, 4, "", NULL) == 3;
		_exit(right ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void still_runs_at_the_deadline(void **state)
{
	struct error err;
	int status = 4711;

	(void)state;
	struct process process = start_sh("read line");
	assert_int_equal(process_wait(&process, &system_time, deadline_in(&system_time, 20), &status, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_int_equal(status, 4711);
	assert_true(process.pid > 0);
	process_stop(&process, &system_time, MINUTE_MS);
	assert_int_equal(process.pid, 0);
	assert_int_equal(process_wait(&process, &system_time, deadline_in(&system_time, 20), &status, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
}

static void stop_asks_first(void **state)
{
	char path[] = "/tmp/test_process.XXXXXX";
	char script[200];
	char got[16] = "";

	(void)state;
	int fd = mkstemp(path);
	/* nothing to its standard error, which is closed by then: it would die of SIGPIPE instead */
	snprintf(script, sizeof(script), "exec 2>/dev/null; trap 'echo asked >%s; exit 0' TERM; sleep 60 & echo ready; "
		 "wait", path);
	struct process process = start_sh(script);
	assert_int_equal(io_read_full(process.out_fd, got, 6, "the child", NULL), 6);
	process_stop(&process, &system_time, MINUTE_MS);
	assert_int_equal(process.pid, 0);
	assert_int_equal(io_read_full(fd, got, 6, "the file", NULL), 6);
	assert_string_equal(got, "asked\n");
	close(fd);
	unlink(path);
}

static void stop_kills_what_does_not_listen(void **state)
{
	char got[8];

	(void)state;
	struct process process = start_sh("trap '' TERM; echo ready; while :; do sleep 1; done");
	pid_t pid = process.pid;
	assert_int_equal(io_read_full(process.out_fd, got, 6, "the child", NULL), 6);
	process_stop(&process, &system_time, 10);
	assert_int_equal(process.pid, 0);
	assert_int_equal(process.out_fd, -1);
	assert_int_equal(kill(pid, 0), -1); /* reaped */
	assert_int_equal(errno, ESRCH);
	process_stop(&process, &system_time, 10);
}

static void stop_of_what_never_started(void **state)
{
	struct process zeroed = { 0 };
	struct process none = { .pid = 0, .in_fd = -1, .out_fd = -1, .err_fd = -1 };

	(void)state;
	process_stop(&none, &system_time, 10);
	process_stop(&zeroed, &system_time, 10);
	assert_true(fcntl(0, F_GETFD) >= 0); /* 0 was not taken for a descriptor of ours */
}

/* Started with SIGCHLD ignored, a parent never gets to see a status. */
static void a_lost_status(void **state)
{
	struct error err;
	int status = 4711;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	struct process process = start_sh("exit 0");
	assert_stream(process.out_fd, "");
	int done = process_wait(&process, &system_time, deadline_in(&system_time, MINUTE_MS), &status, &err);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(done, -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	assert_int_equal(status, 4711);
	process_stop(&process, &system_time, 10);
}

struct outcome {
	int result;
	struct process_result process;
	struct buf out;
	struct error err;
};

static struct outcome run_sh(const char *script, size_t max, int64_t timeout_ms, const struct cancel *cancel)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct outcome outcome = { .out = BUF_INIT(max) };

	outcome.result = process_run((char *const *)(uintptr_t)argv, NULL, &system_time, cancel, timeout_ms, &outcome.out,
				     &outcome.process, &outcome.err);
	return outcome;
}

static void run_gathers_output(void **state)
{
	(void)state;
	struct outcome outcome = run_sh("cat; echo one; echo hush >&2; sleep 0.1; echo two; exit 3", 100, MINUTE_MS, NULL);
	assert_int_equal(outcome.result, 0);
	assert_string_equal(buf_text(&outcome.out), "one\ntwo\n");
	assert_int_equal(WEXITSTATUS(outcome.process.status), 3);
	assert_int_equal(outcome.process.error_bytes, 5);
	buf_free(&outcome.out);
	/* more than a pipe holds, on both streams */
	outcome = run_sh("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero | tr '\\0' x", 300000, MINUTE_MS, NULL);
	assert_int_equal(outcome.result, 0);
	assert_int_equal(outcome.out.len, 300000);
	assert_int_equal(outcome.process.error_bytes, 300000);
	buf_free(&outcome.out);
}

static void run_is_bounded(void **state)
{
	(void)state;
	struct outcome outcome = run_sh("while :; do echo more; done", 1000, MINUTE_MS, NULL);
	assert_int_equal(outcome.result, -1);
	assert_int_equal(outcome.err.kind, ERROR_TOO_BIG);
	buf_free(&outcome.out);
	outcome = run_sh("echo half; sleep 60", 1000, 50, NULL);
	assert_int_equal(outcome.result, -1);
	assert_int_equal(outcome.err.kind, ERROR_TIMEOUT);
	buf_free(&outcome.out);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left over */
	assert_int_equal(errno, ECHILD);
}

/* A daemon that its starter left behind holds the pipes open. */
static void run_does_not_wait_for_those_left_behind(void **state)
{
	(void)state;
	struct outcome outcome = run_sh("(sleep 10) & echo done", 1000, 5000, NULL);
	assert_int_equal(outcome.result, 0);
	assert_string_equal(buf_text(&outcome.out), "done\n");
	buf_free(&outcome.out);
}

static struct cancel raised_by_signal;

static void on_signal(int signal)
{
	cancel_raise(&raised_by_signal, signal);
}

static void run_ends_at_a_signal(void **state)
{
	(void)state;
	assert_int_equal(cancel_open(&raised_by_signal, NULL), 0);
	signal(SIGUSR1, on_signal);
	struct outcome outcome = run_sh("kill -USR1 $PPID; sleep 60", 1000, MINUTE_MS, &raised_by_signal);
	signal(SIGUSR1, SIG_DFL);
	assert_int_equal(outcome.result, -1);
	assert_int_equal(outcome.err.kind, ERROR_CANCELLED);
	cancel_close(&raised_by_signal);
	buf_free(&outcome.out);
}

static void run_of_no_program(void **state)
{
	const char *const argv[] = { "/no/such/program", "hush", NULL };
	struct buf out = BUF_INIT(10);
	struct process_result result;
	struct error err;

	(void)state;
	if (under_valgrind())
		skip();
	assert_int_equal(process_run((char *const *)(uintptr_t)argv, NULL, &system_time, NULL, MINUTE_MS, &out, &result, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_null(strstr(err.message, "hush"));
}

static void descriptions(void **state)
{
	char text[100];

	(void)state;
	struct process process = start_sh("exit 3");
	assert_string_equal(process_describe(wait_for(&process), text, sizeof(text)), "exited with status 3");
	process_stop(&process, &system_time, 0);
	process = start_sh("kill -9 $$");
	assert_string_equal(process_describe(wait_for(&process), text, sizeof(text)),
			    "was killed by signal 9 (Killed)");
	process_stop(&process, &system_time, 0);
	assert_string_equal(process_describe(0x137f, text, sizeof(text)), "ended with an unknown status (0x137f)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_streams),
		cmocka_unit_test(it_sees_the_end_of_its_input),
		cmocka_unit_test(no_other_descriptor),
		cmocka_unit_test(without_some_variables),
		cmocka_unit_test(without_a_terminal),
		cmocka_unit_test(default_signals),
		cmocka_unit_test(a_group_of_its_own),
		cmocka_unit_test(cannot_be_started),
		cmocka_unit_test(no_descriptor_left),
		cmocka_unit_test(with_closed_streams),
		cmocka_unit_test(still_runs_at_the_deadline),
		cmocka_unit_test(stop_asks_first),
		cmocka_unit_test(stop_kills_what_does_not_listen),
		cmocka_unit_test(stop_of_what_never_started),
		cmocka_unit_test(a_lost_status),
		cmocka_unit_test(descriptions),
		cmocka_unit_test(run_gathers_output),
		cmocka_unit_test(run_is_bounded),
		cmocka_unit_test(run_does_not_wait_for_those_left_behind),
		cmocka_unit_test(run_ends_at_a_signal),
		cmocka_unit_test(run_of_no_program),
	};
	clock_system(&system_time);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
