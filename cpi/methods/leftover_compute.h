/* SPDX-License-Identifier: Apache-2.0 */
/* Instances and network interfaces, as leftover.c's table has them. */
#ifndef CPI_METHODS_LEFTOVER_COMPUTE_H
#define CPI_METHODS_LEFTOVER_COMPUTE_H

#include "cpi/methods/leftover_kind.h"

extern const struct leftover_kind leftover_compute_instance;
extern const struct leftover_kind leftover_compute_interface;

#endif
