/* SPDX-License-Identifier: Apache-2.0 */
/* How the instance metadata service is asked, by the variables and the profile's keys that the SDKs share. The asking itself is
 * common/imds.h's. */
#ifndef CPI_AWS_METADATA_H
#define CPI_AWS_METADATA_H

#include "common/imds.h"
#include "cpi/aws/profile.h"

/* imds_init with the active profile's ec2_metadata_service_endpoint, ec2_metadata_service_endpoint_mode,
 * ec2_metadata_v1_disabled, metadata_service_timeout and metadata_service_num_attempts where the variables are not set.
 * profiles NULL: the variables alone. endpoint NULL: theirs. */
int metadata_open(struct imds *imds, struct runtime *runtime, const struct profiles *profiles, const char *endpoint,
		  struct error *err);

#endif
