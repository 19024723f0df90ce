/* SPDX-License-Identifier: Apache-2.0 */
/* The last act of every heavy stemcell: an AMI on the snapshot that holds its disk. */
#ifndef CPI_METHODS_STEMCELL_REGISTER_H
#define CPI_METHODS_STEMCELL_REGISTER_H

#include "cpi/methods/call.h"
#include "cpi/methods/stemcell_plan.h"

/* Available when this returns 0. The name must be one that no AMI of the account and region has; EC2 takes no client token,
 * and a lost answer is cleared up by it. */
int stemcell_register(struct call *call, const struct stemcell_plan *plan, const char *name, const char *snapshot_id,
		      const char **ret_image_id, struct error *err);

#endif
