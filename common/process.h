/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes with all three standard streams on pipes of ours, so that none keeps the parent's standard error open. */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/deadline.h"
#include "common/error.h"
#include "common/runtime.h"

struct process {
	pid_t pid;  /* 0: not running (any more) */
	int in_fd;  /* our end of its standard input; -1 when closed */
	int out_fd; /* its standard output */
	int err_fd; /* its standard error */
};

/* Starts argv (argv[0] looked up in PATH unless it has a slash) with the parent's environment, default signal
 * dispositions, and no other descriptor of ours. ERROR_IO with the name when it cannot be started. */
int process_start(char *const argv[], struct process *ret_process, struct error *err);
/* The same, but otherwise than the parent in these points. */
struct process_manner {
	const char *const *without; /* variables that it does not get, a list that ends with NULL; NULL: it gets all. Secrets that
				     * are none of its business */
	bool no_terminal;           /* a session of its own: neither it nor what it starts can ask questions there */
};
int process_start_as(char *const argv[], const struct process_manner *manner, struct process *ret_process,
		     struct error *err);
/* Waits until it has ended, at most until the deadline (then ERROR_TIMEOUT and it still runs).
 * *ret_status as waitpid gives it. */
int process_wait(struct process *process, const struct clock *clock, struct deadline deadline, int *ret_status,
		 struct error *err);
/* Closes our ends; SIGTERM; SIGKILL after grace_ms; reaps it. Safe to call twice, and on one that never started. */
void process_stop(struct process *process, const struct clock *clock, int64_t grace_ms);
/* Runs argv to its end (manner NULL: started as process_start does), without any input, and gathers what it writes to
 * standard output; what it writes to standard error is counted and dropped. 0 and the status as waitpid gives it; or -1, and
 * it is stopped, with all of its group: ERROR_TOO_BIG beyond out's maximum, ERROR_TIMEOUT, ERROR_CANCELLED, ERROR_IO when it
 * cannot be started. What a child that it leaves behind writes later is not waited for. */
struct process_result {
	int status;
	size_t error_bytes; /* on standard error */
};
int process_run(char *const argv[], const struct process_manner *manner, const struct clock *clock, const struct cancel *cancel,
		int64_t timeout_ms, struct buf *out, struct process_result *ret_result, struct error *err);
/* "exited with status 3", "was killed by signal 9 (Killed)": for messages. */
const char *process_describe(int status, char *text, size_t size);

#endif
