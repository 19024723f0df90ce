/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/bucket_sim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define ON_THE_WAY_S 0.01

enum step { ASKS, ARRIVES, HEARS };

struct process {
	int64_t at; /* when its next step is */
	enum step step;
	bool taken;
	unsigned left;
	unsigned refused;
};

struct running {
	const struct bucket_sim *sim;
	struct process *processes;
	double level;
	int64_t level_at;
	unsigned short random[3];
};

static int64_t in_us(double seconds)
{
	return (int64_t)(seconds * 1e6);
}

static int64_t about(struct running *running, double seconds)
{
	return in_us(seconds * (0.5 + erand48(running->random)));
}

static bool take_token(struct running *running, int64_t now)
{
	const struct bucket_sim *sim = running->sim;
	int64_t busy_until = BUCKET_SIM_START + in_us(sim->busy_until_s);
	int64_t from = running->level_at > busy_until ? running->level_at : busy_until;

	if (now > from)
		running->level += (double)(now - from) / 1e6 * sim->refill;
	running->level_at = now;
	if (running->level > sim->depth)
		running->level = sim->depth;
	if (running->level < 1)
		return false;
	running->level -= 1;
	return true;
}

static struct process *next_process(struct running *running)
{
	struct process *next = NULL;

	for (unsigned i = 0; i < running->sim->processes; i++) {
		struct process *process = &running->processes[i];
		if (process->left > 0 && (next == NULL || process->at < next->at))
			next = process;
	}
	return next;
}

static void hear(struct running *running, const struct bucket_client *client, struct process *process)
{
	unsigned number = (unsigned)(process - running->processes);

	if (process->taken) {
		client->taken(client->self, number, process->at);
		process->left--;
	} else {
		client->refused(client->self, number, process->at);
		process->refused++;
	}
	process->step = ASKS;
}

static void take_step(struct running *running, const struct bucket_client *client, struct process *process)
{
	const struct bucket_sim *sim = running->sim;

	if (process->step == ASKS) {
		int64_t wait_ms = client->turn(client->self, (unsigned)(process - running->processes), process->at);
		process->step = wait_ms > 0 ? ASKS : ARRIVES;
		process->at += wait_ms > 0 ? wait_ms * 1000 + about(running, 0.001) : about(running, ON_THE_WAY_S);
	} else if (process->step == ARRIVES) {
		process->taken = take_token(running, process->at);
		process->step = HEARS;
		process->at += about(running, process->taken ? sim->taken_s : sim->refused_s);
	} else {
		hear(running, client, process);
	}
}

struct bucket_outcome bucket_sim_run(const struct bucket_sim *sim, const struct bucket_client *client)
{
	struct running running = {
		.sim = sim,
		.processes = calloc(sim->processes, sizeof(struct process)),
		.level = sim->busy_until_s > 0 ? 0 : sim->depth,
		.level_at = BUCKET_SIM_START,
		.random = { (unsigned short)sim->seed, 1, 2 },
	};
	struct bucket_outcome outcome = { 0 };
	struct process *process;
	int64_t now = BUCKET_SIM_START;

	for (unsigned i = 0; i < sim->processes; i++) {
		running.processes[i].at = BUCKET_SIM_START + in_us(sim->start_s * i / sim->processes);
		running.processes[i].left = sim->calls;
	}
	while ((process = next_process(&running)) != NULL) {
		now = process->at;
		take_step(&running, client, process);
	}
	for (unsigned i = 0; i < sim->processes; i++) {
		outcome.refused += running.processes[i].refused;
		if (running.processes[i].refused > outcome.most_refused)
			outcome.most_refused = running.processes[i].refused;
	}
	outcome.seconds = (double)(now - BUCKET_SIM_START) / 1e6;
	outcome.best_s = sim->busy_until_s +
			 ((double)sim->processes * sim->calls - (sim->busy_until_s > 0 ? 0 : sim->depth)) / sim->refill;
	free(running.processes);
	return outcome;
}
