/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of manual networks become interfaces in the order in which they come up, then the first dynamic network: the
 * incumbent's order, which decides which one is primary. */
#include "cpi/methods/nic_plan.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define MISSING_GROUPS                                                                                                 \
	"Missing security groups. See http://bosh.io/docs/aws-cpi.html for the list of supported properties."

struct planning {
	const struct vm_spec *spec;
	struct arena *arena;
	struct nic_plan plan;
};

static bool same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* --- addresses --- */

static int wrong_address(const struct vm_network *network, struct error *err)
{
	return error_set(err, ERROR_CLOUD, "the address '%.64s' of network '%s' is neither IPv4 nor IPv6", network->ip,
			 network->name);
}

static int family_of(const char *ip)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, ip, &address) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, ip, &address) == 1 ? AF_INET6 : AF_UNSPEC;
}

static bool is_prefix(const struct vm_network *network, const char *whole)
{
	if (network->prefix == NULL)
		return false;
	const char *digits = network->prefix + strspn(network->prefix, "0");
	return strcmp(digits, whole) != 0;
}

/* Of several of a kind in one group the first counts. */
static int add_address(struct planning *planning, struct nic *nic, const struct vm_network *network, struct error *err)
{
	if (network->ip == NULL)
		return 0;
	const int family = family_of(network->ip);
	if (family == AF_UNSPEC)
		return wrong_address(network, err);
	const bool is_v6 = family == AF_INET6;
	if (!is_prefix(network, is_v6 ? "128" : "32")) {
		const char **address = is_v6 ? &nic->ipv6 : &nic->ipv4;
		if (*address == NULL)
			*address = network->ip;
		return 0;
	}
	const char **prefix = is_v6 ? &nic->ipv6_prefix : &nic->ipv4_prefix;
	if (*prefix == NULL)
		*prefix = arena_printf(planning->arena, "%s/%s", network->ip, network->prefix);
	return *prefix != NULL ? 0 : error_nomem(err);
}

/* --- groups --- */

static int wrong_subnets(const char *group, const char *subnets, struct error *err)
{
	return error_set(err, ERROR_CLOUD,
			 "Networks in nic_group '%s' have different subnet ids: %s or probably none of them have any subnet id "
			 "defined. All networks in a nic_group must have the same subnet_id.", group, subnets);
}

static int add_subnet(struct planning *planning, struct nic *nic, const struct vm_network *network, struct error *err)
{
	if (network->subnet == NULL)
		return 0;
	if (nic->subnet == NULL)
		nic->subnet = network->subnet;
	if (same(nic->subnet, network->subnet))
		return 0;
	const char *subnets = arena_printf(planning->arena, "%s, %s", nic->subnet, network->subnet);
	return subnets != NULL ? wrong_subnets(nic->group, subnets, err) : error_nomem(err);
}

static struct nic *add_nic(struct nic_plan *plan, const char *group)
{
	struct nic *nic = &plan->nics[plan->n_nics++];

	*nic = (struct nic){ .group = group, .mac = "" };
	return nic;
}

static struct nic *find_group(const struct nic_plan *plan, const char *group)
{
	for (size_t i = 0; i < plan->n_nics; i++)
		if (same(plan->nics[i].group, group))
			return &plan->nics[i];
	return NULL;
}

static int plan_manual(struct planning *planning, struct error *err)
{
	const struct vm_spec *spec = planning->spec;
	struct nic_plan *plan = &planning->plan;

	for (size_t i = 0; i < spec->n_networks; i++) {
		const struct vm_network *network = &spec->networks[i];
		if (network->type != VM_NETWORK_MANUAL)
			continue;
		struct nic *nic = find_group(plan, network->nic_group);
		if (nic == NULL)
			nic = add_nic(plan, network->nic_group);
		if (add_subnet(planning, nic, network, err) != 0 || add_address(planning, nic, network, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < plan->n_nics; i++) {
		const struct nic *nic = &plan->nics[i];
		if (nic->subnet == NULL)
			return wrong_subnets(nic->group, "", err);
		if (nic->ipv4 == NULL && nic->ipv6 == NULL)
			return error_set(err, ERROR_CLOUD,
					 "Could not find a single ip address for nic group '%s' and a prefix network can only be a "
					 "secondary network.", nic->group);
	}
	return 0;
}

static const struct vm_network *first_dynamic(const struct vm_spec *spec)
{
	for (size_t i = 0; i < spec->n_networks; i++)
		if (spec->networks[i].type == VM_NETWORK_DYNAMIC)
			return &spec->networks[i];
	return NULL;
}

static int plan_dynamic(struct planning *planning, struct error *err)
{
	const struct vm_network *network = first_dynamic(planning->spec);

	if (network == NULL)
		return 0;
	if (network->subnet == NULL)
		return wrong_subnets(network->name, "", err);
	add_nic(&planning->plan, network->name)->subnet = network->subnet;
	return 0;
}

/* --- vip --- */

static int plan_vip(struct planning *planning, struct error *err)
{
	const struct vm_spec *spec = planning->spec;
	struct nic_plan *plan = &planning->plan;

	for (size_t i = 0; i < spec->n_networks; i++) {
		const struct vm_network *network = &spec->networks[i];
		if (network->type != VM_NETWORK_VIP)
			continue;
		if (plan->vip != NULL)
			return error_set(err, ERROR_CLOUD, "More than one vip network for '%s'", network->name);
		if (network->ip == NULL)
			return error_set(err, ERROR_CLOUD, "No IP provided for vip network '%s'", network->name);
		if (family_of(network->ip) != AF_INET)
			return error_set(err, ERROR_CLOUD, "the address '%.64s' of vip network '%s' is not IPv4", network->ip,
					 network->name);
		plan->vip = network;
	}
	const struct nic *nic = plan->vip != NULL ? find_group(plan, plan->vip->nic_group) : NULL;
	plan->vip_nic = nic != NULL ? (size_t)(nic - plan->nics) : 0;
	return 0;
}

/* --- security groups --- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int networks_groups(struct planning *planning, struct ec2_ids *ret_groups, struct error *err)
{
	const struct vm_spec *spec = planning->spec;
	size_t most = 0, count = 0, kept = 0;

	for (size_t i = 0; i < spec->n_networks; i++)
		most += spec->networks[i].security_groups.count;
	const char **names = arena_array(planning->arena, most + 1, sizeof(*names));
	if (names == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < spec->n_networks; i++)
		for (size_t j = 0; j < spec->networks[i].security_groups.count; j++)
			names[count++] = spec->networks[i].security_groups.items[j];
	qsort(names, count, sizeof(*names), by_text);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !same(names[kept - 1], names[i]))
			names[kept++] = names[i];
	*ret_groups = (struct ec2_ids){ .items = names, .count = kept };
	return 0;
}

static int plan_security_groups(struct planning *planning, struct error *err)
{
	const struct vm_spec *spec = planning->spec;
	struct ec2_ids *groups = &planning->plan.security_groups;

	if (networks_groups(planning, groups, err) != 0)
		return -1;
	if (groups->count == 0)
		*groups = spec->default_security_groups;
	if (spec->security_groups.count > 0)
		*groups = spec->security_groups;
	return groups->count > 0 ? 0 : error_set(err, ERROR_CLOUD, MISSING_GROUPS);
}

/* --- */

static size_t count_real(const struct vm_spec *spec)
{
	size_t count = 0;

	for (size_t i = 0; i < spec->n_networks; i++)
		count += spec->networks[i].type != VM_NETWORK_VIP;
	return count;
}

int nic_plan_make(const struct vm_spec *spec, struct arena *arena, struct nic_plan *ret_plan, struct error *err)
{
	struct planning planning = {
		.spec = spec,
		.arena = arena,
		.plan.nics = arena_array(arena, spec->n_networks + 1, sizeof(struct nic)),
	};

	if (planning.plan.nics == NULL)
		return error_nomem(err);
	if (count_real(spec) == 0)
		return error_set(err, ERROR_CLOUD,
				 "the VM has no manual or dynamic network, and each EC2 instance needs one of them");
	if (plan_manual(&planning, err) != 0 || plan_vip(&planning, err) != 0 || plan_dynamic(&planning, err) != 0 ||
	    plan_security_groups(&planning, err) != 0)
		return -1;
	/* with several networks the agent tells them apart by their interfaces' MACs, so these must be known beforehand */
	planning.plan.simple = count_real(spec) == 1;
	*ret_plan = planning.plan;
	return 0;
}

const struct nic *nic_plan_of(const struct nic_plan *plan, const struct vm_network *network)
{
	const char *group = network->type == VM_NETWORK_MANUAL ? network->nic_group : network->name;

	if (network->type == VM_NETWORK_VIP)
		return NULL;
	for (size_t i = 0; i < plan->n_nics; i++) {
		const struct nic *nic = &plan->nics[i];
		/* a dynamic network may be called as a group is, but only a group has addresses */
		const bool is_group = nic->ipv4 != NULL || nic->ipv6 != NULL;
		if (is_group == (network->type == VM_NETWORK_MANUAL) && same(nic->group, group))
			return nic;
	}
	return NULL;
}
