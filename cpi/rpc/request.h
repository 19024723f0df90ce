/* SPDX-License-Identifier: Apache-2.0 */
/* The request: bytes of standard input to a struct. Which methods there are, and what their arguments mean, is left to
 * the dispatcher. */
#ifndef CPI_RPC_REQUEST_H
#define CPI_RPC_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/cancel.h"
#include "common/error.h"
#include "common/json_read.h"

#define REQUEST_MAX_BYTES ((size_t)8 * 1024 * 1024)

/* Texts and trees are owned by the arena. */
struct request {
	const char *method;
	const struct json *arguments; /* an array */
	const struct json *context;   /* an object */
	const char *director_uuid;
	const char *request_id; /* NULL where the context has none */
	int api_version;          /* 1 when absent; INT_MAX for anything beyond */
	int stemcell_api_version; /* context.vm.stemcell.api_version, 1 when absent */
};

/* Reads to the end of the stream, also what is over REQUEST_MAX_BYTES (and throws that away: the Director writes all
 * before it reads anything): then ERROR_INVALID_CALL. ERROR_CANCELLED when cancel is raised before the end. */
int request_read(int fd, const struct cancel *cancel, struct buf *text, struct error *err);

/* Checks in the order of the contract, so that the first defect is the one that is named: ERROR_INVALID_CALL, or
 * ERROR_NOT_IMPLEMENTED for a method for which known() is false. On failure request_id and method of *ret_request are
 * set as far as they were found, for the log. */
int request_parse(const char *text, size_t len, bool (*known)(const char *method), struct arena *arena,
		  struct request *ret_request, struct error *err);

#endif
