/* SPDX-License-Identifier: Apache-2.0 */
/* Networks in CIDR form. EC2 answers in a spelling of its own: "10.1.2.3/8" comes back as "10.0.0.0/8". */
#ifndef CPI_EC2_CIDR_H
#define CPI_EC2_CIDR_H

#include <stdbool.h>

/* Whether both are the same network; what is no CIDR equals itself alone. */
bool cidr_equal(const char *a, const char *b);
/* A colon tells. */
bool cidr_is_ipv6(const char *text);

#endif
