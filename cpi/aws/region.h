/* SPDX-License-Identifier: Apache-2.0 */
/* The region where neither the request nor the configuration nor AWS_REGION or AWS_DEFAULT_REGION says one: the
 * profile's, else the one that this instance is in. */
#ifndef CPI_AWS_REGION_H
#define CPI_AWS_REGION_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/aws/profile.h"

/* *ret_region is in the arena or the profiles, *ret_source says for people where it is from; both NULL where nobody knows
 * one. The instance metadata service is asked only where ask_metadata is set (where there is none that takes as long as
 * its time-outs; not with AWS_EC2_METADATA_DISABLED), and why it gave none is in the debug log. runtime->http is open
 * then. metadata_endpoint: NULL for the SDKs' own. profiles NULL: none. -1 only without memory or when cancelled. */
int region_find(struct runtime *runtime, const struct profiles *profiles, const char *metadata_endpoint,
		bool ask_metadata, struct arena *arena, const char **ret_region, const char **ret_source,
		struct error *err);

#endif
