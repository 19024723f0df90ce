/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a REST call: method, path, headers and body as the call has them, and the answer as it came. Repeats
 * nothing. */
#ifndef CPI_AWS_REST_H
#define CPI_AWS_REST_H

#include "cpi/aws/attempt.h"

#define REST_MAX_ANSWER ((size_t)1024 * 1024)

/* 0 after a 2xx answer that call->read took; -1 with ERROR_AWS, what read says, or the transport's errors. scratch holds
 * request and answer; *ret_answer is always filled. */
int rest_send(const struct attempt *attempt, const struct aws_rest_call *call, struct arena *scratch,
	      struct attempt_answer *ret_answer, struct error *err);

#endif
