/* SPDX-License-Identifier: Apache-2.0 */
/* What joins two things: a volume's attachment to an instance, a route's to one, as leftover.c's table has them. */
#ifndef CPI_METHODS_LEFTOVER_LINKS_H
#define CPI_METHODS_LEFTOVER_LINKS_H

#include "cpi/methods/leftover_kind.h"

extern const struct leftover_kind leftover_links_attachment;
extern const struct leftover_kind leftover_links_route;

#endif
