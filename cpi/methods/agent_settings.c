/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the settings member by member; what the configuration's agent object has takes the place of ours, as in the
 * incumbent, but for what the user data says itself. */
#include "cpi/methods/agent_settings.h"

#include <string.h>

#include "common/json_write.h"

/* Sizes of what can be large. */
struct parts {
	size_t networks;
	size_t env;
	size_t agent;
};

struct writing {
	const struct agent_settings *settings;
	struct json_writer json;
	struct buf *out;
	struct parts parts;
	bool is_user_data; /* dns, networks and registry are said by it, whatever agent has */
};

/* --- foreign values --- */

/* A repeated key would read differently in Ruby and in Go. */
static bool comes_again(const struct json *member)
{
	for (const struct json *later = member->next; later != NULL; later = later->next)
		if (later->key_len == member->key_len && memcmp(later->key, member->key, member->key_len) == 0)
			return true;
	return false;
}

static void write_value(struct json_writer *json, const struct json *value);

static void write_members(struct json_writer *json, const struct json *object)
{
	for (const struct json *member = object->child; member != NULL && !json->out->failed; member = member->next) {
		if (comes_again(member))
			continue;
		json_key_n(json, member->key, member->key_len);
		write_value(json, member);
	}
}

/* Recursion ends with the depth of the tree, which the reader bounds. */
static void write_value(struct json_writer *json, const struct json *value)
{
	if (value->type == JSON_OBJECT) {
		json_begin_object(json);
		write_members(json, value);
		json_end_object(json);
	} else if (value->type == JSON_ARRAY) {
		json_begin_array(json);
		for (const struct json *item = value->child; item != NULL && !json->out->failed; item = item->next)
			write_value(json, item);
		json_end_array(json);
	} else {
		json_value(json, value);
	}
}

/* --- networks and dns --- */

static const char *mac_of(const struct writing *writing, const struct vm_network *network)
{
	const struct nic *nic =
		network->type == VM_NETWORK_MANUAL ? nic_plan_of(writing->settings->nics, network) : NULL;

	return nic != NULL && nic->mac != NULL && nic->mac[0] != '\0' ? nic->mac : NULL;
}

static void write_network(struct writing *writing, const struct vm_network *network)
{
	struct json_writer *json = &writing->json;
	const char *mac = mac_of(writing, network);

	json_key(json, network->name);
	json_begin_object(json);
	for (const struct json *member = network->settings->child; member != NULL; member = member->next) {
		if (comes_again(member) || strcmp(member->key, "use_dhcp") == 0 ||
		    (mac != NULL && strcmp(member->key, "mac") == 0))
			continue;
		json_key_n(json, member->key, member->key_len);
		write_value(json, member);
	}
	json_member_boolean(json, "use_dhcp", true);
	if (mac != NULL)
		json_member_string(json, "mac", mac);
	json_end_object(json);
}

static void write_networks(struct writing *writing)
{
	const struct vm_spec *spec = writing->settings->spec;
	const size_t before = writing->out->len;

	json_key(&writing->json, "networks");
	json_begin_object(&writing->json);
	for (size_t i = 0; i < spec->n_networks; i++)
		write_network(writing, &spec->networks[i]);
	json_end_object(&writing->json);
	writing->parts.networks += writing->out->len - before;
}

static const struct vm_network *network_with_dns(const struct vm_spec *spec)
{
	for (size_t i = 0; i < spec->n_networks; i++)
		if (spec->networks[i].type == VM_NETWORK_MANUAL && spec->networks[i].has_dns)
			return &spec->networks[i];
	return NULL;
}

static void write_dns(struct writing *writing)
{
	const struct vm_network *network = network_with_dns(writing->settings->spec);
	struct json_writer *json = &writing->json;

	json_key(json, "dns");
	if (network == NULL) {
		json_null(json);
		return;
	}
	json_begin_object(json);
	json_key(json, "nameserver");
	write_value(json, json_get(network->settings, "dns"));
	json_end_object(json);
}

static void write_registry(struct writing *writing)
{
	struct json_writer *json = &writing->json;

	if (writing->settings->registry_endpoint == NULL)
		return;
	json_key(json, "registry");
	json_begin_object(json);
	json_member_string(json, "endpoint", writing->settings->registry_endpoint);
	json_end_object(json);
}

/* --- the rest of the settings --- */

static void write_disks(struct writing *writing)
{
	const struct block_devices *devices = writing->settings->devices;
	struct json_writer *json = &writing->json;

	json_key(json, "disks");
	json_begin_object(json);
	json_member_string(json, "system", devices->system_path);
	json_key(json, "persistent");
	json_begin_object(json);
	json_end_object(json);
	if (devices->ephemeral_path != NULL)
		json_member_string(json, "ephemeral", devices->ephemeral_path);
	if (devices->n_raw > 0) {
		json_key(json, "raw_ephemeral");
		json_begin_array(json);
		for (size_t i = 0; i < devices->n_raw; i++) {
			json_begin_object(json);
			json_member_string(json, "path", devices->raw_paths[i]);
			json_end_object(json);
		}
		json_end_array(json);
	}
	json_end_object(json);
}

static void write_vm(struct writing *writing)
{
	json_key(&writing->json, "vm");
	json_begin_object(&writing->json);
	json_member_string(&writing->json, "name", writing->settings->vm_name);
	json_end_object(&writing->json);
}

static void write_agent_id(struct writing *writing)
{
	json_member_string(&writing->json, "agent_id", writing->settings->spec->agent_id);
}

static void write_env(struct writing *writing)
{
	const size_t before = writing->out->len;

	if (writing->settings->spec->env == NULL)
		return;
	json_key(&writing->json, "env");
	write_value(&writing->json, writing->settings->spec->env);
	writing->parts.env += writing->out->len - before;
}

static bool user_data_says(const struct writing *writing, const char *key)
{
	if (!writing->is_user_data)
		return false;
	return strcmp(key, "dns") == 0 || strcmp(key, "networks") == 0 ||
	       (strcmp(key, "registry") == 0 && writing->settings->registry_endpoint != NULL);
}

static void write_agent(struct writing *writing)
{
	const struct json *agent = writing->settings->agent;
	const size_t before = writing->out->len;

	for (const struct json *member = agent != NULL ? agent->child : NULL; member != NULL; member = member->next) {
		if (comes_again(member) || user_data_says(writing, member->key))
			continue;
		json_key_n(&writing->json, member->key, member->key_len);
		write_value(&writing->json, member);
	}
	writing->parts.agent += writing->out->len - before;
}

static void write_settings(struct writing *writing)
{
	static const struct {
		const char *key;
		void (*write)(struct writing *writing);
	} members[] = {
		{ "vm", write_vm },	  { "agent_id", write_agent_id }, { "networks", write_networks },
		{ "disks", write_disks }, { "env", write_env },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (user_data_says(writing, members[i].key) ||
		    json_get(writing->settings->agent, members[i].key) == NULL)
			members[i].write(writing);
	write_agent(writing);
}

/* --- */

static int too_large(const struct writing *writing, struct error *err)
{
	const struct parts *parts = &writing->parts;

	return error_set(err, ERROR_CLOUD,
			 "the VM's user data is %zu bytes, and EC2 takes at most %zu: networks are %zu bytes of it, env %zu, and the "
			 "configuration's agent settings (mbus, blobstore …) %zu; make the largest of them smaller",
			 writing->out->len, AGENT_SETTINGS_USER_DATA_MAX, parts->networks, parts->env, parts->agent);
}

int agent_settings_registry(const struct agent_settings *settings, struct buf *out, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(AGENT_SETTINGS_MAX);
	struct writing writing = { .settings = settings, .out = &text };

	json_writer_init(&writing.json, &text);
	json_begin_object(&writing.json);
	write_settings(&writing);
	json_end_object(&writing.json);
	if (buf_check(&text, "the agent's settings", err) != 0)
		return -1;
	buf_append(out, text.data, text.len);
	return buf_check(out, "the agent's settings", err);
}

int agent_settings_user_data(const struct agent_settings *settings, bool whole, struct buf *out, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(AGENT_SETTINGS_MAX);
	struct writing writing = { .settings = settings, .out = &text, .is_user_data = true };

	json_writer_init(&writing.json, &text);
	json_begin_object(&writing.json);
	if (whole)
		write_settings(&writing);
	else
		write_networks(&writing);
	write_dns(&writing);
	write_registry(&writing);
	json_end_object(&writing.json);
	if (buf_check(&text, "the VM's user data", err) != 0)
		return -1;
	if (text.len > AGENT_SETTINGS_USER_DATA_MAX)
		return too_large(&writing, err);
	buf_append(out, text.data, text.len);
	return buf_check(out, "the VM's user data", err);
}
