/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent is told, compared as JSON: for the registry, beside it, and whole; who wins; and the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_write.h"
#include "cpi/methods/agent_settings.h"
#include "tests/unit/vm_kit.h"

#define DYNAMIC "'d':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'}}"
#define ENDPOINT "http://user:secret@10.0.0.1:25777"

enum kind { FOR_REGISTRY, BESIDE_REGISTRY, WHOLE };

struct setup {
	const char *properties, *networks, *env, *agent, *endpoint;
	const char *mac; /* of each interface */
};

/* json_get takes no key with a NUL in it. */
static const struct json *member(const struct json *object, const struct json *like)
{
	const struct json *found = object->child;

	while (found != NULL && (found->key_len != like->key_len || memcmp(found->key, like->key, like->key_len) != 0))
		found = found->next;
	return found;
}

/* Object members in any order, none twice. */
static bool equal(const struct json *a, const struct json *b)
{
	if (a->type != b->type || a->count != b->count)
		return false;
	if (a->type == JSON_BOOL)
		return a->boolean == b->boolean;
	if (a->type == JSON_STRING || a->type == JSON_NUMBER)
		return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
	const struct json *other = b->child;
	for (const struct json *child = a->child; child != NULL; child = child->next) {
		if (a->type == JSON_OBJECT)
			other = member(b, child);
		if (other == NULL || !equal(child, other))
			return false;
		if (a->type == JSON_ARRAY)
			other = other->next;
	}
	return true;
}

static int write(const struct setup *setup, struct arena *arena, enum kind kind, struct buf *out, struct error *err)
{
	struct vm_spec spec = vm_kit_spec(arena, setup->properties, setup->networks, "'default_security_groups':['g']");
	static const struct image_mapping mapping = { .device_name = "/dev/sda" };
	const struct image image = {
		.root_device_name = "/dev/sda1",
		.virtualization_type = "hvm",
		.mappings = &mapping,
		.n_mappings = 1,
	};
	struct instance_facts facts;
	struct block_devices devices;
	struct nic_plan nics;

	spec.env = setup->env == NULL ? NULL : vm_kit_json(arena, setup->env);
	instance_facts_built_in(spec.instance_type, &facts);
	assert_int_equal(block_devices_plan(&spec, &image, &facts, arena, &devices, err), 0);
	assert_int_equal(nic_plan_make(&spec, arena, &nics, err), 0);
	for (size_t i = 0; i < nics.n_nics && setup->mac != NULL; i++)
		nics.nics[i].mac = setup->mac;
	const struct agent_settings settings = {
		.spec = &spec,
		.nics = &nics,
		.devices = &devices,
		.vm_name = "vm-1",
		.agent = setup->agent == NULL ? NULL : vm_kit_json(arena, setup->agent),
		.registry_endpoint = setup->endpoint,
	};
	if (kind == FOR_REGISTRY)
		return agent_settings_registry(&settings, out, err);
	return agent_settings_user_data(&settings, kind == WHOLE, out, err);
}

static void expect(const struct setup *setup, enum kind kind, const char *wanted)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	CLEANUP_BUF struct buf text = BUF_INIT(AGENT_SETTINGS_MAX);
	struct error err = { 0 };
	const struct json *got;

	if (write(setup, arena, kind, &text, &err) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(json_parse(arena, buf_text(&text), text.len, AGENT_SETTINGS_MAX, &got, &err), 0);
	if (!equal(vm_kit_json(arena, wanted), got))
		fail_msg("got %s", buf_text(&text));
}

static void test_plain(void **state)
{
	const struct setup setup = {
		.properties = "",
		.networks = DYNAMIC,
		.env = "{'bosh':{'mbus':{'urls':['nats://n']},'swap_size':0}}",
		.agent = "{'mbus':'https://m','ntp':['0.pool'],'blobstore':{'provider':'dav','options':{'a':1.50}}}",
		.endpoint = ENDPOINT,
	};
	const char *settings = "'vm':{'name':'vm-1'},'agent_id':'agent-1',"
			       "'networks':{'d':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'},'use_dhcp':true}},"
			       "'disks':{'system':'/dev/sda1','ephemeral':'/dev/sdb','persistent':{}},"
			       "'env':{'bosh':{'mbus':{'urls':['nats://n']},'swap_size':0}},"
			       "'mbus':'https://m','ntp':['0.pool'],'blobstore':{'provider':'dav','options':{'a':1.50}}";
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);

	(void)state;
	expect(&setup, FOR_REGISTRY, arena_printf(arena, "{%s}", settings));
	expect(&setup, BESIDE_REGISTRY,
	       "{'dns':null,'networks':{'d':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'},'use_dhcp':true}},"
	       "'registry':{'endpoint':'" ENDPOINT "'}}");
	expect(&setup, WHOLE, arena_printf(arena, "{%s,'dns':null,'registry':{'endpoint':'" ENDPOINT "'}}", settings));
}

static void test_without_env_agent_and_registry(void **state)
{
	const struct setup setup = { .properties = "'ephemeral_disk':{'use_root_disk':true}", .networks = DYNAMIC };

	(void)state;
	expect(&setup, WHOLE,
	       "{'vm':{'name':'vm-1'},'agent_id':'agent-1','dns':null,'disks':{'system':'/dev/sda1','persistent':{}},"
	       "'networks':{'d':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'},'use_dhcp':true}}}");
}

static void test_raw_disks(void **state)
{
	const struct setup setup = {
		.properties = "'instance_type':'m3.xlarge','raw_instance_storage':true",
		.networks = DYNAMIC,
	};

	(void)state;
	expect(&setup, FOR_REGISTRY,
	       "{'vm':{'name':'vm-1'},'agent_id':'agent-1','disks':{'system':'/dev/sda1','persistent':{},'ephemeral':'/dev/sdb',"
	       "'raw_ephemeral':[{'path':'/dev/xvdba'},{'path':'/dev/xvdbb'}]},"
	       "'networks':{'d':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'},'use_dhcp':true}}}");
}

/* Every key stays; use_dhcp and mac are ours, a mac only where there is one; dns is the first manual network's. */
static void test_networks(void **state)
{
	const char *networks = "'d':{'type':'dynamic','dns':['9.9.9.9'],'cloud_properties':{'subnet':'subnet-1'}},"
			       "'a':{'type':'manual','ip':'10.0.0.5','mac':'old','use_dhcp':false,'gateway':'10.0.0.1','netmask':"
			       "'255.255.255.0','default':['dns','gateway'],'nic_group':'g','extra':{'x':[1,null]},"
			       "'cloud_properties':{'subnet':'subnet-1'}},"
			       "'b':{'ip':'::1','dns':['10.0.0.2','10.0.0.3'],'nic_group':'g'},"
			       "'v':{'type':'vip','ip':'1.2.3.4'}";
	const struct setup with = { .properties = "", .networks = networks, .mac = "02:00:00:00:00:01" };
	const struct setup without = { .properties = "", .networks = "'a':{'ip':'10.0.0.5','mac':'old','cloud_properties':"
								     "{'subnet':'subnet-1'}}" };

	(void)state;
	expect(&with, BESIDE_REGISTRY,
	       "{'dns':{'nameserver':['10.0.0.2','10.0.0.3']},'networks':{"
	       "'d':{'type':'dynamic','dns':['9.9.9.9'],'use_dhcp':true,'cloud_properties':{'subnet':'subnet-1'}},"
	       "'a':{'type':'manual','ip':'10.0.0.5','mac':'02:00:00:00:00:01','use_dhcp':true,'gateway':'10.0.0.1','netmask':"
	       "'255.255.255.0','default':['dns','gateway'],'nic_group':'g','extra':{'x':[1,null]},"
	       "'cloud_properties':{'subnet':'subnet-1'}},"
	       "'b':{'ip':'::1','dns':['10.0.0.2','10.0.0.3'],'nic_group':'g','mac':'02:00:00:00:00:01','use_dhcp':true},"
	       "'v':{'type':'vip','ip':'1.2.3.4','use_dhcp':true}}}");
	expect(&without, BESIDE_REGISTRY,
	       "{'dns':null,'networks':{'a':{'ip':'10.0.0.5','mac':'old','use_dhcp':true,'cloud_properties':{'subnet':'subnet-1'}}}}");
}

/* The configuration's members win, but for what the user data says itself. */
static void test_agent_wins(void **state)
{
	const struct setup setup = {
		.properties = "",
		.networks = DYNAMIC,
		.env = "{'a':1}",
		.agent = "{'vm':1,'agent_id':2,'networks':3,'disks':4,'env':5,'dns':6,'registry':7}",
		.endpoint = "http://r",
	};
	struct setup unregistered = setup;

	(void)state;
	expect(&setup, FOR_REGISTRY, "{'vm':1,'agent_id':2,'networks':3,'disks':4,'env':5,'dns':6,'registry':7}");
	expect(&setup, WHOLE, "{'vm':1,'agent_id':2,'networks':{'d':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'},"
			      "'use_dhcp':true}},'disks':4,'env':5,'dns':null,'registry':{'endpoint':'http://r'}}");
	unregistered.endpoint = NULL;
	expect(&unregistered, WHOLE, "{'vm':1,'agent_id':2,'networks':{'d':{'type':'dynamic','cloud_properties':{'subnet':"
				     "'subnet-1'},'use_dhcp':true}},'disks':4,'env':5,'dns':null,'registry':7}");
}

/* Of a repeated key the last counts, wherever it is; expect() sees a key that comes twice. */
static void test_repeated_keys(void **state)
{
	const struct setup setup = {
		.properties = "",
		.networks = "'d':{'ip':'10.0.0.1'},'d':{'type':'manual','type':'dynamic','x':{'k':1,'k':2},'x\\u0000y':1,"
			    "'use_dhcp':1,'use_dhcp':2,'cloud_properties':{'subnet':'subnet-1'}}",
		.env = "{'a':1,'b':[{'c':1,'c':{'d':1,'d':2}}],'a':2}",
		.agent = "{'ntp':1,'ntp':[2],'mbus':{'e':1,'e':2}}",
	};

	(void)state;
	expect(&setup, WHOLE, "{'vm':{'name':'vm-1'},'agent_id':'agent-1','dns':null,'disks':{'system':'/dev/sda1',"
			      "'ephemeral':'/dev/sdb','persistent':{}},'env':{'a':2,'b':[{'c':{'d':2}}]},'ntp':[2],'mbus':{'e':2},"
			      "'networks':{'d':{'type':'dynamic','x':{'k':2},'x\\u0000y':1,'use_dhcp':true,'cloud_properties':"
			      "{'subnet':'subnet-1'}}}}");
}

static int write_with_env(size_t len, enum kind kind, struct buf *out, struct error *err)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	char *filling = arena_alloc(arena, len + 1);
	struct setup setup = { .properties = "", .networks = DYNAMIC, .agent = "{'ntp':[]}" };

	memset(filling, 'x', len);
	setup.env = arena_printf(arena, "{'e':'%s'}", filling);
	return write(&setup, arena, kind, out, err);
}

static void test_limit(void **state)
{
	CLEANUP_BUF struct buf text = BUF_INIT(AGENT_SETTINGS_MAX);
	CLEANUP_BUF struct buf small = BUF_INIT(64);
	struct error err = { 0 };

	(void)state;
	assert_int_equal(write_with_env(1000, WHOLE, &text, &err), 0);
	const size_t rest = 16384 - text.len + 1000;
	buf_reset(&text);
	assert_int_equal(write_with_env(rest, WHOLE, &text, &err), 0);
	assert_int_equal(text.len, 16384);
	buf_reset(&text);
	assert_int_equal(write_with_env(rest + 1, WHOLE, &text, &err), -1);
	assert_int_equal(text.len, 0);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "the VM's user data is 16385 bytes, and EC2 takes at most 16384: networks are "));
	/* ,"env":{"e":"…"} */
	char env[64];
	snprintf(env, sizeof(env), " env %zu, and the configuration's agent settings", rest + 1 + strlen(",\"env\":{\"e\":\"\"}"));
	assert_non_null(strstr(err.message, env));
	/* the registry takes more */
	assert_int_equal(write_with_env(rest + 1, FOR_REGISTRY, &text, &err), 0);
	assert_int_equal(write_with_env(rest + 1, BESIDE_REGISTRY, &text, &err), 0);
	/* a caller's smaller buffer */
	assert_int_equal(write_with_env(1000, WHOLE, &small, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	buf_reset(&small);
	assert_int_equal(write_with_env(1000, FOR_REGISTRY, &small, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),    cmocka_unit_test(test_without_env_agent_and_registry),
		cmocka_unit_test(test_raw_disks), cmocka_unit_test(test_networks),
		cmocka_unit_test(test_agent_wins), cmocka_unit_test(test_repeated_keys),
		cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
