/* SPDX-License-Identifier: Apache-2.0 */
/* create_stemcell for a light stemcell: the AMI that its cloud properties name. */
#ifndef CPI_METHODS_STEMCELL_LIGHT_H
#define CPI_METHODS_STEMCELL_LIGHT_H

#include "cpi/methods/stemcell.h"

/* "ami-… light", or with encryption the id of a copy that is available. */
int stemcell_light_create(struct call *call, const struct stemcell_create_request *request, const char **ret_cid,
			  struct error *err);
/* Whether a stemcell's id is that of a light one. */
bool stemcell_light_is(const char *stemcell_cid);

#endif
