/* SPDX-License-Identifier: Apache-2.0 */
/* An output that is never slept on: a pipe, a socket or a file, for the pipeline's ends that write to a stream. */
#ifndef ONHOST_OUTLET_H
#define ONHOST_OUTLET_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct outlet {
	int fd;
	int stop_fd;      /* readable when the work was stopped: a reader that has fallen asleep is not waited for; -1: none */
	const char *what; /* goes out, for messages: a literal */
	int flags;        /* of the open file, as they were */
	_Atomic uint64_t written; /* bytes */
};

/* Makes the open file non-blocking until outlet_close. */
int outlet_open(struct outlet *outlet, int fd, int stop_fd, const char *what, struct error *err);
void outlet_close(struct outlet *outlet);
/* All of it, or -1: ERROR_IO with the offset; ERROR_CANCELLED when it was stopped, of which nothing is noticed while there
 * is room. */
int outlet_write(struct outlet *outlet, const void *data, size_t len, struct error *err);

#endif
