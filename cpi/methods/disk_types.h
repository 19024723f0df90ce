/* SPDX-License-Identifier: Apache-2.0 */
/* What EBS volume types can be: sizes, and which can be changed in place. Facts: "Amazon EBS volume types" and
 * "Requirements for EBS volume modifications", Amazon EBS User Guide (gp3 to 64 TiB since September 2025). */
#ifndef CPI_METHODS_DISK_TYPES_H
#define CPI_METHODS_DISK_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define DISK_TYPES_DEFAULT "gp3"

/* Rounded up. */
uint64_t disk_types_gib(uint64_t mib);
/* ERROR_CLOUD that names type and limit for a size that no volume of that type has; a type that is not known here may have
 * any. */
int disk_types_check(const char *type, uint64_t size_gib, struct error *err);
/* false for magnetic volumes, which ModifyVolume takes neither as they are nor as a goal. */
bool disk_types_can_change(const char *type);

#endif
