/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted AWS and a clock that only sleeping moves, for what stands on common/http.h and common/deadline.h. Requests may
 * come from several threads at the same time (parallel_run); then any_order is what the script needs. */
#ifndef TESTS_UNIT_FAKE_AWS_H
#define TESTS_UNIT_FAKE_AWS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/http.h"
#include "common/log.h"
#include "common/runtime.h"
#include "cpi/aws/client.h"
#include "cpi/ec2/client.h"

#define FAKE_NOW INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define FAKE_MAX 128

enum fake_way { FAKE_ANSWERED, FAKE_REFUSED, FAKE_CUT, FAKE_HANG, FAKE_TLS, FAKE_SIGNAL };

/* One exchange of the script. */
struct fake_answer {
	enum fake_way way;
	int status; /* 0: 200 */
	const char *body;
	const char *date;
	const char *retry_after;
	const char *request_id; /* header */
	struct http_header header; /* another one, where it has a name */
	/* The action that the request must have, or how a REST call begins ("PUT https://…"); NULL: any. */
	const char *action;
};

struct fake_aws {
	struct fake_answer script[FAKE_MAX];
	unsigned n_script;
	bool repeat_last; /* the last answer for ever; else a request beyond the script fails the test */
	bool any_order;   /* a request gets the first answer of its action that is not used yet */
	bool used[FAKE_MAX];
	pthread_mutex_t lock; /* over what requests and sleeping change */
	unsigned n_requests;
	char *bodies[FAKE_MAX]; /* of the requests, in order */
	char *authorizations[FAKE_MAX];
	char *dates[FAKE_MAX];
	char *heads[FAKE_MAX]; /* "PUT https://…\nHost: …\n" */
	size_t body_lens[FAKE_MAX];
	char *url; /* of the last one */
	int64_t times[FAKE_MAX]; /* when they came: milliseconds since the start */
	int64_t now_ms;

	struct clock clock;
	struct log log;
	struct cancel cancel;
	struct http_transport http;
	struct runtime runtime;
	struct aws_settings settings;
	struct aws_client *client;
	struct ec2_client ec2;
};

/* A client with static keys, region eu-west-1, two retries. */
void fake_aws_open(struct fake_aws *fake);
/* Also checks that the script was used up (unless repeat_last). */
void fake_aws_close(struct fake_aws *fake);
void fake_aws_script(struct fake_aws *fake, struct fake_answer answer);
/* An error answer in EC2's form, as a new string that lives until the process ends. */
const char *fake_aws_error(const char *code, const char *message);
/* Whether request number i (from 0) has this parameter, as it is encoded ("VolumeId=vol-1"). */
bool fake_aws_sent(const struct fake_aws *fake, unsigned i, const char *parameter);
/* The number of the nth request (from 0) of that action; fails the test when there is none. */
unsigned fake_aws_find(const struct fake_aws *fake, const char *action, unsigned nth);
/* All that was logged so far, into text. */
void fake_aws_log(const struct fake_aws *fake, char *text, size_t size);

#endif
