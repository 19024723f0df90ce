/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a Query call: a form by POST, XML back. Repeats nothing. */
#ifndef CPI_AWS_QUERY_H
#define CPI_AWS_QUERY_H

#include "cpi/aws/attempt.h"

/* 0 and the root element, whose tree is in the arena; -1 with ERROR_AWS, ERROR_INVALID (retryable: not this action's
 * XML) or the transport's errors. scratch holds request and raw answer; *ret_answer is always filled. */
int query_send(const struct attempt *attempt, struct arena *scratch, struct arena *arena,
	       struct attempt_answer *ret_answer, const struct xml_node **ret_root, struct error *err);

#endif
