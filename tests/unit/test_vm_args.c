/* SPDX-License-Identifier: Apache-2.0 */
/* create_vm's arguments: what is read, the configuration's defaults, Ruby's truth, and every wrong type named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "cpi/ec2/tags.h"
#include "tests/unit/vm_kit.h"

#define NETWORK "'net':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'}}"

static void test_whole(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	const struct config config = vm_kit_config(arena, "");
	struct vm_spec spec;
	struct error err;

	(void)state;
	const struct json *arguments = vm_kit_json(
		arena, "['agent-1','ami-1 light',{'instance_type':'m5.large','availability_zone':'us-east-1a','key_name':'k',"
		       "'iam_instance_profile':'p','placement_group':'g','tenancy':'dedicated','spot_bid_price':0.030,"
		       "'spot_ondemand_fallback':true,'auto_assign_public_ip':true,'source_dest_check':false,"
		       "'raw_instance_storage':true,'security_groups':['sg-1','web'],'elbs':['e1'],'lb_target_groups':['t1','t2'],"
		       "'advertised_routes':[{'table_id':'rtb-1','destination':'10.0.0.0/8'}],"
		       "'root_disk':{'size':43008.0,'type':'io1','iops':'1000'},"
		       "'ephemeral_disk':{'size':4000,'type':'gp3','iops':3000,'throughput':200,'encrypted':true,'kms_key_arn':'arn'},"
		       "'instance_types_fallback':['m5a.large'],'tags':{'a':'own','n':1}},"
		       "{'b':{'type':'manual','ip':'10.0.0.5','prefix':'32','dns':['10.0.0.2'],'nic_group':7,"
		       "'cloud_properties':{'subnet':'subnet-1','security_groups':['sg-2']}},'a':{'type':'vip','ip':'1.2.3.4',"
		       "'nic_group':'b'},'c':{'ip':null}},['vol-1','vol-2'],{'bosh':{'tags':{'a':'env','e':'x'}}}]");
	if (vm_args_create(arguments, &config, arena, &spec, &err) != 0)
		fail_msg("%s", err.message);
	assert_string_equal(spec.agent_id, "agent-1");
	assert_string_equal(spec.stemcell_cid, "ami-1");
	assert_string_equal(spec.instance_type, "m5.large");
	assert_string_equal(spec.availability_zone, "us-east-1a");
	assert_string_equal(spec.key_name, "k");
	assert_string_equal(spec.iam_instance_profile, "p");
	assert_string_equal(spec.placement_group, "g");
	assert_string_equal(spec.tenancy, "dedicated");
	assert_string_equal(spec.spot_max_price, "0.030");
	assert_true(spec.spot_ondemand_fallback && spec.auto_assign_public_ip && spec.raw_instance_storage);
	assert_false(spec.source_dest_check);
	vm_kit_expect_names(spec.security_groups, "sg-1 web");
	vm_kit_expect_names(spec.elbs, "e1");
	vm_kit_expect_names(spec.target_groups, "t1 t2");
	vm_kit_expect_names(spec.further_types, "m5a.large");
	vm_kit_expect_names(spec.disk_cids, "vol-1 vol-2");
	assert_int_equal(spec.n_routes, 1);
	assert_string_equal(spec.routes[0].table_id, "rtb-1");
	assert_string_equal(spec.routes[0].destination, "10.0.0.0/8");
	assert_true(spec.root_disk.specified);
	assert_int_equal(spec.root_disk.size_mib, 43008);
	assert_string_equal(spec.root_disk.type, "io1");
	assert_int_equal(spec.root_disk.iops, 1000);
	assert_int_equal(spec.ephemeral_disk.disk.size_mib, 4000);
	assert_int_equal(spec.ephemeral_disk.disk.throughput_mibs, 200);
	assert_true(spec.ephemeral_disk.encrypted);
	assert_string_equal(spec.ephemeral_disk.kms_key_arn, "arn");
	assert_false(spec.ephemeral_disk.use_instance_storage || spec.ephemeral_disk.use_root_disk);
	assert_int_equal(spec.tags.count, 3);
	assert_string_equal(tags_get(spec.tags, "a"), "own");
	assert_string_equal(tags_get(spec.tags, "e"), "x");
	assert_string_equal(tags_get(spec.tags, "n"), "1");
	assert_ptr_equal(spec.env, json_at(arguments, 5));

	assert_int_equal(spec.n_networks, 3);
	assert_string_equal(spec.networks[0].name, "b");
	assert_int_equal(spec.networks[0].type, VM_NETWORK_MANUAL);
	assert_string_equal(spec.networks[0].ip, "10.0.0.5");
	assert_string_equal(spec.networks[0].prefix, "32");
	assert_string_equal(spec.networks[0].nic_group, "7");
	assert_string_equal(spec.networks[0].subnet, "subnet-1");
	assert_true(spec.networks[0].has_dns);
	vm_kit_expect_names(spec.networks[0].security_groups, "sg-2");
	assert_ptr_equal(spec.networks[0].settings, json_path(json_at(arguments, 3), "b", NULL));
	assert_int_equal(spec.networks[1].type, VM_NETWORK_VIP);
	assert_string_equal(spec.networks[1].nic_group, "b");
	assert_int_equal(spec.networks[2].type, VM_NETWORK_MANUAL);
	assert_string_equal(spec.networks[2].nic_group, "c");
	assert_null(spec.networks[2].ip);
	assert_false(spec.networks[2].has_dns);
}

/* The absent ones, nulls, and empty texts are all the same. */
static void test_defaults(void **state)
{
	static const char *const table[] = {
		"",
		"'key_name':null,'tenancy':null,'spot_bid_price':null,'elbs':null,'root_disk':null,'ephemeral_disk':null,"
		"'tags':null,'metadata_options':null,'advertised_routes':null,'source_dest_check':null,'security_groups':null",
		"'key_name':'','tenancy':'shared','spot_bid_price':'','elbs':[],'root_disk':{},'ephemeral_disk':{},'tags':{},"
		"'metadata_options':{},'advertised_routes':[],'security_groups':[''],'spot_ondemand_fallback':false",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct vm_spec spec = vm_kit_spec(arena, table[i], NETWORK, "");
		assert_null(spec.key_name);
		assert_null(spec.tenancy);
		assert_null(spec.spot_max_price);
		assert_null(spec.env);
		assert_int_equal(spec.elbs.count + spec.security_groups.count + spec.disk_cids.count + spec.further_types.count, 0);
		assert_int_equal(spec.n_routes + spec.n_metadata_options + spec.tags.count, 0);
		assert_false(spec.root_disk.specified || spec.ephemeral_disk.disk.specified || spec.spot_ondemand_fallback);
		assert_false(spec.ephemeral_disk.encrypted || spec.raw_instance_storage || spec.auto_assign_public_ip);
		assert_true(spec.source_dest_check);
	}
}

static void test_configured(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	const char *aws = "'default_key_name':'dk','default_iam_instance_profile':'dp','default_security_groups':['d1','d2'],"
			  "'instance_types_fallback':['m6i.large','m5a.large']";
	struct vm_spec spec = vm_kit_spec(arena, "", NETWORK, aws);

	(void)state;
	assert_string_equal(spec.key_name, "dk");
	assert_string_equal(spec.iam_instance_profile, "dp");
	vm_kit_expect_names(spec.default_security_groups, "d1 d2");
	assert_int_equal(spec.security_groups.count, 0);
	vm_kit_expect_names(spec.further_types, "m6i.large m5a.large");

	spec = vm_kit_spec(arena, "'key_name':'k','iam_instance_profile':'p','instance_types_fallback':[]", NETWORK, aws);
	assert_string_equal(spec.key_name, "k");
	assert_string_equal(spec.iam_instance_profile, "p");
	vm_kit_expect_names(spec.further_types, "");

	aws = "'instance_types_fallback':{'m5.large':['m6i.large'],'c5.large':['c6i.large']}";
	vm_kit_expect_names(vm_kit_spec(arena, "", NETWORK, aws).further_types, "m6i.large");
	vm_kit_expect_names(vm_kit_spec(arena, "'instance_type':'r5.large'", NETWORK, aws).further_types, "");
}

/* Ruby's truth: everything but false and null. */
static void test_flags(void **state)
{
	static const struct {
		const char *value;
		bool truth;
	} table[] = { { "true", true }, { "'false'", true }, { "0", true }, { "''", true }, { "false", false }, { "null", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const char *value = table[i].value;
		const struct vm_spec spec = vm_kit_spec(
			arena,
			arena_printf(arena, "'auto_assign_public_ip':%s,'raw_instance_storage':%s,'spot_ondemand_fallback':%s,"
					    "'source_dest_check':%s,'ephemeral_disk':{'use_root_disk':%s,'use_instance_storage':%s,"
					    "'encrypted':%s}", value, value, value, value, value, value, value),
			NETWORK, "");
		assert_int_equal(spec.auto_assign_public_ip, table[i].truth);
		assert_int_equal(spec.raw_instance_storage, table[i].truth);
		assert_int_equal(spec.spot_ondemand_fallback, table[i].truth);
		assert_int_equal(spec.source_dest_check, table[i].truth || strcmp(value, "null") == 0);
		assert_int_equal(spec.ephemeral_disk.use_root_disk, table[i].truth);
		assert_int_equal(spec.ephemeral_disk.use_instance_storage, table[i].truth);
		assert_int_equal(spec.ephemeral_disk.encrypted, table[i].truth);
	}
}

static void test_spot_price(void **state)
{
	static const struct {
		const char *value, *wanted;
	} table[] = { { "0.03", "0.03" }, { "'0.10'", "0.10" }, { "1", "1" }, { "false", NULL }, { "null", NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct vm_spec spec =
			vm_kit_spec(arena, arena_printf(arena, "'spot_bid_price':%s", table[i].value), NETWORK, "");
		if (table[i].wanted == NULL)
			assert_null(spec.spot_max_price);
		else
			assert_string_equal(spec.spot_max_price, table[i].wanted);
	}
}

/* The disk's own word, a null too, wins over the configuration's. */
static void test_encryption(void **state)
{
	static const struct {
		const char *disk;
		bool encrypted;
		const char *key;
	} table[] = {
		{ "{}", true, "global" },
		{ "{'encrypted':false}", false, "global" },
		{ "{'encrypted':null}", false, "global" },
		{ "{'kms_key_arn':'own'}", true, "own" },
		{ "{'kms_key_arn':null}", true, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct config config = { .encrypted = true, .kms_key_arn = "global" };
		const struct json *arguments = vm_kit_json(
			arena, arena_printf(arena, "['a','ami-1',{'instance_type':'t','availability_zone':'z','ephemeral_disk':%s},"
						   "{" NETWORK "},null,null]", table[i].disk));
		struct vm_spec spec;
		struct error err;
		assert_int_equal(vm_args_create(arguments, &config, arena, &spec, &err), 0);
		assert_int_equal(spec.ephemeral_disk.encrypted, table[i].encrypted);
		if (table[i].key == NULL)
			assert_null(spec.ephemeral_disk.kms_key_arn);
		else
			assert_string_equal(spec.ephemeral_disk.kms_key_arn, table[i].key);
	}
}

static void test_metadata_options(void **state)
{
	static const struct {
		const char *configured, *own, *wanted;
	} table[] = {
		{ "", "'http_tokens':'required','http_put_response_hop_limit':2,'x':true", "http_tokens=required "
		  "http_put_response_hop_limit=2 x=true " },
		{ "'http_tokens':'optional','http_endpoint':'enabled'", "'http_tokens':'required'",
		  "http_tokens=required http_endpoint=enabled " },
		{ "'http_tokens':'optional'", "", "http_tokens=optional " },
		{ "'http_tokens':'optional','http_endpoint':'enabled'", "'http_tokens':null", "http_endpoint=enabled " },
		{ "", "'http_tokens':'a','http_tokens':'b'", "http_tokens=b " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct vm_spec spec =
			vm_kit_spec(arena, arena_printf(arena, "'metadata_options':{%s}", table[i].own), NETWORK,
				    arena_printf(arena, "'metadata_options':{%s}", table[i].configured));
		CLEANUP_BUF struct buf text = BUF_INIT(4096);
		for (size_t j = 0; j < spec.n_metadata_options; j++)
			buf_printf(&text, "%s=%s ", spec.metadata_options[j].name, spec.metadata_options[j].value);
		assert_string_equal(buf_text(&text), table[i].wanted);
	}
}

/* Of a network named twice the last counts; a name alone is a list of one. */
static void test_networks(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	const struct vm_spec spec = vm_kit_spec(arena, "",
						"'b':{'type':'dynamic'},'a':{'prefix':28,'dns':[],'cloud_properties':{"
						"'security_groups':'one'}},'b':{'type':'vip','dns':['1.1.1.1']}", "");

	(void)state;
	assert_int_equal(spec.n_networks, 2);
	assert_string_equal(spec.networks[0].name, "a");
	assert_string_equal(spec.networks[0].prefix, "28");
	assert_true(spec.networks[0].has_dns);
	vm_kit_expect_names(spec.networks[0].security_groups, "one");
	assert_string_equal(spec.networks[1].name, "b");
	assert_int_equal(spec.networks[1].type, VM_NETWORK_VIP);
	assert_null(spec.networks[1].nic_group);
}

#define REQUIRED "'instance_type':'t','availability_zone':'z'"
#define VM(properties) "['a','ami-1',{" REQUIRED "," properties "},{}]"

static void test_refused(void **state)
{
	static const struct {
		const char *arguments, *aws;
		enum error_kind kind;
		const char *says;
	} table[] = {
		{ "[1,'ami-1',{},{}]", "", ERROR_INVALID_CALL, "a number as agent_id" },
		{ "['a',null,{},{}]", "", ERROR_INVALID_CALL, "null as stemcell_cid" },
		{ "['a','ami-1',[],{}]", "", ERROR_INVALID_CALL, "an array as cloud_properties" },
		{ "['a','ami-1',{" REQUIRED "},'x']", "", ERROR_INVALID_CALL, "a string as networks" },
		{ "['a','ami-1',{" REQUIRED "},{},'x']", "", ERROR_INVALID_CALL, "a string as disk_cids" },
		{ "['a','ami-1',{" REQUIRED "},{},['vol-1',1]]", "", ERROR_INVALID_CALL, "disk_cids" },
		{ "['a','ami-1',{" REQUIRED "},{},[],'x']", "", ERROR_INVALID_CALL, "a string as env" },
		{ "['a','ami-1',{" REQUIRED "},{},[],{'bosh':{'tags':[]}}]", "", ERROR_CLOUD, "env.bosh.tags" },
		{ "['a','ami-1',{" REQUIRED "},{'n':1}]", "", ERROR_INVALID_CALL, "a number as networks.n" },
		{ "['a','ami-1',{" REQUIRED "},{'n':{'type':'x'}}]", "", ERROR_CLOUD,
		  "Invalid network type 'x' for AWS, can only handle 'dynamic', 'vip', or 'manual' network types" },
		{ "['a','ami-1',{" REQUIRED "},{'n':{'ip':1}}]", "", ERROR_INVALID_CALL, "networks.n.ip" },
		{ "['a','ami-1',{" REQUIRED "},{'n':{'prefix':'x'}}]", "", ERROR_INVALID_CALL, "networks.n.prefix" },
		{ "['a','ami-1',{" REQUIRED "},{'n':{'cloud_properties':[]}}]", "", ERROR_INVALID_CALL, "networks.n.cloud_properties" },
		{ "['a','ami-1',{" REQUIRED "},{'n':{'cloud_properties':{'subnet':1}}}]", "", ERROR_INVALID_CALL,
		  "networks.n.cloud_properties.subnet" },
		{ "['a','ami-1',{},{}]", "", ERROR_CLOUD,
		  "Missing properties: cloud_properties.instance_type, cloud_properties.availability_zone. See "
		  "http://bosh.io/docs/aws-cpi.html for the list of supported properties." },
		{ "['a','ami-1',{'instance_type':''},{}]", "", ERROR_CLOUD, "cloud_properties.instance_type, " },
		{ "['a','ami-1',{'instance_type':'t'},{}]", "", ERROR_CLOUD, "Missing properties: cloud_properties.availability_zone. " },
		{ VM("'key_name':1"), "", ERROR_INVALID_CALL, "a number as cloud_properties.key_name" },
		{ VM("'tenancy':1"), "", ERROR_INVALID_CALL, "a number as cloud_properties.tenancy" },
		{ VM("'spot_bid_price':true"), "", ERROR_INVALID_CALL, "cloud_properties.spot_bid_price" },
		{ VM("'security_groups':[1]"), "", ERROR_INVALID_CALL, "cloud_properties.security_groups" },
		{ VM("'elbs':{}"), "", ERROR_INVALID_CALL, "an object as cloud_properties.elbs" },
		{ VM("'root_disk':1"), "", ERROR_INVALID_CALL, "cloud_properties.root_disk" },
		{ VM("'root_disk':{'size':'8k'}"), "", ERROR_INVALID_CALL, "a string as cloud_properties.root_disk.size" },
		{ VM("'root_disk':{'size':-1}"), "", ERROR_CLOUD, "cloud_properties.root_disk.size is -1" },
		{ VM("'root_disk':{'size':0.5}"), "", ERROR_INVALID_CALL, "a whole number" },
		{ VM("'root_disk':{'iops':1e99}"), "", ERROR_CLOUD, "cloud_properties.root_disk.iops is 1e99" },
		{ VM("'root_disk':{'throughput':18446744073709551617}"), "", ERROR_CLOUD, "throughput" },
		{ VM("'ephemeral_disk':{'size':0}"), "", ERROR_CLOUD, "cloud_properties.ephemeral_disk.size is 0" },
		{ VM("'ephemeral_disk':{'type':3}"), "", ERROR_INVALID_CALL, "cloud_properties.ephemeral_disk.type" },
		{ VM("'advertised_routes':{}"), "", ERROR_INVALID_CALL, "cloud_properties.advertised_routes" },
		{ VM("'advertised_routes':['x']"), "", ERROR_INVALID_CALL, "cloud_properties.advertised_routes" },
		{ VM("'advertised_routes':[{'table_id':'rtb-1'}]"), "", ERROR_CLOUD, "table_id and a destination" },
		{ VM("'metadata_options':[]"), "", ERROR_INVALID_CALL, "cloud_properties.metadata_options" },
		{ VM("'metadata_options':{'a.b':1}"), "", ERROR_CLOUD, "cloud_properties.metadata_options has 'a.b'" },
		{ VM("'metadata_options':{'a':{}}"), "", ERROR_INVALID_CALL, "cloud_properties.metadata_options.a" },
		{ VM("'instance_types_fallback':{}"), "", ERROR_INVALID_CALL, "cloud_properties.instance_types_fallback" },
		{ VM("'tags':'x'"), "", ERROR_CLOUD, "cloud_properties.tags" },
		{ VM("'x':1"), "'default_key_name':1", ERROR_CONFIG, "aws.default_key_name is a number" },
		{ VM("'x':1"), "'default_security_groups':{}", ERROR_CONFIG, "aws.default_security_groups is an object" },
		{ VM("'x':1"), "'metadata_options':1", ERROR_CONFIG, "aws.metadata_options is a number" },
		{ VM("'x':1"), "'instance_types_fallback':{'t':[1]}", ERROR_CONFIG, "aws.instance_types_fallback.t" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct config config = vm_kit_config(arena, table[i].aws);
		struct vm_spec spec = { .agent_id = "untouched" };
		struct error err = { 0 };
		if (vm_args_create(vm_kit_json(arena, table[i].arguments), &config, arena, &spec, &err) != -1)
			fail_msg("accepted: %s", table[i].arguments);
		if (err.kind != table[i].kind || strstr(err.message, table[i].says) == NULL)
			fail_msg("%s gave %s: %s", table[i].arguments, error_kind_name(err.kind), err.message);
		if (err.kind == ERROR_INVALID_CALL)
			assert_int_equal(strncmp(err.message, "Arguments are not correct, got: ", 32), 0);
		assert_string_equal(spec.agent_id, "untouched");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),      cmocka_unit_test(test_defaults),   cmocka_unit_test(test_configured),
		cmocka_unit_test(test_flags),      cmocka_unit_test(test_spot_price), cmocka_unit_test(test_encryption),
		cmocka_unit_test(test_metadata_options), cmocka_unit_test(test_networks), cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
