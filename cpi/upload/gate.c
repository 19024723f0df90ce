/* SPDX-License-Identifier: Apache-2.0 */
/* Additive increase, multiplicative decrease. What is let in, and what a refusal is, the callers know. */
#include "cpi/upload/gate.h"

#include <pthread.h>
#include <stdlib.h>

struct gate {
	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t changed;
	unsigned most;
	unsigned limit;
	unsigned inside;
	unsigned went_well; /* since the limit was last changed */
	unsigned refused_with; /* how many have yet to leave of those who were in when one was refused */
	bool shut;
};

int gate_new(unsigned start, unsigned most, struct gate **ret_gate, struct error *err)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return error_nomem(err);
	gate->most = most > 0 ? most : 1;
	gate->limit = start > 0 ? start : 1;
	if (gate->limit > gate->most)
		gate->limit = gate->most;
	if (pthread_mutex_init(&gate->lock, NULL) != 0) {
		free(gate);
		return error_nomem(err);
	}
	if (pthread_cond_init(&gate->changed, NULL) != 0) {
		pthread_mutex_destroy(&gate->lock);
		free(gate);
		return error_nomem(err);
	}
	*ret_gate = gate;
	return 0;
}

void gate_free(struct gate *gate)
{
	if (gate == NULL)
		return;
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->lock);
	free(gate);
}

bool gate_enter(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	while (!gate->shut && gate->inside >= gate->limit)
		pthread_cond_wait(&gate->changed, &gate->lock);
	bool entered = !gate->shut;
	if (entered)
		gate->inside++;
	pthread_mutex_unlock(&gate->lock);
	return entered;
}

/* One refusal halves for all who were in with it: they were sent at the rate that was too high, and their refusals say nothing
 * about the lower one. Nobody is known by name here, so that as many must leave as were in. */
static void refused(struct gate *gate)
{
	gate->limit = gate->limit > 1 ? gate->limit / 2 : 1;
	gate->refused_with = gate->inside;
	gate->went_well = 0;
}

static void succeeded(struct gate *gate)
{
	if (++gate->went_well < gate->limit)
		return;
	gate->went_well = 0;
	if (gate->limit < gate->most)
		gate->limit++;
}

void gate_leave(struct gate *gate, bool throttled)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	if (gate->refused_with > 0)
		gate->refused_with--;
	else if (throttled)
		refused(gate);
	else
		succeeded(gate);
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_shut(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->shut = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

unsigned gate_limit(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	unsigned limit = gate->limit;
	pthread_mutex_unlock(&gate->lock);
	return limit;
}
