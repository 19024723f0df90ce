/* SPDX-License-Identifier: Apache-2.0 */
/* What one of cpi's own log lines says, for whoever puts requests together from many of them. */
#ifndef CPI_TIMELINE_EVENT_H
#define CPI_TIMELINE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#define EVENT_TIME_UNKNOWN INT64_MIN

enum event_kind {
	EVENT_START,   /* "Starting create_vm..." */
	EVENT_CALL,    /* "aws-call action=…" */
	EVENT_FINISH,  /* "Finished create_vm in 5.17 seconds" */
	EVENT_FAILURE, /* "create_vm failed: …" */
};

/* One call to AWS. Texts are as they were logged, unescaped: they may hold anything but NUL, and are cut to their size. */
struct event_call {
	int64_t start_ms;    /* since 1970, UTC */
	int64_t duration_ms; /* with all attempts and waits */
	int64_t wait_ms;     /* of the duration: between attempts */
	int64_t throttle_ms; /* of the duration: because AWS had throttled */
	unsigned attempts;
	unsigned throttled; /* attempts that AWS refused so */
	unsigned status;    /* HTTP, of the last answer; 0: none came */
	char action[64];    /* letters and digits */
	char code[96];      /* "" after a success */
	char aws_request_id[80];
	char purpose[256];
};

struct event {
	enum event_kind kind;
	int64_t log_us; /* when it was logged, in the machine's local time read as if it were UTC; or EVENT_TIME_UNKNOWN */
	uint32_t pid;   /* 0: unknown */
	uint32_t task;  /* the Director's, 0: unknown */
	char request_id[128]; /* "": unknown */
	char method[64];      /* of all but calls; "": a request that could not be read */
	int64_t took_ms;      /* of EVENT_FINISH */
	char failure[512];    /* of EVENT_FAILURE */
	struct event_call call;
};

#endif
