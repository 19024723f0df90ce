/* SPDX-License-Identifier: Apache-2.0 */
/* What AWS says of a denial only in encoded form, put into words: which action, on which resource, to whom, and whether a
 * statement forbids it or none allows it.
 * Fact: DecodeAuthorizationMessage, AWS Security Token Service API Reference. */
#ifndef CPI_AWS_DENIAL_H
#define CPI_AWS_DENIAL_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/aws/client.h"

/* Has it decoded by STS, and failure's message say it. 0, or -1 with the reason, and failure is as before: where we may
 * not, or STS cannot be reached, or its answer is no such document. */
int denial_explain(struct aws_client *client, const char *encoded, struct arena *scratch, struct error *failure,
		   struct error *err);
/* The sentence for a decoded document, in the arena. ERROR_INVALID where it names no action. */
int denial_sentence(struct arena *arena, const char *json, const char **ret_sentence, struct error *err);

#endif
