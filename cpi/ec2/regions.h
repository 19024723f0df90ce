/* SPDX-License-Identifier: Apache-2.0 */
/* The regions that the account may use. */
#ifndef CPI_EC2_REGIONS_H
#define CPI_EC2_REGIONS_H

#include "cpi/ec2/client.h"

/* Names of the regions that are enabled for the account, in EC2's order, in the arena. */
int region_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids *ret_names, struct error *err);

#endif
