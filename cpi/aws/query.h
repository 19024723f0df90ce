/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a Query call: form POST, signature, exchange, answer. Repeats nothing. */
#ifndef CPI_AWS_QUERY_H
#define CPI_AWS_QUERY_H

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/aws/client.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/endpoint.h"

struct query {
	struct runtime *runtime;
	const struct aws_call *call;
	const struct endpoint *endpoint;
	const struct credentials *credentials; /* without an access key's id: the call is not signed */
	const char *ca_file;
	int64_t time; /* to sign with, seconds since 1970 */
};

/* What came, also with an error. */
struct query_answer {
	int status;           /* 0: no whole answer */
	char request_id[80];  /* "" when there is none */
	int64_t date;         /* of the Date header, seconds since 1970; 0: none */
	int64_t retry_after;  /* milliseconds, 0: not said */
	const char *encoded_denial; /* failure_from_answer's, in scratch; NULL: none */
};

/* 0 and the root element, whose tree is in the arena; -1 with ERROR_AWS, ERROR_INVALID (retryable: not this action's
 * XML) or the transport's errors. scratch holds request and raw answer; *ret_answer is always filled. */
int query_send(const struct query *query, struct arena *scratch, struct arena *arena, struct query_answer *ret_answer,
	       const struct xml_node **ret_root, struct error *err);

#endif
