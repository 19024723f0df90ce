/* SPDX-License-Identifier: Apache-2.0 */
/* The region's availability zones. */
#ifndef CPI_EC2_ZONES_H
#define CPI_EC2_ZONES_H

#include "cpi/ec2/client.h"

/* Names of the zones that are available (no local or wavelength zones), in EC2's order, in the arena. */
int zone_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids *ret_names, struct error *err);

#endif
