/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/vm_args.h"

#include <string.h>

#include "cpi/methods/created.h"
#include "cpi/rpc/args.h"
#include "cpi/rpc/properties.h"

#define LIGHT_SUFFIX " light"
#define SEE_DOCS "See http://bosh.io/docs/aws-cpi.html for the list of supported properties."

#define MAX_NETWORKS 100
#define MAX_ROUTES 1000
#define MAX_OPTIONS 100

/* What is read, from where, and into what. */
struct reading {
	struct properties vm;         /* cloud_properties */
	struct properties configured; /* the configuration's aws */
	const struct config *config;
	struct arena *arena;
	struct vm_spec spec;
};

static bool is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

/* --- cloud properties --- */

static int read_or_default(const struct reading *reading, const char *key, const char *default_key, const char **ret_text,
			   struct error *err)
{
	if (properties_text(&reading->vm, key, ret_text, err) != 0)
		return -1;
	return *ret_text != NULL ? 0 : properties_text(&reading->configured, default_key, ret_text, err);
}

static int read_machine(struct reading *reading, struct error *err)
{
	const struct properties *vm = &reading->vm;
	struct vm_spec *spec = &reading->spec;

	if (properties_text(vm, "instance_type", &spec->instance_type, err) != 0 ||
	    properties_text(vm, "availability_zone", &spec->availability_zone, err) != 0 ||
	    properties_text(vm, "placement_group", &spec->placement_group, err) != 0 ||
	    properties_text(vm, "tenancy", &spec->tenancy, err) != 0)
		return -1;
	if (read_or_default(reading, "key_name", "default_key_name", &spec->key_name, err) != 0 ||
	    read_or_default(reading, "iam_instance_profile", "default_iam_instance_profile", &spec->iam_instance_profile,
			    err) != 0)
		return -1;
	/* any other word has always meant default */
	if (!is(spec->tenancy, "dedicated") && !is(spec->tenancy, "host"))
		spec->tenancy = NULL;
	return 0;
}

static int check_required(const struct vm_spec *spec, struct error *err)
{
	if (spec->instance_type != NULL && spec->availability_zone != NULL)
		return 0;
	return error_set(err, ERROR_CLOUD, "Missing properties: %s%s%s. " SEE_DOCS,
			 spec->instance_type == NULL ? "cloud_properties.instance_type" : "",
			 spec->instance_type == NULL && spec->availability_zone == NULL ? ", " : "",
			 spec->availability_zone == NULL ? "cloud_properties.availability_zone" : "");
}

/* The price goes to EC2 as it is written: no digit of it changes. */
static int read_spot(struct reading *reading, struct error *err)
{
	reading->spec.spot_ondemand_fallback = properties_flag(&reading->vm, "spot_ondemand_fallback");
	if (!properties_flag(&reading->vm, "spot_bid_price"))
		return 0;
	return properties_label(&reading->vm, "spot_bid_price", &reading->spec.spot_max_price, err);
}

static void read_flags(struct reading *reading)
{
	const struct properties *vm = &reading->vm;
	struct vm_spec *spec = &reading->spec;

	spec->auto_assign_public_ip = properties_flag(vm, "auto_assign_public_ip");
	spec->raw_instance_storage = properties_flag(vm, "raw_instance_storage");
	spec->source_dest_check =
		properties_find(vm, "source_dest_check") == NULL || properties_flag(vm, "source_dest_check");
}

static int read_lists(struct reading *reading, struct error *err)
{
	const struct properties *vm = &reading->vm;
	struct vm_spec *spec = &reading->spec;

	if (properties_names(vm, "security_groups", reading->arena, &spec->security_groups, err) != 0 ||
	    properties_names(vm, "elbs", reading->arena, &spec->elbs, err) != 0 ||
	    properties_names(vm, "lb_target_groups", reading->arena, &spec->target_groups, err) != 0)
		return -1;
	return properties_names(&reading->configured, "default_security_groups", reading->arena,
				&spec->default_security_groups, err);
}

/* The VM type's own list, else the configuration's: one for all types, or an object with one for each. */
static int read_further_types(struct reading *reading, struct error *err)
{
	const char *key = "instance_types_fallback";
	struct ec2_ids *types = &reading->spec.further_types;

	if (properties_find(&reading->vm, key) != NULL)
		return properties_names(&reading->vm, key, reading->arena, types, err);
	const struct properties by_type = {
		.object = json_get(reading->configured.object, key),
		.place = "aws.instance_types_fallback",
		.configured = true,
	};
	if (json_is(by_type.object, JSON_OBJECT))
		return properties_names(&by_type, reading->spec.instance_type, reading->arena, types, err);
	return properties_names(&reading->configured, key, reading->arena, types, err);
}

/* --- disks --- */

static int read_disk(const struct properties *properties, struct vm_disk *disk, struct error *err)
{
	disk->specified = properties->object != NULL && properties->object->count > 0;
	if (properties_number(properties, "size", &disk->size_mib, err) != 0 ||
	    properties_number(properties, "iops", &disk->iops, err) != 0 ||
	    properties_number(properties, "throughput", &disk->throughput_mibs, err) != 0)
		return -1;
	return properties_text(properties, "type", &disk->type, err);
}

static int read_root_disk(struct reading *reading, struct error *err)
{
	struct properties root = { .place = "cloud_properties.root_disk" };

	if (properties_object(&reading->vm, "root_disk", &root.object, err) != 0)
		return -1;
	return read_disk(&root, &reading->spec.root_disk, err);
}

static int read_ephemeral_disk(struct reading *reading, struct error *err)
{
	struct properties properties = { .place = "cloud_properties.ephemeral_disk" };
	struct vm_ephemeral_disk *ephemeral = &reading->spec.ephemeral_disk;

	if (properties_object(&reading->vm, "ephemeral_disk", &properties.object, err) != 0 ||
	    read_disk(&properties, &ephemeral->disk, err) != 0)
		return -1;
	if (ephemeral->disk.size_mib == 0 && properties_find(&properties, "size") != NULL)
		return error_set(err, ERROR_CLOUD, "cloud_properties.ephemeral_disk.size is 0 MiB; it must be at least 1, or absent");
	ephemeral->use_instance_storage = properties_flag(&properties, "use_instance_storage");
	ephemeral->use_root_disk = properties_flag(&properties, "use_root_disk");
	ephemeral->encrypted = reading->config->encrypted;
	ephemeral->kms_key_arn = reading->config->kms_key_arn;
	/* a null is said, too, and overrides */
	if (json_get(properties.object, "encrypted") != NULL)
		ephemeral->encrypted = properties_flag(&properties, "encrypted");
	if (json_get(properties.object, "kms_key_arn") != NULL)
		return properties_text(&properties, "kms_key_arn", &ephemeral->kms_key_arn, err);
	return 0;
}

/* --- routes, metadata options, tags --- */

static int read_routes(struct reading *reading, struct error *err)
{
	const struct json *list = properties_find(&reading->vm, "advertised_routes");
	size_t count = 0;

	if (list == NULL)
		return 0;
	if (list->type != JSON_ARRAY || list->count > MAX_ROUTES)
		return properties_wrong_type(&reading->vm, "advertised_routes", "an array of at most 1000 objects", err);
	struct vm_route *routes = arena_array(reading->arena, list->count + 1, sizeof(*routes));
	if (routes == NULL)
		return error_nomem(err);
	for (const struct json *item = list->child; item != NULL; item = item->next) {
		const struct properties properties = { .object = item, .place = "cloud_properties.advertised_routes" };
		struct vm_route *route = &routes[count++];
		if (item->type != JSON_OBJECT)
			return properties_wrong_type(&reading->vm, "advertised_routes", "an array of objects", err);
		if (properties_text(&properties, "table_id", &route->table_id, err) != 0 ||
		    properties_text(&properties, "destination", &route->destination, err) != 0)
			return -1;
		if (route->table_id == NULL || route->destination == NULL)
			return error_set(err, ERROR_CLOUD,
					 "each of cloud_properties.advertised_routes needs a table_id and a destination");
	}
	reading->spec.routes = routes;
	reading->spec.n_routes = count;
	return 0;
}

static void put_option(struct instance_metadata_option *options, size_t *count, struct instance_metadata_option option)
{
	for (size_t i = 0; i < *count; i++) {
		if (is(options[i].name, option.name)) {
			options[i] = option;
			return;
		}
	}
	options[(*count)++] = option;
}

static int add_options(const struct properties *properties, const struct json *object,
		       struct instance_metadata_option *options, size_t *count, struct error *err)
{
	const struct properties members = {
		.object = object,
		.place = properties->configured ? "aws.metadata_options" : "cloud_properties.metadata_options",
		.configured = properties->configured,
	};

	for (const struct json *member = object != NULL ? object->child : NULL; member != NULL; member = member->next) {
		struct instance_metadata_option option = { .name = member->key };
		if (member->key_len == 0 || strspn(member->key, "abcdefghijklmnopqrstuvwxyz0123456789_") != member->key_len)
			return error_set(err, properties->configured ? ERROR_CONFIG : ERROR_CLOUD,
					 "%s has '%.64s', but its keys are like 'http_tokens'", members.place, member->key);
		if (json_is(json_get(object, member->key), JSON_BOOL))
			option.value = json_true(json_get(object, member->key)) ? "true" : "false";
		else if (properties_label(&members, member->key, &option.value, err) != 0)
			return -1;
		put_option(options, count, option);
	}
	return 0;
}

static int read_metadata_options(struct reading *reading, struct error *err)
{
	const char *key = "metadata_options";
	const struct json *own, *configured;
	size_t count = 0, kept = 0;

	if (properties_object(&reading->vm, key, &own, err) != 0 ||
	    properties_object(&reading->configured, key, &configured, err) != 0)
		return -1;
	if ((own != NULL && own->count > MAX_OPTIONS) || (configured != NULL && configured->count > MAX_OPTIONS))
		return error_set(err, ERROR_CLOUD, "there are more than %d metadata_options", MAX_OPTIONS);
	struct instance_metadata_option *options =
		arena_array(reading->arena, 2 * (size_t)MAX_OPTIONS, sizeof(*options));
	if (options == NULL)
		return error_nomem(err);
	if (add_options(&reading->configured, configured, options, &count, err) != 0 ||
	    add_options(&reading->vm, own, options, &count, err) != 0)
		return -1;
	/* null takes the configuration's back */
	for (size_t i = 0; i < count; i++)
		if (options[i].value != NULL)
			options[kept++] = options[i];
	reading->spec.metadata_options = options;
	reading->spec.n_metadata_options = kept;
	return 0;
}

static int read_tags(struct reading *reading, struct error *err)
{
	struct ec2_tags lists[2];

	if (args_tags(json_path(reading->spec.env, "bosh", "tags", NULL), "env.bosh.tags", reading->arena, &lists[0], err) != 0 ||
	    args_tags(json_get(reading->vm.object, "tags"), "cloud_properties.tags", reading->arena, &lists[1], err) != 0)
		return -1;
	return created_merge(reading->arena, lists, 2, &reading->spec.tags, err);
}

/* --- networks --- */

static int read_network_type(const struct properties *properties, struct vm_network *network, struct error *err)
{
	const char *type;

	if (properties_text(properties, "type", &type, err) != 0)
		return -1;
	if (type == NULL || is(type, "manual"))
		network->type = VM_NETWORK_MANUAL;
	else if (is(type, "dynamic"))
		network->type = VM_NETWORK_DYNAMIC;
	else if (is(type, "vip"))
		network->type = VM_NETWORK_VIP;
	else
		return error_set(err, ERROR_CLOUD,
				 "Invalid network type '%.64s' for AWS, can only handle 'dynamic', 'vip', or 'manual' network types",
				 type);
	return 0;
}

static int read_prefix(const struct properties *properties, struct vm_network *network, struct error *err)
{
	if (properties_label(properties, "prefix", &network->prefix, err) != 0)
		return -1;
	if (network->prefix != NULL && strspn(network->prefix, "0123456789") != strlen(network->prefix))
		return properties_wrong_type(properties, "prefix", "a length in bits", err);
	return 0;
}

static int read_network(const struct json *settings, struct arena *arena, struct vm_network *network, struct error *err)
{
	struct properties properties = {
		.object = settings,
		.place = arena_printf(arena, "networks.%s", settings->key),
	};
	struct properties cloud = { .place = arena_printf(arena, "networks.%s.cloud_properties", settings->key) };

	if (properties.place == NULL || cloud.place == NULL)
		return error_nomem(err);
	network->name = settings->key;
	network->settings = settings;
	if (read_network_type(&properties, network, err) != 0 || properties_text(&properties, "ip", &network->ip, err) != 0 ||
	    read_prefix(&properties, network, err) != 0 ||
	    properties_label(&properties, "nic_group", &network->nic_group, err) != 0 ||
	    properties_object(&properties, "cloud_properties", &cloud.object, err) != 0)
		return -1;
	if (network->type == VM_NETWORK_MANUAL && network->nic_group == NULL)
		network->nic_group = network->name;
	network->has_dns = properties_find(&properties, "dns") != NULL;
	if (properties_text(&cloud, "subnet", &network->subnet, err) != 0)
		return -1;
	return properties_names(&cloud, "security_groups", arena, &network->security_groups, err);
}

static int read_networks(struct reading *reading, const struct json *object, struct error *err)
{
	const struct properties all = { .object = object, .place = "networks" };
	size_t count = 0;

	if (object == NULL)
		return 0;
	if (object->count > MAX_NETWORKS)
		return error_set(err, ERROR_CLOUD, "the VM has %zu networks, but at most %d can be", object->count, MAX_NETWORKS);
	struct vm_network *networks = arena_array(reading->arena, object->count + 1, sizeof(*networks));
	if (networks == NULL)
		return error_nomem(err);
	for (const struct json *member = object->child; member != NULL; member = member->next) {
		if (json_get(object, member->key) != member)
			continue;
		if (member->type != JSON_OBJECT)
			return properties_wrong_type(&all, member->key, "an object", err);
		if (read_network(member, reading->arena, &networks[count++], err) != 0)
			return -1;
	}
	reading->spec.networks = networks;
	reading->spec.n_networks = count;
	return 0;
}

/* --- the arguments themselves --- */

static int read_stemcell_cid(struct reading *reading, const struct json *arguments, struct error *err)
{
	const size_t suffix = strlen(LIGHT_SUFFIX);
	const char *cid;

	if (args_string(arguments, 1, "stemcell_cid", &cid, err) != 0)
		return -1;
	const size_t len = strlen(cid);
	const bool is_light = len > suffix && is(cid + len - suffix, LIGHT_SUFFIX);
	reading->spec.stemcell_cid = arena_strndup(reading->arena, cid, is_light ? len - suffix : len);
	return reading->spec.stemcell_cid != NULL ? 0 : error_nomem(err);
}

static int read_disk_cids(struct reading *reading, const struct json *arguments, struct error *err)
{
	const struct json *list = json_at(arguments, 4);
	size_t count = 0;

	if (list == NULL || list->type == JSON_NULL)
		return 0;
	const char **cids = arena_array(reading->arena, list->count + 1, sizeof(*cids));
	if (cids == NULL)
		return error_nomem(err);
	for (const struct json *item = list->child; list->type == JSON_ARRAY && item != NULL; item = item->next)
		if (json_text(item) != NULL)
			cids[count++] = json_text(item);
	if (list->type != JSON_ARRAY || count != list->count)
		return error_set(err, ERROR_INVALID_CALL,
				 "Arguments are not correct, got: %s as disk_cids (argument 5), which should be an array of strings",
				 args_type_name(list));
	reading->spec.disk_cids = (struct ec2_ids){ .items = cids, .count = count };
	return 0;
}

static int read_cloud_properties(struct reading *reading, struct error *err)
{
	read_flags(reading);
	if (read_machine(reading, err) != 0 || read_spot(reading, err) != 0 || read_lists(reading, err) != 0 ||
	    read_root_disk(reading, err) != 0 || read_ephemeral_disk(reading, err) != 0)
		return -1;
	if (read_routes(reading, err) != 0 || read_metadata_options(reading, err) != 0 || read_tags(reading, err) != 0)
		return -1;
	if (check_required(&reading->spec, err) != 0)
		return -1;
	return read_further_types(reading, err);
}

int vm_args_create(const struct json *arguments, const struct config *config, struct arena *arena,
		   struct vm_spec *ret_spec, struct error *err)
{
	struct reading reading = {
		.vm.place = "cloud_properties",
		.configured = { .object = config->aws_properties, .place = "aws", .configured = true },
		.config = config,
		.arena = arena,
	};
	const struct json *networks;

	if (args_string(arguments, 0, "agent_id", &reading.spec.agent_id, err) != 0 ||
	    read_stemcell_cid(&reading, arguments, err) != 0 ||
	    args_object(arguments, 2, "cloud_properties", false, &reading.vm.object, err) != 0 ||
	    args_object(arguments, 3, "networks", true, &networks, err) != 0 ||
	    read_disk_cids(&reading, arguments, err) != 0 ||
	    args_object(arguments, 5, "env", true, &reading.spec.env, err) != 0)
		return -1;
	if (read_networks(&reading, networks, err) != 0 || read_cloud_properties(&reading, err) != 0)
		return -1;
	*ret_spec = reading.spec;
	return 0;
}
