/* SPDX-License-Identifier: Apache-2.0 */
/* First the child's side, from fork to _exit; then the parent's, which only waits. The child reads and writes the
 * session's own descriptors, so that no byte of the image passes through the parent; its result comes over a pipe. */
#include "onhost/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/process.h"
#include "onhost/chunks.h"
#include "onhost/pipeline.h"
#include "onhost/result.h"
#include "onhost/sandbox.h"

#define READ_PIECE ((size_t)4096)

/* --- the child -------------------------------------------------------------------------------------------------------- */

static int tell_progress(void *self, const struct onhost_progress *progress, struct error *err)
{
	const struct onhost_msg msg = { .type = ONHOST_MSG_PROGRESS, .progress = *progress };

	return peer_send(self, &msg, err);
}

static int enter_sandbox(struct runtime *runtime, const struct worker_job *job, const struct chunks *chunks,
			 pid_t parent, int report_fd, struct error *err)
{
	const struct cancel *cancel = runtime->cancel;
	const struct sandbox_rules rules = {
		.keep = { job->peer->in_fd, job->peer->out_fd, runtime->log->fd, job->target->fd, report_fd,
			  chunks->stop.read_fd, chunks->stop.write_fd, cancel == NULL ? -1 : cancel->read_fd,
			  cancel == NULL ? -1 : cancel->write_fd },
		.n_keep = 9,
		.file_room = SANDBOX_FILE_ROOM,
		.parent = parent,
	};
	const char *missing;

	if (sandbox_enter(&rules, &missing, err) != 0)
		return -1;
	if (missing != NULL)
		log_warn(runtime->log, "the image is read with %s: this machine does not give them to onhost", missing);
	return 0;
}

static int write_image(struct runtime *runtime, const struct worker_job *job, pid_t parent, int report_fd,
		       struct pipeline_result *ret_result, struct error *err)
{
	struct chunks chunks CLEANUP(chunks_close) = { .peer = NULL };
	const struct onhost_write *write = job->write;

	if (chunks_open(&chunks, job->peer, err) != 0 ||
	    enter_sandbox(runtime, job, &chunks, parent, report_fd, err) != 0)
		return -1;

	const struct pipeline_options options = {
		.source = { .read = chunks_read, .self = &chunks, .check = chunks_check, .stop = chunks_stop },
		.digest = write->digest,
		.progress = tell_progress,
		.progress_self = job->peer,
	};
	const struct pipeline_target target = {
		.fd = job->target->fd,
		.name = job->target->node,
		.size = job->target->size,
		.fresh = write->fresh,
		.encrypted = write->encrypted,
		.skip_zero_blocks = write->skip_zero_blocks,
	};
	return pipeline_write(runtime, &options, &target, ret_result, err);
}

static int report(const struct onhost_msg *msg, int fd, struct error *err)
{
	struct buf line CLEANUP_BUF = BUF_INIT(ONHOST_LINE_MAX);

	if (onhost_msg_encode(msg, &line, err) != 0)
		return -1;
	return io_write_all(fd, line.data, line.len, "the result", err);
}

static int report_written(const struct pipeline_result *result, int fd, struct error *err)
{
	struct onhost_msg msg = { .type = ONHOST_MSG_WRITTEN };

	result_as_written(result, &msg.written);
	return report(&msg, fd, err);
}

static int report_error(const struct error *what, int fd)
{
	const struct onhost_msg msg = {
		.type = ONHOST_MSG_ERROR,
		.error = { .type = error_kind_name(what->kind), .message = what->message },
	};
	return report(&msg, fd, NULL);
}

/* The child's whole life; signals that cancel are blocked. Its result is the exit status. */
static int child(struct runtime *runtime, const struct worker_job *job, pid_t parent, int report_fd,
		 const sigset_t *unblocked)
{
	struct pipeline_result result;
	struct error err;

	int done = runtime->cancel == NULL ? 0 : cancel_renew(runtime->cancel, &err);
	sigprocmask(SIG_SETMASK, unblocked, NULL);
	if (done == 0)
		done = write_image(runtime, job, parent, report_fd, &result, &err);
	if (done == 0)
		done = report_written(&result, report_fd, &err);
	return done == 0 || report_error(&err, report_fd) == 0 ? 0 : 1;
}

/* --- the parent ------------------------------------------------------------------------------------------------------- */

struct worker {
	struct process process;
	int report_fd;
	struct buf report;
	bool gone; /* the session's other side is */
	bool told_to_end;
	bool killed;
	struct deadline patience; /* until it is killed; once it was told to end */
};

static void worker_close(struct worker *worker)
{
	if (worker->report_fd >= 0)
		close(worker->report_fd);
	buf_free(&worker->report);
}

static int start(struct runtime *runtime, const struct worker_job *job, struct worker *worker, struct error *err)
{
	sigset_t cancelling, before;
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot make a pipe");
	/* a signal that comes while both have the same pipe would wake the wrong one */
	sigemptyset(&cancelling);
	sigaddset(&cancelling, SIGTERM);
	sigaddset(&cancelling, SIGINT);
	sigaddset(&cancelling, SIGHUP);
	sigprocmask(SIG_BLOCK, &cancelling, &before);
	pid_t pid = fork();
	if (pid == 0)
		_exit(child(runtime, job, parent, fds[1], &before));
	int why = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	worker->report_fd = fds[0];
	if (pid < 0)
		return error_errno(err, ERROR_INTERNAL, why, "cannot start a process for the image");
	worker->process.pid = pid;
	return 0;
}

static void tell_to_end(struct worker *worker, const struct clock *clock)
{
	worker->told_to_end = true;
	worker->patience = deadline_in(clock, WORKER_GRACE_MS);
	kill(worker->process.pid, SIGTERM);
}

/* 1 when there is something of the report to be read, 0 when not yet. */
static int await_report(struct worker *worker, struct runtime *runtime, const struct peer *peer, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = worker->report_fd, .events = POLLIN },
		{ .fd = worker->told_to_end || runtime->cancel == NULL ? -1 : runtime->cancel->read_fd, .events = POLLIN },
		/* no events: only that its reader has gone is reported */
		{ .fd = worker->told_to_end ? -1 : peer->out_fd, .events = 0 },
	};
	int wait_ms = worker->told_to_end ? deadline_left_ms(runtime->clock, worker->patience) : -1;

	int ready = poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms);
	if (ready < 0 && errno != EINTR)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for the process that writes the image");
	if (ready > 0 && fds[0].revents != 0)
		return 1;
	worker->gone = worker->gone || (ready > 0 && fds[2].revents != 0);
	if (!worker->told_to_end && (cancel_raised(runtime->cancel) || worker->gone)) {
		tell_to_end(worker, runtime->clock);
	} else if (worker->told_to_end && deadline_passed(runtime->clock, worker->patience)) {
		if (worker->killed) /* in the kernel, which lets it go when the device answers, and ends it then */
			return error_set(err, ERROR_INTERNAL, "the process that writes the image cannot be ended");
		worker->killed = true;
		worker->patience = deadline_in(runtime->clock, WORKER_GRACE_MS);
		kill(worker->process.pid, SIGKILL);
	}
	return 0;
}

/* All that the worker says, until it closes the pipe: at the latest when it ends. */
static int gather(struct worker *worker, struct runtime *runtime, const struct peer *peer, struct error *err)
{
	char piece[READ_PIECE];

	for (;;) {
		int ready = await_report(worker, runtime, peer, err);
		if (ready < 0)
			return -1;
		ssize_t got = ready == 0 ? -1 : read(worker->report_fd, piece, sizeof(piece));
		if (got == 0)
			return 0;
		if (ready != 0 && got < 0 && errno != EINTR)
			return error_errno(err, ERROR_IO, errno, "cannot read the result of writing the image");
		if (got < 0)
			continue;
		buf_append(&worker->report, piece, (size_t)got);
		if (buf_check(&worker->report, "the result of writing the image", err) != 0)
			return -1;
	}
}

static int went_away(struct error *err)
{
	return error_set(err, ERROR_PROTOCOL, "the other side of the session went away while the image was written");
}

/* What it has said: one message and nothing else. */
static int judge(const struct worker *worker, const struct runtime *runtime, int status, struct arena *arena,
		 struct onhost_written *ret_written, struct error *err)
{
	const char *end = worker->report.len == 0 ? NULL : memchr(worker->report.data, '\n', worker->report.len);
	struct onhost_msg msg;
	char text[128];

	bool whole = status == 0 && end != NULL && end + 1 == worker->report.data + worker->report.len;
	if (!whole && worker->gone)
		return went_away(err);
	if (!whole)
		return error_set(err, ERROR_INTERNAL,
				 "the process that writes the image %s without a result; the first MiB of the device "
				 "was not written",
				 process_describe(status, text, sizeof(text)));
	if (onhost_msg_decode(arena, worker->report.data, (size_t)(end - worker->report.data), &msg, err) != 0)
		return error_prefix(err, "the result of the process that writes the image");
	if (msg.type == ONHOST_MSG_WRITTEN) {
		*ret_written = msg.written;
		return 0;
	}
	if (msg.type != ONHOST_MSG_ERROR)
		return error_set(err, ERROR_INTERNAL, "the process that writes the image ended with another message than "
				 "its result");
	enum error_kind kind = error_kind_by_name(msg.error.type);
	if (kind == ERROR_CANCELLED && worker->gone)
		return went_away(err);
	/* nobody has told us to stop: a signal was sent to it alone */
	if (kind == ERROR_NONE || (kind == ERROR_CANCELLED && !cancel_raised(runtime->cancel)))
		kind = ERROR_INTERNAL;
	return error_set(err, kind, "%s", msg.error.message);
}

int worker_run(struct runtime *runtime, const struct worker_job *job, struct arena *arena,
	       struct onhost_written *ret_written, struct error *err)
{
	struct worker worker CLEANUP(worker_close) = {
		.process = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.report_fd = -1,
		.report = BUF_INIT(ONHOST_LINE_MAX),
	};
	int status = 0;

	if (start(runtime, job, &worker, err) != 0)
		return -1;
	int result = gather(&worker, runtime, job->peer, err);
	/* it has said what it had to say, and only ends now */
	if (result == 0)
		result = process_wait(&worker.process, runtime->clock, deadline_in(runtime->clock, WORKER_GRACE_MS),
				      &status, err);
	process_stop(&worker.process, runtime->clock, 0);
	if (result == 0)
		result = judge(&worker, runtime, status, arena, ret_written, err);
	/* whatever it says of it, the signal is the cause */
	if (result != 0)
		cancel_check(runtime->cancel, err);
	return result;
}
