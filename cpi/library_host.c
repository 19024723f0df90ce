/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/library_host.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static bool pipe_signal_waits(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void only_pipe_signal(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGPIPE);
}

void library_host_enter(struct library_host *host)
{
	sigset_t pipe_signal;

	only_pipe_signal(&pipe_signal);
	host->pending = pipe_signal_waits();
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &host->mask);
	/* glibc has this one ready: nothing is allocated */
	host->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	host->locale = uselocale(host->plain);
}

void library_host_leave(struct library_host *host)
{
	const struct timespec now = { 0, 0 };
	sigset_t pipe_signal;

	uselocale(host->locale);
	if (host->plain != (locale_t)0)
		freelocale(host->plain);
	only_pipe_signal(&pipe_signal);
	while (!host->pending && pipe_signal_waits()) {
		/* a signal to the whole process may have gone to another thread meanwhile */
		if (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno != EINTR)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &host->mask, NULL);
}
