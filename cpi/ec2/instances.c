/* SPDX-License-Identifier: Apache-2.0 */
/* What RunInstances is told, what an instance looks like, and the waits on its states. Which image, type and network it
 * gets, and what is done with one that dies, is the methods'. */
#include "cpi/ec2/instances.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "cpi/ec2/action.h"
#include "cpi/ec2/params.h"

#define PAGE_SIZE 1000
#define RUNNING_LIMIT_MS (10 * 60 * 1000)
#define TERMINATED_LIMIT_MS (10 * 60 * 1000)
#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })

static void read_mapping(struct fields *fields, void *item)
{
	struct instance_mapping *mapping = item;
	struct fields ebs = { .arena = fields->arena, .node = xml_child(fields->node, "ebs") };

	mapping->device_name = fields_text(fields, "deviceName");
	mapping->volume_id = fields_text(&ebs, "volumeId");
	mapping->status = fields_text(&ebs, "status");
	mapping->delete_on_termination = fields_bool(&ebs, "deleteOnTermination");
	fields_inherit(fields, &ebs);
}

static void read_interface(struct fields *fields, void *item)
{
	struct instance_interface *interface = item;
	struct fields attachment = { .arena = fields->arena, .node = xml_child(fields->node, "attachment") };

	interface->id = fields_text(fields, "networkInterfaceId");
	interface->mac_address = fields_text(fields, "macAddress");
	interface->attachment_id = fields_text(&attachment, "attachmentId");
	interface->device_index = fields_u64(&attachment, "deviceIndex");
	interface->delete_on_termination = fields_bool(&attachment, "deleteOnTermination");
	fields_inherit(fields, &attachment);
}

/* The most telling of the three that EC2 may give. */
static const char *read_state_reason(struct fields *fields)
{
	struct fields reason = { .arena = fields->arena, .node = xml_child(fields->node, "stateReason") };
	const char *code = fields_text(&reason, "code");
	const char *text = fields_text(&reason, "message");

	fields_inherit(fields, &reason);
	/* the message begins with the code as a rule */
	if (*text != '\0' && strncmp(text, code, strlen(code)) != 0) {
		const char *both = arena_printf(fields->arena, "%s: %s", code, text);
		return both != NULL ? both : text;
	}
	if (*text != '\0')
		return text;
	return *code != '\0' ? code : fields_text(fields, "reason");
}

static void read_instance(struct fields *fields, void *item)
{
	struct instance *instance = item;
	struct fields state = { .arena = fields->arena, .node = xml_child(fields->node, "instanceState") };
	struct fields placement = { .arena = fields->arena, .node = xml_child(fields->node, "placement") };

	instance->id = fields_required(fields, "instanceId");
	instance->state = fields_text(&state, "name");
	instance->state_reason = read_state_reason(fields);
	instance->type = fields_text(fields, "instanceType");
	instance->image_id = fields_text(fields, "imageId");
	instance->availability_zone = fields_text(&placement, "availabilityZone");
	instance->architecture = fields_text(fields, "architecture");
	instance->vpc_id = fields_text(fields, "vpcId");
	instance->subnet_id = fields_text(fields, "subnetId");
	instance->public_ip = fields_text(fields, "ipAddress");
	instance->private_ip = fields_text(fields, "privateIpAddress");
	instance->mappings = fields_list(fields, "blockDeviceMapping", sizeof(struct instance_mapping), read_mapping,
					 &instance->n_mappings);
	instance->interfaces = fields_list(fields, "networkInterfaceSet", sizeof(struct instance_interface),
					   read_interface, &instance->n_interfaces);
	instance->tags = fields_tags(fields);
	fields_inherit(fields, &state);
	fields_inherit(fields, &placement);
}

static int describe_instances(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids,
			      struct ec2_filters filters, bool created_by_us, struct instance **ret_instances,
			      size_t *ret_count, struct error *err)
{
	const struct action_describe describe = {
		.action = "DescribeInstances",
		.id_name = "InstanceId",
		.set = "reservationSet",
		.inner_set = "instancesSet",
		.what = ids.count == 1 ? "instance" : "instances",
		.page_size = PAGE_SIZE,
		.created_by_us = created_by_us,
		.item_size = sizeof(struct instance),
		.read = read_instance,
	};
	void *items;

	if (action_describe(ec2, arena, &describe, ids, filters, &items, ret_count, err) != 0)
		return -1;
	*ret_instances = items;
	return 0;
}

int instance_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		      struct instance **ret_instances, size_t *ret_count, struct error *err)
{
	return describe_instances(ec2, arena, ids, filters, false, ret_instances, ret_count, err);
}

int instance_find(struct ec2_client *ec2, struct arena *arena, const char *instance_id, struct instance **ret_instance,
		  struct error *err)
{
	struct ec2_ids ids = { &instance_id, 1 };
	struct error failure = { 0 };
	struct instance *instances = NULL;
	size_t count = 0;

	if (instance_describe(ec2, arena, ids, NO_FILTERS, &instances, &count, &failure) != 0 &&
	    !ec2_is_not_found(&failure)) {
		if (err != NULL)
			*err = failure;
		return -1;
	}
	*ret_instance = count > 0 ? &instances[0] : NULL;
	return 0;
}

bool instance_is_ending(const char *state)
{
	return strcmp(state, "shutting-down") == 0 || strcmp(state, "terminated") == 0;
}

/* --- running one -------------------------------------------------------------------------------------------------- */

static void add_number(struct aws_params *params, const char *prefix, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	aws_params_addf(params, value == 0 ? NULL : text, "%s.%s", prefix, name);
}

static void add_disk(struct aws_params *params, size_t number, const struct instance_disk *disk)
{
	char ebs[64];

	aws_params_addf(params, disk->device_name, "BlockDeviceMapping.%zu.DeviceName", number);
	aws_params_addf(params, disk->virtual_name, "BlockDeviceMapping.%zu.VirtualName", number);
	if (disk->virtual_name != NULL)
		return;
	snprintf(ebs, sizeof(ebs), "BlockDeviceMapping.%zu.Ebs", number);
	add_number(params, ebs, "VolumeSize", disk->size_gib);
	aws_params_addf(params, disk->type, "%s.VolumeType", ebs);
	add_number(params, ebs, "Iops", disk->iops);
	add_number(params, ebs, "Throughput", disk->throughput_mibs);
	aws_params_addf(params, disk->encrypted ? "true" : NULL, "%s.Encrypted", ebs);
	aws_params_addf(params, disk->kms_key_id, "%s.KmsKeyId", ebs);
	aws_params_addf(params, disk->delete_on_termination ? "true" : "false", "%s.DeleteOnTermination", ebs);
}

static void add_interfaces(struct aws_params *params, const struct instance_run_request *request)
{
	const struct instance_new_interface *interface = request->new_interface;

	for (size_t i = 0; i < request->n_own_interfaces; i++) {
		char index[24];
		snprintf(index, sizeof(index), "%zu", i);
		aws_params_addf(params, index, "NetworkInterface.%zu.DeviceIndex", i + 1);
		aws_params_addf(params, request->own_interfaces[i].id, "NetworkInterface.%zu.NetworkInterfaceId",
				i + 1);
	}
	if (interface == NULL)
		return;
	aws_params_add(params, "NetworkInterface.1.DeviceIndex", "0");
	aws_params_add(params, "NetworkInterface.1.SubnetId", interface->subnet_id);
	aws_params_add(params, "NetworkInterface.1.PrivateIpAddress", interface->private_ip);
	aws_params_add(params, "NetworkInterface.1.Ipv6Addresses.1.Ipv6Address", interface->ipv6);
	params_ids(params, "NetworkInterface.1.SecurityGroupId", interface->security_group_ids);
	aws_params_add(params, "NetworkInterface.1.AssociatePublicIpAddress", interface->public_ip ? "true" : "false");
	aws_params_add(params, "NetworkInterface.1.DeleteOnTermination", "true");
}

/* "http_tokens" → "HttpTokens": EC2 names its parameters like that throughout. */
static char *camel_case(struct arena *arena, const char *snake)
{
	char *camel = arena_strdup(arena, snake);
	size_t len = 0;
	bool at_start = true;

	for (size_t i = 0; camel != NULL && snake[i] != '\0'; i++) {
		if (snake[i] != '_')
			camel[len++] = at_start ? (char)toupper((unsigned char)snake[i]) : snake[i];
		at_start = snake[i] == '_';
	}
	if (camel != NULL)
		camel[len] = '\0';
	return camel;
}

static int add_metadata_options(struct aws_params *params, struct arena *scratch,
				const struct instance_run_request *request, struct error *err)
{
	for (size_t i = 0; i < request->n_metadata_options; i++) {
		const char *name = camel_case(scratch, request->metadata_options[i].name);
		if (name == NULL)
			return error_nomem(err);
		aws_params_addf(params, request->metadata_options[i].value, "MetadataOptions.%s", name);
	}
	return 0;
}

static int add_user_data(struct aws_params *params, struct arena *scratch, const struct instance_run_request *request,
			 struct error *err)
{
	if (request->user_data_len == 0)
		return 0;
	char *text = arena_alloc(scratch, BASE64_SIZE(request->user_data_len));
	if (text == NULL)
		return error_nomem(err);
	digest_base64(request->user_data, request->user_data_len, text);
	aws_params_add(params, "UserData", text);
	return 0;
}

/* EC2 refuses tags for a kind of thing that the call does not make. */
static void add_tags(struct aws_params *params, const struct instance_run_request *request)
{
	unsigned index = 0;

	params_tag_specification(params, ++index, "instance", request->tags);
	params_tag_specification(params, ++index, "volume", request->tags);
	if (request->new_interface != NULL)
		params_tag_specification(params, ++index, "network-interface", request->tags);
	if (request->spot_max_price != NULL)
		params_tag_specification(params, ++index, "spot-instances-request", request->tags);
}

static void add_spot(struct aws_params *params, const char *max_price)
{
	if (max_price == NULL)
		return;
	aws_params_add(params, "InstanceMarketOptions.MarketType", "spot");
	aws_params_add(params, "InstanceMarketOptions.SpotOptions.MaxPrice", max_price);
	aws_params_add(params, "InstanceMarketOptions.SpotOptions.SpotInstanceType", "one-time");
	aws_params_add(params, "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "terminate");
}

static int add_request(struct aws_params *params, struct arena *scratch, const struct instance_run_request *request,
		       struct error *err)
{
	const char *profile = request->iam_instance_profile;
	bool is_arn = profile != NULL && strncmp(profile, "arn:", 4) == 0;

	aws_params_add(params, "ImageId", request->image_id);
	aws_params_add(params, "InstanceType", request->type);
	aws_params_add(params, "MinCount", "1");
	aws_params_add(params, "MaxCount", "1");
	aws_params_add(params, "ClientToken", request->client_token);
	aws_params_add(params, "KeyName", request->key_name);
	aws_params_add(params, is_arn ? "IamInstanceProfile.Arn" : "IamInstanceProfile.Name", profile);
	aws_params_add(params, "Placement.AvailabilityZone", request->availability_zone);
	aws_params_add(params, "Placement.GroupName", request->placement_group);
	aws_params_add(params, "Placement.Tenancy", request->tenancy);
	for (size_t i = 0; i < request->n_disks; i++)
		add_disk(params, i + 1, &request->disks[i]);
	add_interfaces(params, request);
	add_spot(params, request->spot_max_price);
	add_tags(params, request);
	if (add_metadata_options(params, scratch, request, err) != 0)
		return -1;
	return add_user_data(params, scratch, request, err);
}

static int read_new_instance(const struct xml_node *root, struct arena *arena, struct instance *ret_instance,
			     struct error *err)
{
	const struct xml_node *set = xml_child(root, "instancesSet");
	struct fields fields = { .arena = arena, .node = xml_item(set) };
	struct instance instance = { 0 };

	if (xml_count_items(set) != 1)
		return error_set(err, ERROR_INVALID, "RunInstances: EC2's answer has %zu instances in place of one",
				 xml_count_items(set));
	read_instance(&fields, &instance);
	if (fields_check(&fields, "RunInstances", err) != 0)
		return -1;
	*ret_instance = instance;
	return 0;
}

int instance_run(struct ec2_client *ec2, struct arena *arena, const struct instance_run_request *request,
		 struct instance *ret_instance, struct error *err)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct aws_params params PARAMS_CLEANUP;
	const struct xml_node *root;
	char purpose[160];

	aws_params_init(&params);
	if (scratch == NULL)
		return error_nomem(err);
	if (action_check_token("RunInstances", request->client_token, err) != 0 ||
	    add_request(&params, scratch, request, err) != 0)
		return -1;
	snprintf(purpose, sizeof(purpose), "new %s instance of %s", request->type, request->image_id);
	struct aws_call call = {
		.action = "RunInstances",
		.params = &params,
		.purpose = purpose,
		.created_by_us = request->n_own_interfaces > 0, /* they were made a moment ago */
	};
	if (action_call(ec2, call, scratch, &root, err) != 0)
		return -1;
	return read_new_instance(root, arena, ret_instance, err);
}

/* --- changing its state ------------------------------------------------------------------------------------------- */

int instance_terminate(struct ec2_client *ec2, const char *instance_id, bool *ret_existed, struct error *err)
{
	static const struct action_removal removal = {
		.action = "TerminateInstances",
		.id_name = "InstanceId.1",
		.what = "instance",
	};

	return action_remove(ec2, &removal, instance_id, ret_existed, err);
}

/* RebootInstances, StartInstances. */
static int act_on(struct ec2_client *ec2, const char *action, const char *instance_id, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[160];

	aws_params_init(&params);
	aws_params_add(&params, "InstanceId.1", instance_id);
	snprintf(purpose, sizeof(purpose), "instance %s", instance_id);
	struct aws_call call = { .action = action, .params = &params, .purpose = purpose };
	return action_plain(ec2, call, err);
}

int instance_reboot(struct ec2_client *ec2, const char *instance_id, struct error *err)
{
	return act_on(ec2, "RebootInstances", instance_id, err);
}

int instance_start(struct ec2_client *ec2, const char *instance_id, struct error *err)
{
	return act_on(ec2, "StartInstances", instance_id, err);
}

int instance_disable_source_dest_check(struct ec2_client *ec2, const char *instance_id, struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[160];

	aws_params_init(&params);
	aws_params_add(&params, "InstanceId", instance_id);
	aws_params_add(&params, "SourceDestCheck.Value", "false");
	snprintf(purpose, sizeof(purpose), "no source/destination check for instance %s", instance_id);
	struct aws_call call = {
		.action = "ModifyInstanceAttribute",
		.params = &params,
		.purpose = purpose,
		.created_by_us = true, /* a new VM's, always */
	};
	return action_plain(ec2, call, err);
}

/* --- waits -------------------------------------------------------------------------------------------------------- */

struct instance_wait {
	struct ec2_client *ec2;
	const char *instance_id;
	bool just_created;   /* not known is eventual consistency */
	struct arena *arena; /* the caller's, for what is found */
	struct instance found;
};

/* What is seen goes into the caller's arena: some fifty looks at most, of a KiB or two each. */
static int look_running(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			struct error *err)
{
	struct instance_wait *wait = self;
	struct ec2_ids ids = { &wait->instance_id, 1 };
	struct instance *instances;
	size_t count;

	(void)scratch;
	if (describe_instances(wait->ec2, wait->arena, ids, NO_FILTERS, wait->just_created, &instances, &count,
			       err) != 0)
		return -1;
	if (count == 0 && (!wait->just_created || wait->found.id != NULL))
		return error_set(err, ERROR_CLOUD, "instance %s does not exist (any more)", wait->instance_id);
	*ret_look = WAIT_AGAIN;
	snprintf(seen, seen_size, "not known yet");
	if (count == 0)
		return 0;
	wait->found = instances[0];
	snprintf(seen, seen_size, "state %s", wait->found.state);
	*ret_look = strcmp(wait->found.state, "pending") == 0 ? WAIT_AGAIN : WAIT_DONE;
	return 0;
}

static int look_terminated(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			   struct error *err)
{
	struct instance_wait *wait = self;
	struct instance *instance;

	if (instance_find(wait->ec2, scratch, wait->instance_id, &instance, err) != 0)
		return -1;
	const char *state = instance == NULL ? "unknown" : instance->state;
	snprintf(seen, seen_size, "state %s", state);
	*ret_look = instance == NULL || strcmp(state, "terminated") == 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

int instance_wait_running(struct ec2_client *ec2, struct arena *arena, const char *instance_id,
			  const struct wait_options *wait, struct instance *ret_instance, struct error *err)
{
	struct instance_wait look = {
		.ec2 = ec2,
		.instance_id = instance_id,
		.just_created = wait_just_created(wait),
		.arena = arena,
	};
	const struct wait_goal goal = { "instance", instance_id, "running", RUNNING_LIMIT_MS, wait };

	if (wait_for(ec2, &goal, look_running, &look, err) != 0)
		return -1;
	*ret_instance = look.found;
	return 0;
}

int instance_wait_terminated(struct ec2_client *ec2, const char *instance_id, const struct wait_options *wait,
			     struct error *err)
{
	struct instance_wait look = { .ec2 = ec2, .instance_id = instance_id };
	const struct wait_goal goal = { "instance", instance_id, "terminated", TERMINATED_LIMIT_MS, wait };

	return wait_for(ec2, &goal, look_terminated, &look, err);
}
