/* SPDX-License-Identifier: Apache-2.0 */
/* A private address that EC2 says is in use: who holds it, and whether waiting helps. */
#ifndef CPI_METHODS_TAKEN_ADDRESS_H
#define CPI_METHODS_TAKEN_ADDRESS_H

#include <stdbool.h>

#include "cpi/methods/call.h"

/* What one thing is to be made with, or given. */
struct taken_address {
	const char *subnet;
	const char *ipv4;   /* NULL: none asked for */
	const char *ipv6;   /* the same */
	const char *prefix; /* the same; whose it is cannot be looked up */
	/* taken_address_begin's */
	struct deadline deadline;
	int64_t delay_ms;
};

/* "InvalidIPAddress.InUse" */
bool taken_address_is(const struct error *err);
/* Before the first try: from here on it is the incumbent's 20 times 30 seconds. */
void taken_address_begin(const struct call *call, struct taken_address *address);
/* Waits while the holder is on its way out: its instance is terminating, the interface is detaching, is being deleted,
 * is attached to nothing, or cannot be seen (yet). 0: try again. Otherwise refusal, EC2's own, with the holder named in
 * front; also when the time is over. */
int taken_address_wait(struct call *call, struct taken_address *address, const struct error *refusal, struct error *err);

#endif
