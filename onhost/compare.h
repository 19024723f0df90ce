/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the pipeline that reads a target back and compares. */
#ifndef ONHOST_COMPARE_H
#define ONHOST_COMPARE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "onhost/pipeline.h"
#include "onhost/slots.h"

struct compare {
	const struct pipeline_target *target; /* borrowed */
	struct slots *slots;
	bool direct;
	uint8_t *buffer;
	_Atomic uint64_t compared;
};

int compare_init(struct compare *compare, const struct pipeline_target *target, struct slots *slots, struct error *err);
void compare_destroy(struct compare *compare);
/* Takes the slot over. One thread. ERROR_IO: the first offset that differs, or what cannot be read. ERROR_NO_DEVICE: the
 * device went away. */
int compare_slot(struct compare *compare, struct slot *slot, struct error *err);

#endif
