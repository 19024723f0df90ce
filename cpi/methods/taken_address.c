/* SPDX-License-Identifier: Apache-2.0 */
/* A VM that is recreated gets its predecessor's address as a rule, and EC2 frees that only after a while. */
#include "cpi/methods/taken_address.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/cleanup.h"
#include "cpi/ec2/instances.h"
#include "cpi/ec2/interfaces.h"
#include "cpi/ec2/tags.h"

#define LIMIT_MS ((int64_t)10 * 60 * 1000)
#define FIRST_DELAY_MS 2000
#define LONGEST_DELAY_MS 15000
#define ARENA_BYTES ((size_t)4 * 1024 * 1024)

bool taken_address_is(const struct error *err)
{
	return err->kind == ERROR_AWS && strcmp(err->aws_code, "InvalidIPAddress.InUse") == 0;
}

void taken_address_begin(const struct call *call, struct taken_address *address)
{
	address->deadline = deadline_in(call->runtime->clock, LIMIT_MS);
	address->delay_ms = FIRST_DELAY_MS;
}

/* As EC2 writes it: its filters compare texts. */
static const char *as_ec2_writes(const char *ip, char buffer[INET6_ADDRSTRLEN])
{
	struct in6_addr address;

	if (ip == NULL || inet_pton(AF_INET6, ip, &address) != 1)
		return ip;
	return inet_ntop(AF_INET6, &address, buffer, INET6_ADDRSTRLEN);
}

static int find_holder(struct call *call, struct arena *arena, const char *subnet, const char *filter_name,
		       const char *ip, struct interface *ret_holder, bool *ret_found, struct error *err)
{
	const struct ec2_filter filters[] = {
		{ .name = "subnet-id", .values = &subnet, .n_values = 1 },
		{ .name = filter_name, .values = &ip, .n_values = 1 },
	};
	struct interface *interfaces;
	size_t count = 0;

	*ret_found = false;
	if (ip == NULL)
		return 0;
	if (interface_describe(call->ec2, arena, (struct ec2_ids){ 0 },
			       (struct ec2_filters){ .items = filters, .count = 2 }, &interfaces, &count, err) != 0)
		return -1;
	*ret_found = count > 0;
	if (count > 0)
		*ret_holder = interfaces[0];
	return 0;
}

/* "" for an instance that is not there. */
static int state_of(struct call *call, struct arena *arena, const char *instance_id, const char **ret_state,
		    struct error *err)
{
	struct instance *instance;

	if (instance_find(call->ec2, arena, instance_id, &instance, err) != 0)
		return -1;
	*ret_state = instance != NULL ? instance->state : "";
	return 0;
}

static bool is_leaving(const struct interface *holder, const char *instance_state)
{
	return *holder->attachment_id == '\0' || strcmp(holder->attachment_status, "detaching") == 0 ||
	       strcmp(holder->attachment_status, "detached") == 0 || strcmp(holder->status, "detaching") == 0 ||
	       (*holder->instance_id != '\0' && (*instance_state == '\0' || instance_is_ending(instance_state)));
}

enum holding { HELD, LEAVING, NOBODY };

/* One look; *ret_seen says who holds it. */
static int look(struct call *call, struct arena *arena, const struct taken_address *address, enum holding *ret_holding,
		const char **ret_seen, struct error *err)
{
	char ipv6[INET6_ADDRSTRLEN];
	struct interface holder = { 0 };
	const char *state = "";
	bool found;

	if (find_holder(call, arena, address->subnet, "addresses.private-ip-address", address->ipv4, &holder, &found, err) != 0)
		return -1;
	if (!found && find_holder(call, arena, address->subnet, "ipv6-addresses.ipv6-address",
				  as_ec2_writes(address->ipv6, ipv6), &holder, &found, err) != 0)
		return -1;
	if (!found) {
		*ret_holding = NOBODY;
		*ret_seen = "nobody that can be seen holds it";
		return 0;
	}
	if (*holder.instance_id != '\0' && state_of(call, arena, holder.instance_id, &state, err) != 0)
		return -1;
	const char *name = tags_get(holder.tags, "Name");
	const char *seen = *holder.instance_id != '\0' ?
				   arena_printf(arena, "it is held by network interface %s (%s) of instance %s (%s)", holder.id,
						holder.status, holder.instance_id, *state == '\0' ? "gone" : state) :
				   arena_printf(arena, "it is held by network interface %s (%s%s%s)", holder.id, holder.status,
						name == NULL ? "" : ", ", name == NULL ? "" : name);
	if (seen == NULL)
		return error_nomem(err);
	*ret_holding = is_leaving(&holder, state) ? LEAVING : HELD;
	*ret_seen = seen;
	return 0;
}

static const char *text_of(const struct taken_address *address)
{
	if (address->prefix != NULL)
		return address->prefix;
	if (address->ipv4 != NULL)
		return address->ipv4;
	return address->ipv6 != NULL ? address->ipv6 : "(one of EC2's choice)";
}

static int refuse(const struct error *refusal, const struct taken_address *address, const char *seen, struct error *err)
{
	*err = *refusal;
	return error_prefix(err, "address %s in subnet %s is taken: %s", text_of(address), address->subnet, seen);
}

static int wait_a_little(struct call *call, struct taken_address *address, struct error *err)
{
	int64_t delay = address->delay_ms;

	address->delay_ms = delay * 3 / 2 < LONGEST_DELAY_MS ? delay * 3 / 2 : LONGEST_DELAY_MS;
	return deadline_sleep(call->runtime->clock, address->deadline, delay, call->runtime->cancel, err);
}

int taken_address_wait(struct call *call, struct taken_address *address, const struct error *refusal, struct error *err)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	enum holding holding = HELD;
	const char *seen;
	struct error why;

	if (arena == NULL)
		return error_nomem(err);
	for (bool waited = false;; waited = true) {
		arena_reset(arena);
		if (look(call, arena, address, &holding, &seen, &why) != 0) {
			if (why.kind != ERROR_CANCELLED)
				return refuse(refusal, address, why.message, err);
			*err = why;
			return -1;
		}
		/* only trying tells whether it is free */
		if (holding == NOBODY && waited)
			return 0;
		if (holding == HELD || deadline_passed(call->runtime->clock, address->deadline))
			return refuse(refusal, address, seen, err);
		log_info(call->runtime->log, "address %s is still taken: %s", text_of(address), seen);
		if (wait_a_little(call, address, err) != 0)
			return -1;
		if (holding == NOBODY)
			return 0;
	}
}
