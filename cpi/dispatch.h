/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the contract in one table, and for each the adapter between its JSON and its plain arguments. What a
 * method does is in cpi/methods. */
#ifndef CPI_DISPATCH_H
#define CPI_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "cpi/methods/call.h"

/* What has to be there before a method can run; each level includes those before it. */
enum dispatch_needs {
	DISPATCH_NEEDS_NOTHING, /* call->runtime->http, ec2 and undo may be NULL */
	DISPATCH_NEEDS_HTTP,    /* runtime->http */
	DISPATCH_NEEDS_AWS,     /* region, credentials, ec2, undo */
};

struct dispatch_method;

/* A name of the contract, served or not, or a worker action's. */
bool dispatch_known(const char *name);
/* The names of the methods of the contract that are served, by index; NULL behind the last. */
const char *dispatch_method_name(size_t index);

/* Refuses what can be refused before anything is set up: ERROR_API_VERSION for a version over highest,
 * ERROR_NOT_IMPLEMENTED for a method that is known but not served, ERROR_INVALID_CALL for a wrong number of arguments. */
int dispatch_find(const char *name, int api_version, int highest, const struct json *arguments,
		  const struct dispatch_method **ret_method, struct error *err);
enum dispatch_needs dispatch_needs(const struct dispatch_method *method);
/* Runs it; the result, one JSON value, goes to result. On failure nothing of what result holds is to be used. */
int dispatch_run(const struct dispatch_method *method, struct call *call, const struct json *arguments,
		 struct json_writer *result, struct error *err);

#endif
