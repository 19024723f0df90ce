/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the pipeline that writes the disk image to a stream: a pipe, a socket or a file. */
#ifndef ONHOST_OUTFLOW_H
#define ONHOST_OUTFLOW_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/error.h"
#include "onhost/slots.h"

struct outflow {
	int fd;
	int stop_fd; /* readable when the work was stopped: a reader that has fallen asleep is not waited for */
	int flags;   /* of the open file, as they were */
	struct slots *slots;
	_Atomic uint64_t written;
};

/* Makes the open file non-blocking until outflow_destroy. */
int outflow_init(struct outflow *outflow, int fd, int stop_fd, struct slots *slots, struct error *err);
void outflow_destroy(struct outflow *outflow);
/* Takes the slot over. Slots come in order and without gaps, from one thread. */
int outflow_slot(struct outflow *outflow, struct slot *slot, struct error *err);

#endif
