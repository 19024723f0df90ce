/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the pipeline that writes the disk image to a stream. */
#ifndef ONHOST_OUTFLOW_H
#define ONHOST_OUTFLOW_H

#include "common/error.h"
#include "onhost/outlet.h"
#include "onhost/slots.h"

struct outflow {
	struct outlet outlet;
	struct slots *slots;
};

/* The output is an outlet until outflow_destroy. */
int outflow_init(struct outflow *outflow, int fd, int stop_fd, struct slots *slots, struct error *err);
void outflow_destroy(struct outflow *outflow);
/* Takes the slot over. Slots come in order and without gaps, from one thread. */
int outflow_slot(struct outflow *outflow, struct slot *slot, struct error *err);

#endif
