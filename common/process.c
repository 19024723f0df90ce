/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes by posix_spawn, which also works beside threads. Talking to a child over its pipes is left to the
 * callers, but for the plain case of one whose output is wanted. */
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define LONGEST_LOOK_MS 50
#define READ_SIZE ((size_t)4096)
#define RUN_GRACE_MS 1000
/* After SIGKILL. A process that hangs in the kernel, or that became another user's, is then left to itself: with its
 * pipes closed it ends as soon as it can. */
#define KILL_WAIT_MS 5000

extern char **environ;

struct pipe {
	int read_fd;
	int write_fd;
};
#define PIPE_NONE { -1, -1 }

static void pipe_close(struct pipe *pipe)
{
	cleanup_close_fd(&pipe->read_fd);
	cleanup_close_fd(&pipe->write_fd);
}

/* Standard streams may be closed in us: an end of ours that took such a number would be overwritten in the child. */
static int move_up(int *fd, struct error *err)
{
	if (*fd > STDERR_FILENO)
		return io_set_cloexec(*fd, err);
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (moved < 0)
		return error_errno(err, ERROR_IO, errno, "cannot move a descriptor");
	close(*fd);
	*fd = moved;
	return 0;
}

static int pipe_open(struct pipe *pipe_ends, struct error *err)
{
	int fds[2];

#ifdef __linux__
	/* at once: another thread may be starting a program */
	int failed = pipe2(fds, O_CLOEXEC);
#else
	int failed = pipe(fds);
#endif
	if (failed != 0)
		return error_errno(err, ERROR_IO, errno, "cannot make a pipe");
	pipe_ends->read_fd = fds[0];
	pipe_ends->write_fd = fds[1];
	if (move_up(&pipe_ends->read_fd, err) != 0)
		return -1;
	return move_up(&pipe_ends->write_fd, err);
}

/* The three streams in place, all other descriptors closed. Close-on-exec is our habit; the rest is for descriptors of
 * libraries and of whoever loads us as one. */
static int set_actions(posix_spawn_file_actions_t *actions, const struct pipe pipes[3])
{
	int failed = posix_spawn_file_actions_adddup2(actions, pipes[0].read_fd, STDIN_FILENO);

	if (failed == 0)
		failed = posix_spawn_file_actions_adddup2(actions, pipes[1].write_fd, STDOUT_FILENO);
	if (failed == 0)
		failed = posix_spawn_file_actions_adddup2(actions, pipes[2].write_fd, STDERR_FILENO);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	if (failed == 0)
		failed = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#endif
	return failed;
}

/* Default signals, none blocked; a process group of its own (as every session has), so that Ctrl-C on a terminal reaches us
 * alone and the child is told by us, in the order that leaves nothing behind. */
static int set_attributes(posix_spawnattr_t *attributes, bool no_terminal)
{
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t all;
	sigset_t none;

	flags = (short)(flags | (no_terminal ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP));
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)
	flags = (short)(flags | POSIX_SPAWN_CLOEXEC_DEFAULT); /* macOS: what addclosefrom_np does on Linux */
#endif
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	int failed = posix_spawnattr_setflags(attributes, flags);
	if (failed == 0)
		failed = posix_spawnattr_setsigdefault(attributes, &all);
	if (failed == 0)
		failed = posix_spawnattr_setsigmask(attributes, &none);
	if (failed == 0 && !no_terminal)
		failed = posix_spawnattr_setpgroup(attributes, 0);
	return failed;
}

/* 0 or an errno. */
static int spawn(char *const argv[], char *const env[], bool no_terminal, const struct pipe pipes[3], pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	int failed = posix_spawn_file_actions_init(&actions);
	if (failed != 0)
		return failed;
	failed = posix_spawnattr_init(&attributes);
	if (failed == 0) {
		failed = set_actions(&actions, pipes);
		if (failed == 0)
			failed = set_attributes(&attributes, no_terminal);
		if (failed == 0)
			failed = posix_spawnp(ret_pid, argv[0], &actions, &attributes, argv, env);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

static int start(char *const argv[], char *const env[], bool no_terminal, struct process *ret_process, struct error *err)
{
	CLEANUP(pipe_close) struct pipe in = PIPE_NONE;
	CLEANUP(pipe_close) struct pipe out = PIPE_NONE;
	CLEANUP(pipe_close) struct pipe errors = PIPE_NONE;
	pid_t pid;

	if (pipe_open(&in, err) != 0 || pipe_open(&out, err) != 0 || pipe_open(&errors, err) != 0)
		return error_prefix(err, "cannot start %s", argv[0]);
	int failed = spawn(argv, env, no_terminal, (struct pipe[3]){ in, out, errors }, &pid);
	if (failed == ENOENT)
		return error_set(err, ERROR_IO, "cannot start %s: there is no such program%s; install it, or "
				 "correct %s", argv[0], strchr(argv[0], '/') == NULL ? " in PATH" : "",
				 strchr(argv[0], '/') == NULL ? "PATH" : "its path");
	if (failed != 0)
		return error_errno(err, ERROR_IO, failed, "cannot start %s", argv[0]);
	*ret_process = (struct process){
		.pid = pid,
		.in_fd = steal_fd(&in.write_fd),
		.out_fd = steal_fd(&out.read_fd),
		.err_fd = steal_fd(&errors.read_fd),
	};
	return 0;
}

static bool is_variable(const char *setting, const char *const *variables)
{
	size_t len = strcspn(setting, "=");

	for (; variables != NULL && *variables != NULL; variables++) {
		if (strlen(*variables) == len && strncmp(*variables, setting, len) == 0)
			return true;
	}
	return false;
}

int process_start(char *const argv[], struct process *ret_process, struct error *err)
{
	return start(argv, environ, false, ret_process, err);
}

int process_start_as(char *const argv[], const struct process_manner *manner, struct process *ret_process,
		     struct error *err)
{
	CLEANUP_FREE char **env = NULL;
	size_t count = 0;

	while (environ != NULL && environ[count] != NULL)
		count++;
	env = calloc(count + 1, sizeof(*env));
	if (env == NULL)
		return error_nomem(err);
	for (size_t i = 0, kept = 0; i < count; i++) {
		if (!is_variable(environ[i], manner->without))
			env[kept++] = environ[i];
	}
	return start(argv, env, manner->no_terminal, ret_process, err);
}

/* 1 and the status once it has ended, 0 while it runs, -1 when nobody can know any more. */
static int look(struct process *process, int *ret_status)
{
	for (;;) {
		pid_t pid = waitpid(process->pid, ret_status, WNOHANG);
		if (pid == 0)
			return 0;
		if (pid < 0 && errno == EINTR)
			continue;
		process->pid = 0;
		return pid < 0 ? -1 : 1;
	}
}

int process_wait(struct process *process, const struct clock *clock, struct deadline deadline, int *ret_status,
		 struct error *err)
{
	int status;
	int64_t look_again_ms = 1;

	if (process->pid <= 0)
		return error_set(err, ERROR_INTERNAL, "there is no process to wait for");
	for (;;) {
		int ended = look(process, &status);
		if (ended < 0)
			return error_errno(err, ERROR_INTERNAL, errno, "a process was lost");
		if (ended > 0) {
			*ret_status = status;
			return 0;
		}
		int left = deadline_left_ms(clock, deadline);
		if (left == 0)
			return error_set(err, ERROR_TIMEOUT, "process %ld still runs", (long)process->pid);
		/* the clock's own sleep: the short looks are not scaled, or they would turn into a busy loop */
		if (clock->sleep_ms(clock->self, look_again_ms < left ? look_again_ms : left, NULL, err) != 0)
			return -1;
		look_again_ms = look_again_ms * 2 < LONGEST_LOOK_MS ? look_again_ms * 2 : LONGEST_LOOK_MS;
	}
}

static void close_end(int *fd)
{
	/* 0 stands in a struct that was never filled; ours are always above the standard streams */
	if (*fd > STDERR_FILENO)
		close(*fd);
	*fd = -1;
}

/* The group: a child of the child (ssh's proxy command) goes with it. */
static void tell(const struct process *process, int signal)
{
	if (kill(-process->pid, signal) != 0)
		kill(process->pid, signal);
}

void process_stop(struct process *process, const struct clock *clock, int64_t grace_ms)
{
	int status;

	close_end(&process->in_fd);
	close_end(&process->out_fd);
	close_end(&process->err_fd);
	if (process->pid <= 0)
		return;
	tell(process, SIGTERM);
	if (process_wait(process, clock, deadline_in(clock, grace_ms), &status, NULL) == 0 || process->pid == 0)
		return;
	tell(process, SIGKILL);
	struct deadline give_up = { .at_ms = clock->monotonic_ms(clock->self) + KILL_WAIT_MS };
	(void)process_wait(process, clock, give_up, &status, NULL);
	process->pid = 0;
}

const char *process_describe(int status, char *text, size_t size)
{
	if (WIFEXITED(status))
		snprintf(text, size, "exited with status %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "ended with an unknown status (0x%x)", (unsigned)status);
	return text;
}

/* One run: its process, and what came of it. */
struct run {
	struct process process;
	const struct clock *clock;
	const struct cancel *cancel;
	struct deadline deadline;
	struct buf *out;
	struct process_result result;
	bool ended;
};

/* What is there now; closes the stream at its end. out NULL: it is dropped. */
static int drain(int *fd, struct buf *out, size_t *count, struct error *err)
{
	char piece[READ_SIZE];

	while (*fd >= 0) {
		ssize_t n = read(*fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return error_errno(err, ERROR_IO, errno, "cannot read what it writes");
		if (n == 0) {
			close_end(fd);
			return 0;
		}
		*count += (size_t)n;
		if (out == NULL)
			continue;
		buf_append(out, piece, (size_t)n);
		if (buf_check(out, "its output", err) != 0)
			return -1;
	}
	return 0;
}

static int drain_both(struct run *run, struct error *err)
{
	size_t ignored = 0;

	if (drain(&run->process.out_fd, run->out, &ignored, err) != 0)
		return -1;
	return drain(&run->process.err_fd, NULL, &run->result.error_bytes, err);
}

/* Until there is something to read, or to look at. */
static int wait_for_output(const struct run *run, int64_t longest_ms, struct error *err)
{
	/* poll() passes over a descriptor of -1 */
	struct pollfd fds[] = {
		{ .fd = run->process.out_fd, .events = POLLIN },
		{ .fd = run->process.err_fd, .events = POLLIN },
		{ .fd = run->cancel == NULL ? -1 : run->cancel->read_fd, .events = POLLIN },
	};
	int left = deadline_left_ms(run->clock, run->deadline);

	if (cancel_check(run->cancel, err) != 0)
		return -1;
	if (left == 0)
		return error_set(err, ERROR_TIMEOUT, "it has not ended in time");
	if (poll(fds, sizeof(fds) / sizeof(fds[0]), left < longest_ms ? left : (int)longest_ms) < 0 && errno != EINTR)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for a process");
	return 0;
}

static int run_to_end(struct run *run, struct error *err)
{
	int64_t look_again_ms = 1;

	if (io_set_nonblocking(run->process.out_fd, err) != 0 || io_set_nonblocking(run->process.err_fd, err) != 0)
		return -1;
	while (!run->ended) {
		if (wait_for_output(run, look_again_ms, err) != 0)
			return -1;
		look_again_ms = look_again_ms * 2 < LONGEST_LOOK_MS ? look_again_ms * 2 : LONGEST_LOOK_MS;
		/* first whether it has ended, then what is there: nothing that it wrote is missed */
		int ended = look(&run->process, &run->result.status);
		if (ended < 0)
			return error_errno(err, ERROR_INTERNAL, errno, "a process was lost");
		run->ended = ended > 0;
		if (drain_both(run, err) != 0)
			return -1;
	}
	return 0;
}

int process_run(char *const argv[], const struct process_manner *manner, const struct clock *clock, const struct cancel *cancel,
		int64_t timeout_ms, struct buf *out, struct process_result *ret_result, struct error *err)
{
	struct run run = {
		.clock = clock,
		.cancel = cancel,
		/* a program's time is real time, and is not shortened when waits are */
		.deadline = { .at_ms = clock->monotonic_ms(clock->self) + timeout_ms },
		.out = out,
	};

	int started = manner == NULL ? process_start(argv, &run.process, err) : process_start_as(argv, manner, &run.process, err);
	if (started != 0)
		return -1;
	close_end(&run.process.in_fd);
	int result = run_to_end(&run, err);
	process_stop(&run.process, clock, RUN_GRACE_MS);
	if (result == 0)
		*ret_result = run.result;
	return result;
}
