/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces. Which there will be, and what becomes of them, is the methods'. */
#include "cpi/ec2/interfaces.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/action.h"
#include "cpi/ec2/cidr.h"
#include "cpi/ec2/params.h"

#define PAGE_SIZE 1000
#define AVAILABLE_LIMIT_MS (10 * 60 * 1000)
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })

static void read_ipv4_prefix(struct fields *fields, void *item)
{
	*(const char **)item = fields_text(fields, "ipv4Prefix");
}

static void read_ipv6_prefix(struct fields *fields, void *item)
{
	*(const char **)item = fields_text(fields, "ipv6Prefix");
}

static void read_interface(struct fields *fields, void *item)
{
	struct interface *interface = item;
	struct fields attachment = { .arena = fields->arena, .node = xml_child(fields->node, "attachment") };

	interface->id = fields_required(fields, "networkInterfaceId");
	interface->status = fields_text(fields, "status");
	interface->mac_address = fields_text(fields, "macAddress");
	interface->subnet_id = fields_text(fields, "subnetId");
	interface->vpc_id = fields_text(fields, "vpcId");
	interface->availability_zone = fields_text(fields, "availabilityZone");
	interface->private_ip = fields_text(fields, "privateIpAddress");
	interface->attachment_id = fields_text(&attachment, "attachmentId");
	interface->attachment_status = fields_text(&attachment, "status");
	interface->instance_id = fields_text(&attachment, "instanceId");
	interface->delete_on_termination = fields_bool(&attachment, "deleteOnTermination");
	interface->ipv4_prefixes.items = fields_list(fields, "ipv4PrefixSet", sizeof(const char *), read_ipv4_prefix,
						     &interface->ipv4_prefixes.count);
	interface->ipv6_prefixes.items = fields_list(fields, "ipv6PrefixSet", sizeof(const char *), read_ipv6_prefix,
						     &interface->ipv6_prefixes.count);
	interface->description = fields_text(fields, "description");
	interface->type = fields_text(fields, "interfaceType");
	interface->owner_id = fields_text(fields, "ownerId");
	interface->requester_id = fields_text(fields, "requesterId");
	interface->tags = fields_tags(fields);
	fields_inherit(fields, &attachment);
}

static int describe_interfaces(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids,
			       struct ec2_filters filters, bool created_by_us, struct interface **ret_interfaces,
			       size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeNetworkInterfaces",
		.id_name = "NetworkInterfaceId",
		.set = "networkInterfaceSet",
		.what = ids.count == 1 ? "network interface" : "network interfaces",
		.page_size = PAGE_SIZE,
		.created_by_us = created_by_us,
		.item_size = sizeof(struct interface),
		.read = read_interface,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_interfaces = items;
	return 0;
}

int interface_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		       struct interface **ret_interfaces, size_t *ret_count, struct error *err)
{
	return describe_interfaces(ec2, arena, ids, filters, false, ret_interfaces, ret_count, err);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void create_params(struct aws_params *params, const struct interface_create_request *request)
{
	aws_params_add(params, "SubnetId", request->subnet_id);
	aws_params_add(params, "PrivateIpAddress", request->private_ip);
	aws_params_add(params, "Ipv6Addresses.1.Ipv6Address", request->ipv6);
	params_ids(params, "SecurityGroupId", request->security_group_ids);
	aws_params_add(params, "ClientToken", request->client_token);
	params_tag_specification(params, 1, "network-interface", request->tags);
}

int interface_create(struct ec2_client *ec2, struct arena *arena, const struct interface_create_request *request,
		     struct interface *ret_interface, struct error *err)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct aws_params params PARAMS_CLEANUP;
	const struct xml_node *root;
	char purpose[160];

	aws_params_init(&params);
	if (scratch == NULL)
		return error_nomem(err);
	struct aws_call call = { .action = "CreateNetworkInterface", .params = &params, .purpose = purpose };
	if (action_check_token(call.action, request->client_token, err) != 0)
		return -1;
	create_params(&params, request);
	snprintf(purpose, sizeof(purpose), "new network interface in %s", request->subnet_id);
	if (action_call(ec2, call, scratch, &root, err) != 0)
		return -1;
	struct fields fields = { .arena = arena, .node = xml_child(root, "networkInterface") };
	struct interface interface = { 0 };
	read_interface(&fields, &interface);
	if (fields_check(&fields, call.action, err) != 0)
		return -1;
	*ret_interface = interface;
	return 0;
}

/* A change of an interface that this request made; NetworkInterfaceId is added here. */
static int change(struct ec2_client *ec2, struct aws_call call, const char *interface_id, struct error *err)
{
	char purpose[160];

	aws_params_add(call.params, "NetworkInterfaceId", interface_id);
	snprintf(purpose, sizeof(purpose), "network interface %s", interface_id);
	call.purpose = purpose;
	call.created_by_us = true;
	return action_plain(ec2, call, err);
}

struct lost_prefix {
	struct ec2_client *ec2;
	const char *interface_id;
	const char *prefix;
};

static bool has_prefix(struct ec2_ids prefixes, const char *prefix)
{
	for (size_t i = 0; i < prefixes.count; i++) {
		if (cidr_equal(prefixes.items[i], prefix))
			return true;
	}
	return false;
}

/* 1 when the interface has the prefix that a lost answer was about. */
static int settle_prefix(void *self, struct error *err)
{
	struct lost_prefix *lost = self;
	struct arena *arena CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct ec2_ids ids = { &lost->interface_id, 1 };
	struct interface *interfaces;
	size_t count;

	if (arena == NULL)
		return error_nomem(err);
	if (describe_interfaces(lost->ec2, arena, ids, NO_FILTERS, true, &interfaces, &count, err) != 0)
		return -1;
	return count > 0 && (has_prefix(interfaces[0].ipv4_prefixes, lost->prefix) ||
			     has_prefix(interfaces[0].ipv6_prefixes, lost->prefix));
}

int interface_assign_prefix(struct ec2_client *ec2, const char *interface_id, const char *prefix, struct error *err)
{
	struct lost_prefix lost = { .ec2 = ec2, .interface_id = interface_id, .prefix = prefix };
	struct aws_params params PARAMS_CLEANUP;
	bool ipv6 = cidr_is_ipv6(prefix);

	aws_params_init(&params);
	aws_params_add(&params, ipv6 ? "Ipv6Prefix.1" : "Ipv4Prefix.1", prefix);
	struct aws_call call = {
		.action = ipv6 ? "AssignIpv6Addresses" : "AssignPrivateIpAddresses",
		.params = &params,
		.settle = settle_prefix,
		.settle_self = &lost,
	};
	return change(ec2, call, interface_id, err);
}

int interface_associate_public_ip(struct ec2_client *ec2, const char *interface_id, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;

	aws_params_init(&params);
	params_true(&params, "AssociatePublicIpAddress", true);
	struct aws_call call = { .action = "ModifyNetworkInterfaceAttribute", .params = &params };
	return change(ec2, call, interface_id, err);
}

int interface_disable_source_dest_check(struct ec2_client *ec2, const char *interface_id, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;

	aws_params_init(&params);
	aws_params_add(&params, "SourceDestCheck.Value", "false");
	struct aws_call call = { .action = "ModifyNetworkInterfaceAttribute", .params = &params };
	return change(ec2, call, interface_id, err);
}

int interface_set_delete_on_termination(struct ec2_client *ec2, const char *interface_id, const char *attachment_id,
					struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;

	aws_params_init(&params);
	aws_params_add(&params, "Attachment.AttachmentId", attachment_id);
	params_true(&params, "Attachment.DeleteOnTermination", true);
	struct aws_call call = { .action = "ModifyNetworkInterfaceAttribute", .params = &params };
	return change(ec2, call, interface_id, err);
}

int interface_delete(struct ec2_client *ec2, const char *interface_id, bool *ret_existed, struct error *err)
{
	static const struct action_removal removal = {
		.action = "DeleteNetworkInterface",
		.id_name = "NetworkInterfaceId",
		.what = "network interface",
	};

	return action_remove(ec2, &removal, interface_id, ret_existed, err);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

struct interface_wait {
	struct ec2_client *ec2;
	const char *interface_id;
	bool just_created; /* and not seen yet */
};

static int look_available(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			  struct error *err)
{
	struct interface_wait *wait = self;
	struct ec2_ids ids = { &wait->interface_id, 1 };
	struct interface *interfaces;
	size_t count;

	if (describe_interfaces(wait->ec2, scratch, ids, NO_FILTERS, wait->just_created, &interfaces, &count, err) != 0)
		return -1;
	if (count == 0)
		return error_set(err, ERROR_CLOUD, "network interface %s does not exist (any more)",
				 wait->interface_id);
	const struct interface *interface = &interfaces[0];
	wait->just_created = false;
	if (*interface->attachment_id == '\0')
		snprintf(seen, seen_size, "status %s, not attached", interface->status);
	else
		snprintf(seen, seen_size, "status %s, %s to %s", interface->status, interface->attachment_status,
			 *interface->instance_id == '\0' ? "something that is no instance" : interface->instance_id);
	*ret_look = strcmp(interface->status, "available") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

int interface_wait_available(struct ec2_client *ec2, const char *interface_id, const struct wait_options *wait,
			     struct error *err)
{
	struct interface_wait look = { ec2, interface_id, wait_just_created(wait) };
	const struct wait_goal goal = { "network interface", interface_id, "available", AVAILABLE_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_available, &look, err);
}
