/* SPDX-License-Identifier: Apache-2.0 */
/* A private address that EC2 says is in use: who holds it, and whether waiting helps. */
#ifndef CPI_METHODS_TAKEN_ADDRESS_H
#define CPI_METHODS_TAKEN_ADDRESS_H

#include <stdbool.h>

#include "cpi/methods/call.h"

struct taken_address {
	const char *subnet;
	const char *ipv4; /* NULL: none asked for */
	const char *ipv6; /* the same */
};

/* "InvalidIPAddress.InUse" */
bool taken_address_is(const struct error *err);
/* Waits while the holder is on its way out: its instance is terminating, the interface is detaching, is being deleted,
 * belongs to no instance, or cannot be seen (yet). 0: try again. Otherwise refusal, EC2's own, with the holder named in
 * front; also when deadline has passed. */
int taken_address_wait(struct call *call, const struct taken_address *address, struct deadline deadline,
		       const struct error *refusal, struct error *err);
/* Of one thing that is to be made with the address: the incumbent's 20 times 30 seconds. */
struct deadline taken_address_deadline(const struct call *call);

#endif
