/* SPDX-License-Identifier: Apache-2.0 */
/* From networks to network interfaces: which there will be, with which addresses. Makes no call. */
#ifndef CPI_METHODS_NIC_PLAN_H
#define CPI_METHODS_NIC_PLAN_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/methods/vm_spec.h"

struct nic {
	const char *group;  /* the nic_group's name; a dynamic network's own */
	const char *subnet;
	const char *ipv4;   /* NULL: EC2 picks one */
	const char *ipv6;   /* NULL: none */
	const char *ipv4_prefix; /* "10.0.1.16/28"; NULL: none */
	const char *ipv6_prefix; /* "2600:1f18::/80"; NULL: none */
	const char *mac;    /* "" until the interface is there */
};

struct nic_plan {
	struct nic *nics; /* in the order of their device indexes */
	size_t n_nics;
	const struct vm_network *vip; /* NULL: none */
	size_t vip_nic;               /* index of the interface that gets its address */
	/* One network that is no vip, with nothing that needs the interface beforehand: it can be made by RunInstances. */
	bool simple;
	struct ec2_ids security_groups; /* names or ids: the VM type's, else all networks' (each once, sorted), else the defaults */
};

/* ERROR_CLOUD, in the incumbent's words where it has some: more than one vip or a vip without an address, no network at
 * all, subnets that differ within a group or are missing, a group without an address of its own, no security groups.
 * plan->nics[…].mac is for the caller to fill in. */
int nic_plan_make(const struct vm_spec *spec, struct arena *arena, struct nic_plan *ret_plan, struct error *err);
/* The nic of a network, NULL for a vip (and for a second dynamic network, which gets none). */
const struct nic *nic_plan_of(const struct nic_plan *plan, const struct vm_network *network);

#endif
