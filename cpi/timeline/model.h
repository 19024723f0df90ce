/* SPDX-License-Identifier: Apache-2.0 */
/* Events to requests, and totals over all of them. A request is one process's work for one request id: the Director's next
 * try with the same id is another one. Memory is bounded, however long the log: so many requests may be open at a time,
 * and of the closed ones the slowest are kept. */
#ifndef CPI_TIMELINE_MODEL_H
#define CPI_TIMELINE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "cpi/timeline/event.h"
#include "cpi/timeline/totals.h"

/* The request that has been silent for longest is taken for ended when one more begins. */
#define MODEL_MAX_OPEN 4096
/* Further calls of a request count, and are not kept one by one. */
#define MODEL_MAX_CALLS 2000
/* The same for all calls once those that are kept take so much memory. */
#define MODEL_MAX_BYTES ((size_t)20 * 1024 * 1024)
/* So many requests are all kept, without options. */
#define MODEL_KEEP_ALL 200
/* When there are more: so many. */
#define MODEL_KEEP_SLOWEST 20

/* One call of a request. The texts are its own, in one piece with it. */
struct model_call {
	int64_t start_ms;
	int64_t duration_ms;
	int64_t wait_ms;
	int64_t throttle_ms;
	unsigned attempts;
	unsigned throttled;
	unsigned status;
	const char *action;
	const char *purpose;
	const char *code; /* "" after a success */
	const char *aws_request_id;
	size_t size; /* of the whole piece */
};

struct model_request {
	char id[128];    /* "": unknown */
	char method[64]; /* "": unknown */
	char *failure;   /* NULL: none was logged */
	uint32_t pid;    /* 0: unknown */
	uint32_t task;   /* 0: unknown */
	bool started;    /* its first line was there */
	bool finished;   /* its last line was there */
	/* once it is closed: */
	int64_t start_ms; /* since 1970, UTC; 0: no time was there at all */
	int64_t total_ms;
	int64_t aws_ms; /* of the total: at least one call was under way */
	/* sums over all its calls, kept or not */
	uint64_t calls;
	uint64_t attempts;
	uint64_t throttled;
	uint64_t errors;
	struct model_call **kept; /* in order of start once it is closed */
	size_t n_kept;
	/* the model's own: */
	size_t size_kept;
	int64_t first_ms;     /* of its calls */
	int64_t last_ms;
	int64_t dropped_ms;   /* time of calls that are not kept */
	int64_t started_us;   /* local, as logged */
	int64_t finished_us;
	int64_t took_ms;
	int64_t ahead_us;     /* local time less UTC */
	bool ahead_known;
	struct model_request *next; /* in its bucket */
	struct model_request *older, *newer;
};

struct model_options {
	const char *only_id; /* NULL: all requests; with or without the Director's "cpi-" */
	size_t slowest;      /* so many waterfalls; 0: as many as MODEL_KEEP_… say */
};

struct model;

/* NULL: no memory. */
struct model *model_new(const struct model_options *options);
void model_free(struct model *model);
/* For struct reader: self is the model. */
void model_take(void *self, const struct event *event);

/* What came of it; the model's, until it is freed. */
struct model_result {
	struct model_request **requests; /* in order of start */
	size_t count;
	uint64_t left_out;   /* further requests, all faster */
	uint64_t repeated;   /* lines that were there before */
	struct totals *totals; /* sorted */
};

/* Ends all requests; nothing may be taken afterwards. */
int model_finish(struct model *model, struct model_result *ret_result, struct error *err);

#endif
