/* SPDX-License-Identifier: Apache-2.0 */
/* What must be otherwise in a host's thread while it works for us, and is as it was afterwards. */
#ifndef CPI_LIBRARY_HOST_H
#define CPI_LIBRARY_HOST_H

#include <locale.h>
#include <signal.h>
#include <stdbool.h>

struct library_host {
	sigset_t mask; /* before */
	bool pending;  /* a SIGPIPE of somebody else's waited already */
	locale_t plain;
	locale_t locale; /* before */
};

/* Blocks SIGPIPE: a connection that goes away must show as an error, and not kill a host that has no handler. Numbers are read and
 * written in the locale "C". Both hold for this thread, the former also for threads that it makes. */
void library_host_enter(struct library_host *host);
/* Takes a SIGPIPE away that has come of our own writing, and puts back what was. */
void library_host_leave(struct library_host *host);

#endif
