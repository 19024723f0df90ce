/* SPDX-License-Identifier: Apache-2.0 */
/* What every method gets: the request it serves and the means to serve it. A method's file knows no JSON, XML or HTTP. */
#ifndef CPI_METHODS_CALL_H
#define CPI_METHODS_CALL_H

#include "common/arena.h"
#include "common/runtime.h"
#include "cpi/config.h"
#include "cpi/ec2/client.h"

struct undo; /* cpi/methods/undo.h */

struct call {
	struct runtime *runtime;
	const struct config *config;
	struct arena *arena; /* lives until the answer is out */
	struct ec2_client *ec2;
	struct undo *undo;
	const char *method;
	const char *director_uuid;
	const char *request_id; /* of the context; a random one where it has none */
	int api_version;
	int stemcell_api_version; /* context.vm.stemcell.api_version, 1 when absent */
};

#endif
