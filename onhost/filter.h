/* SPDX-License-Identifier: Apache-2.0 */
/* The system-call filter of the sandbox: deny by default, allowed by class. Made with libseccomp (seccomp(2)), which has
 * its only home here. What else the sandbox is made of is sandbox.h's. */
#ifndef ONHOST_FILTER_H
#define ONHOST_FILTER_H

#include "common/error.h"

/* From now on, for all threads of this process and for ever: memory that is never executable, threads, clocks, reading
 * and writing what is open already, signals to itself, and its end. What would open, make, start, send or trace
 * anything is answered EPERM; all else, known or not, ENOSYS, so that a newer libc falls back to what is allowed; a
 * call in another architecture's way (i386, x32) kills the process with SIGSYS.
 * PR_SET_NO_NEW_PRIVS is set along with it. ERROR_SANDBOX: this kernel or container has no filters (or libseccomp no
 * memory); the process is as it was, but may have lost the right to new privileges. */
int filter_enter(struct error *err);

#endif
