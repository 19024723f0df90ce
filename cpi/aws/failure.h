/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong in a call, read from an answer that is no success: AWS's XML in its two forms, its JSON, or
 * whatever a proxy or a load balancer sends instead. */
#ifndef CPI_AWS_FAILURE_H
#define CPI_AWS_FAILURE_H

#include "common/arena.h"
#include "common/error.h"
#include "common/http.h"

/* Fills err from an answer outside 2xx and returns -1: ERROR_AWS with action, status, code, request id. Where
 * there is no code of AWS's it is the status ("503"), and the message shows how the body begins. retryable is set where the message
 * tells, and the code does not, that it passes. *ret_encoded, in scratch, is what AWS
 * says only encoded of a denial (the message ends with it); NULL where there is no such part. */
int failure_from_answer(const char *action, const struct http_response *response, struct arena *scratch,
			const char **ret_encoded, struct error *err);
/* Puts a sentence in the encoded part's place. */
void failure_replace_encoded(struct error *err, const char *sentence);
/* Adds a text to the message, before its encoded part: that one is long, and may be cut. */
void failure_add(struct error *err, const char *text);
/* The request id of an answer: the header, else "" (EC2 has it in the body as well). */
const char *failure_request_id(const struct http_response *response);

#endif
