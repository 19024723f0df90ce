/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel image (AKI) for a paravirtual stemcell that names none. */
#ifndef CPI_METHODS_KERNEL_IMAGE_H
#define CPI_METHODS_KERNEL_IMAGE_H

#include "cpi/methods/call.h"

/* Amazon's newest pv-grub of that architecture: the hd00 kind (a partition table) when the root device is /dev/sda1, else hd0.
 * ERROR_CLOUD when there is none. The id lives in the call's arena. */
int kernel_image_pick(struct call *call, const char *architecture, const char *root_device_name, const char **ret_image_id,
		      struct error *err);

#endif
