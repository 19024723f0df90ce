/* SPDX-License-Identifier: Apache-2.0 */
/* Cancellation: main's signal handler raises it, every wait and transfer watches it. */
#ifndef COMMON_CANCEL_H
#define COMMON_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/error.h"

struct cancel {
	atomic_int signal; /* the signal that came, 0 while none has; lock-free, so a handler may set it */
	int read_fd;       /* becomes readable when it is raised, and stays so; for poll() */
	int write_fd;
};

/* In a signal's place: what is stopped was part of something that has failed. */
#define CANCEL_NO_SIGNAL (-1)

/* Opens the pipe behind it; cancel_close releases it. */
int cancel_open(struct cancel *cancel, struct error *err);
void cancel_close(struct cancel *cancel);
/* In a child, right after fork: a pipe of its own in place of the parent's (whose ends stay open), so that neither wakes
 * the other. What was raised stays raised. The caller has blocked the signals whose handler raises it. */
int cancel_renew(struct cancel *cancel, struct error *err);
/* Async-signal-safe. */
void cancel_raise(struct cancel *cancel, int signal);
/* A NULL cancel is never raised. */
bool cancel_raised(const struct cancel *cancel);
/* 0 while it has not been raised, else -1 and ERROR_CANCELLED, which names the signal, where it was one. */
int cancel_check(const struct cancel *cancel, struct error *err);
/* Takes a raised one back, so that the clean-up after it can do its own calls; a further signal raises it again. */
void cancel_clear(struct cancel *cancel);

#endif
