/* SPDX-License-Identifier: Apache-2.0 */
/* How many blocks are on their way at once: one more after each round that went well, half as many when AWS says that it is too
 * much, as TCP does. The arithmetic and its lock; no clock, no calls. */
#ifndef CPI_UPLOAD_GATE_H
#define CPI_UPLOAD_GATE_H

#include <stdbool.h>

#include "common/error.h"

struct gate;

/* Lets start in at first, and never more than most. */
int gate_new(unsigned start, unsigned most, struct gate **ret_gate, struct error *err);
void gate_free(struct gate *gate);
/* Waits for a place; false: the gate was shut meanwhile. */
bool gate_enter(struct gate *gate);
/* Gives it back. throttled: AWS refused for rate; only one of those who were in when it was refused counts. */
void gate_leave(struct gate *gate, bool throttled);
/* Whoever waits gets false, now and from now on. */
void gate_shut(struct gate *gate);
/* How many may be in just now. */
unsigned gate_limit(struct gate *gate);

#endif
