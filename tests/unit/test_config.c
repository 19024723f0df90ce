/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: defaults, the context over it, the environment under it, and every wrong type named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cpi/config.h"
#include "tests/unit/fail_alloc.h"

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)
#define KEYS "\"access_key_id\":\"id\",\"secret_access_key\":\"secret\""

static const char *const variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION", "BOSH_CA_CERT_FILE", "AWS_CA_BUNDLE" };

static int clear_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

static const struct json *parse(struct arena *arena, const char *text)
{
	const struct json *root;
	struct error err;

	if (text == NULL)
		return NULL;
	if (json_parse(arena, text, strlen(text), CONFIG_MAX_BYTES, &root, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	return root;
}

static int build(struct arena *arena, const char *root, const char *context, struct config *ret_config,
		 struct error *err)
{
	return config_build(parse(arena, root), parse(arena, context), arena, ret_config, err);
}

/* A file with these members of aws, and these behind aws. */
static const char *file_with(struct arena *arena, const char *aws, const char *more)
{
	const char *text = arena_printf(arena, "{\"cloud\":{\"plugin\":\"aws\",\"properties\":{\"aws\":{%s}%s}}}", aws, more);

	assert_non_null(text);
	return text;
}

static void build_ok(struct arena *arena, const char *root, const char *context, struct config *ret_config)
{
	struct error err;

	if (build(arena, root, context, ret_config, &err) != 0)
		fail_msg("%s: %s", err.message, root);
}

static void test_defaults(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;
	struct error err;

	(void)state;
	build_ok(arena, file_with(arena, "\"region\":\"r\"," KEYS, ""), NULL, &config);
	assert_string_equal(config.aws.region, "r");
	assert_string_equal(config.aws.credentials_source, "static");
	assert_string_equal(config.aws.access_key_id, "id");
	assert_string_equal(config.aws.secret_access_key, "secret");
	assert_null(config.aws.session_token);
	assert_null(config.aws.role_arn);
	assert_null(config.aws.ec2_endpoint);
	assert_null(config.aws.ca_file);
	assert_int_equal(config.aws.max_retries, CONFIG_DEFAULT_MAX_RETRIES);
	assert_false(config.aws.dualstack);
	assert_false(config.encrypted);
	assert_null(config.kms_key_arn);
	assert_null(config.metadata_endpoint);
	assert_int_equal(config.api_version, 3);
	assert_true(config.time_scale >= 1.0 && config.time_scale <= 1.0);
	assert_int_equal(config.stemcell.builder, CONFIG_BUILDER_AUTO);
	assert_null(config.stemcell.ssh.host);
	assert_string_equal(config.stemcell.ssh.onhost_path, "onhost");
	assert_null(config.stemcell.properties);
	assert_null(config.agent);
	assert_false(config.fast_path_delete);
	assert_true(config.describe_instance_types);
	assert_null(config.registry_endpoint);
	assert_null(config.registry_user);
	assert_null(config.registry_password);
	assert_int_equal(config_require_aws(&config, &err), 0);
}

static void test_everything(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	build_ok(arena,
		 file_with(arena,
			   KEYS ",\"region\":\"r\",\"session_token\":\"t\",\"role_arn\":\"arn\",\"ec2_endpoint\":\"e\",\"elb_endpoint\":\"l\",\"ebs_endpoint\":\"b\","
				"\"max_retries\":8,\"dualstack\":true,\"encrypted\":true,\"kms_key_arn\":\"k\",\"metadata_endpoint\":"
				"\"http://m\",\"stemcell\":{\"builder\":\"direct\",\"onhost_path\":\"/o\",\"skip_zero_blocks\":true,"
				"\"upload_connections\":64,\"lab\":true,\"lab_devices\":\"/d\",\"kernel_id\":\"aki-inner\"}",
			   ",\"stemcell\":{\"kernel_id\":\"aki-outer\",\"boot_mode\":\"uefi\"},\"agent\":{\"ntp\":[]},\"registry\":"
			   "{\"endpoint\":\"x\",\"user\":\"u\",\"password\":12345},\"debug\":{\"cpi\":{\"api_version\":2,\"time_scale\":0.01}}"),
		 NULL, &config);
	assert_string_equal(config.aws.session_token, "t");
	assert_string_equal(config.aws.role_arn, "arn");
	assert_string_equal(config.aws.ec2_endpoint, "e");
	assert_string_equal(config.aws.elb_endpoint, "l");
	assert_string_equal(config.aws.ebs_endpoint, "b");
	assert_int_equal(config.aws.max_retries, 8);
	assert_true(config.aws.dualstack);
	assert_true(config.encrypted);
	assert_string_equal(config.kms_key_arn, "k");
	assert_string_equal(config.metadata_endpoint, "http://m");
	assert_int_equal(config.stemcell.builder, CONFIG_BUILDER_DIRECT);
	assert_string_equal(config.stemcell.onhost_path, "/o");
	assert_true(config.stemcell.skip_zero_blocks);
	assert_int_equal(config.stemcell.upload_connections, 64);
	assert_true(config.stemcell.lab);
	assert_string_equal(config.stemcell.lab_devices, "/d");
	/* aws.stemcell wins over cloud.properties.stemcell */
	assert_string_equal(json_text(json_get(config.stemcell.properties, "kernel_id")), "aki-inner");
	assert_string_equal(json_text(json_get(config.stemcell.properties, "boot_mode")), "uefi");
	assert_non_null(json_get(config.agent, "ntp"));
	assert_string_equal(config.registry_endpoint, "x");
	assert_string_equal(config.registry_user, "u");
	assert_string_equal(config.registry_password, "12345");
	assert_int_equal(config.api_version, 2);
	assert_true(config.time_scale > 0.009 && config.time_scale < 0.011);
}

/* What a template writes for a property that was left out. */
static void test_null_and_empty_are_absent(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	build_ok(arena,
		 file_with(arena,
			   "\"region\":\"\",\"role_arn\":\"\",\"session_token\":null,\"kms_key_arn\":null,\"max_retries\":null,"
			   "\"encrypted\":null,\"stemcell\":null,\"ec2_endpoint\":\"\"",
			   ",\"stemcell\":null,\"agent\":null,\"registry\":null,\"debug\":{\"cpi\":{\"api_version\":null}}"),
		 NULL, &config);
	assert_null(config.aws.region);
	assert_null(config.aws.role_arn);
	assert_null(config.aws.session_token);
	assert_null(config.aws.ec2_endpoint);
	assert_int_equal(config.aws.max_retries, 2);
	assert_int_equal(config.api_version, 3);
}

static void test_truthy(void **state)
{
	static const struct {
		const char *value;
		bool want;
	} table[] = { { "true", true }, { "false", false }, { "null", false }, { "\"yes\"", true }, { "0", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		const char *value = table[i].value;
		struct config config;
		const char *aws = arena_printf(
			arena, "\"dualstack\":%s,\"fast_path_delete\":%s,\"enable_describe_instance_types\":%s", value, value,
			value);
		build_ok(arena, file_with(arena, aws, ""), NULL, &config);
		assert_int_equal(config.aws.dualstack, table[i].want);
		assert_int_equal(config.fast_path_delete, table[i].want);
		assert_int_equal(config.describe_instance_types, table[i].want);
	}
}

/* Multi-CPI is the only way to some of them: the incumbent's template does not write fast_path_delete. */
static void test_switches_in_the_context(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	build_ok(arena, file_with(arena, "\"enable_describe_instance_types\":true", ""),
		 "{\"fast_path_delete\":\"yes\",\"enable_describe_instance_types\":false}", &config);
	assert_true(config.fast_path_delete);
	assert_false(config.describe_instance_types);
}

/* As the incumbent: without an endpoint there is none, whatever else is there. */
static void test_registry_without_endpoint(void **state)
{
	static const char *const endpoints[] = { "null", "\"\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct config config;
		const char *more = arena_printf(
			arena, ",\"registry\":{\"endpoint\":%s,\"user\":\"u\",\"password\":\"p\"}", endpoints[i]);
		build_ok(arena, file_with(arena, "", more), NULL, &config);
		assert_null(config.registry_endpoint);
		assert_null(config.registry_user);
		assert_null(config.registry_password);
	}
}

static void test_api_version_is_capped(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	build_ok(arena, file_with(arena, "", ",\"debug\":{\"cpi\":{\"api_version\":42}}"), NULL, &config);
	assert_int_equal(config.api_version, 3);
}

/* --- the context --- */

static void test_context_overrides_shallowly(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	build_ok(arena,
		 file_with(arena, KEYS ",\"region\":\"file\",\"max_retries\":8,\"stemcell\":{\"kernel_id\":\"a\",\"disk\":1}", ""),
		 "{\"director_uuid\":\"d\",\"region\":\"context\",\"access_key_id\":\"other\",\"kms_key_arn\":\"k\","
		 "\"stemcell\":{\"kernel_id\":\"b\"}}",
		 &config);
	assert_string_equal(config.aws.region, "context");
	assert_string_equal(config.aws.access_key_id, "other");
	assert_string_equal(config.aws.secret_access_key, "secret");
	assert_string_equal(config.kms_key_arn, "k");
	assert_int_equal(config.aws.max_retries, 8);
	assert_string_equal(json_text(json_get(config.stemcell.properties, "kernel_id")), "b");
	assert_null(json_get(config.stemcell.properties, "disk"));
	assert_string_equal(json_text(json_get(config.aws_properties, "director_uuid")), "d");
}

static void test_context_takes_away(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;
	struct error err;

	(void)state;
	build_ok(arena, file_with(arena, KEYS ",\"region\":\"r\"", ""),
		 "{\"credentials_source\":\"env_or_profile\",\"access_key_id\":null,\"secret_access_key\":null}", &config);
	assert_string_equal(config.aws.credentials_source, "env_or_profile");
	assert_null(config.aws.access_key_id);
	assert_int_equal(config_require_aws(&config, &err), 0);
}

static void test_context_alone(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	build_ok(arena, "{\"cloud\":{\"properties\":{}}}", "{\"region\":\"context\"}", &config);
	assert_string_equal(config.aws.region, "context");
}

/* --- the environment --- */

static void test_region_order(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	setenv("AWS_DEFAULT_REGION", "second", 1);
	build_ok(arena, file_with(arena, "", ""), NULL, &config);
	assert_string_equal(config.aws.region, "second");
	setenv("AWS_REGION", "first", 1);
	build_ok(arena, file_with(arena, "", ""), NULL, &config);
	assert_string_equal(config.aws.region, "first");
	setenv("AWS_REGION", "", 1);
	build_ok(arena, file_with(arena, "", ""), NULL, &config);
	assert_string_equal(config.aws.region, "second");
	build_ok(arena, file_with(arena, "\"region\":\"file\"", ""), NULL, &config);
	assert_string_equal(config.aws.region, "file");
	build_ok(arena, file_with(arena, "\"region\":\"file\"", ""), "{\"region\":\"context\"}", &config);
	assert_string_equal(config.aws.region, "context");
}

static void test_ca_file(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	setenv("AWS_CA_BUNDLE", "", 1);
	build_ok(arena, file_with(arena, "", ""), NULL, &config);
	assert_null(config.aws.ca_file);
	setenv("AWS_CA_BUNDLE", "/aws.pem", 1);
	build_ok(arena, file_with(arena, "", ""), NULL, &config);
	assert_string_equal(config.aws.ca_file, "/aws.pem");
	setenv("BOSH_CA_CERT_FILE", "/bosh.pem", 1);
	build_ok(arena, file_with(arena, "", ""), NULL, &config);
	assert_string_equal(config.aws.ca_file, "/bosh.pem");
}

static void test_ssh(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;

	(void)state;
	build_ok(arena,
		 file_with(arena,
			   "\"stemcell\":{\"builder\":\"ssh\",\"ssh\":{\"host\":\"h\",\"user\":\"u\",\"port\":2222,\"private_key\":"
			   "\"-----BEGIN RSA PRIVATE KEY-----\",\"private_key_file\":\"\",\"host_key\":\"ssh-ed25519 AAAA\",\"onhost_path\":"
			   "\"/o\"}}",
			   ""),
		 NULL, &config);
	assert_int_equal(config.stemcell.builder, CONFIG_BUILDER_SSH);
	assert_string_equal(config.stemcell.ssh.host, "h");
	assert_string_equal(config.stemcell.ssh.user, "u");
	assert_int_equal(config.stemcell.ssh.port, 2222);
	assert_string_equal(config.stemcell.ssh.private_key, "-----BEGIN RSA PRIVATE KEY-----");
	assert_null(config.stemcell.ssh.private_key_file);
	assert_string_equal(config.stemcell.ssh.host_key, "ssh-ed25519 AAAA");
	assert_string_equal(config.stemcell.ssh.onhost_path, "/o");
	/* as templates write what is left out */
	build_ok(arena, file_with(arena, "\"stemcell\":{\"ssh\":{\"host\":\"\",\"user\":null,\"port\":null}}", ""), NULL, &config);
	assert_null(config.stemcell.ssh.host);
	assert_null(config.stemcell.ssh.user);
	assert_int_equal(config.stemcell.ssh.port, 0);
}

static void test_no_file(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct config config;
	struct error err;

	(void)state;
	build_ok(arena, NULL, NULL, &config);
	assert_string_equal(config.aws.credentials_source, "env_or_profile");
	assert_int_equal(config.api_version, 3);
	assert_int_equal(config_require_aws(&config, &err), -1);
	setenv("AWS_REGION", "r", 1);
	build_ok(arena, NULL, NULL, &config);
	assert_int_equal(config_require_aws(&config, &err), 0);
}

/* --- what is refused --- */

struct bad {
	const char *aws;
	const char *more;
	const char *says;
};

static void test_wrong_types(void **state)
{
	static const struct bad table[] = {
		{ "\"region\":7", "", "aws.region is a number, but should be a string" },
		{ "\"region\":\"a\\u0000b\"", "", "aws.region is a string with a NUL character" },
		{ "\"access_key_id\":{}", "", "aws.access_key_id is an object" },
		{ "\"secret_access_key\":[\"hidden\"]", "", "aws.secret_access_key is an array" },
		{ "\"session_token\":true", "", "aws.session_token is true" },
		{ "\"role_arn\":1", "", "aws.role_arn is a number" },
		{ "\"ec2_endpoint\":1", "", "aws.ec2_endpoint" },
		{ "\"elb_endpoint\":1", "", "aws.elb_endpoint" },
		{ "\"metadata_endpoint\":1", "", "aws.metadata_endpoint" },
		{ "\"kms_key_arn\":1", "", "aws.kms_key_arn" },
		{ "\"credentials_source\":1", "", "aws.credentials_source is a number" },
		{ "\"credentials_source\":\"vault\"", "", "Unknown credentials_source vault" },
		{ "\"max_retries\":\"8\"", "", "aws.max_retries is a string, but should be an integer" },
		{ "\"max_retries\":1.5", "", "aws.max_retries" },
		{ "\"max_retries\":-1", "", "aws.max_retries should be from 0" },
		{ "\"max_retries\":5000000000", "", "aws.max_retries should be from 0" },
		{ "\"encrypted\":\"true\"", "", "aws.encrypted is a string, but should be true or false" },
		{ "\"stemcell\":[]", "", "aws.stemcell is an array, but should be an object" },
		{ "\"stemcell\":{\"builder\":\"cloud\"}", "", "aws.stemcell.builder is cloud, but should be auto" },
		{ "\"stemcell\":{\"builder\":1}", "", "aws.stemcell.builder is a number" },
		{ "\"stemcell\":{\"onhost_path\":1}", "", "aws.stemcell.onhost_path" },
		{ "\"stemcell\":{\"skip_zero_blocks\":\"no\"}", "", "aws.stemcell.skip_zero_blocks is a string" },
		{ "\"stemcell\":{\"upload_connections\":65}", "", "aws.stemcell.upload_connections is 65, but should be from 1 to 64" },
		{ "\"stemcell\":{\"upload_connections\":-1}", "", "aws.stemcell.upload_connections is -1" },
		{ "\"stemcell\":{\"upload_connections\":\"8\"}", "", "aws.stemcell.upload_connections is a string" },
		{ "\"stemcell\":{\"lab\":1}", "", "aws.stemcell.lab" },
		{ "\"stemcell\":{\"lab_devices\":1}", "", "aws.stemcell.lab_devices" },
		{ "\"stemcell\":{\"builder\":\"ssh\"}", "", "aws.stemcell.builder is ssh, and aws.stemcell.ssh.host is missing" },
		{ "\"stemcell\":{\"builder\":\"ssh\",\"ssh\":{\"host\":\"\"}}", "", "aws.stemcell.ssh.host is missing" },
		{ "\"stemcell\":{\"ssh\":\"h\"}", "", "aws.stemcell.ssh is a string, but should be an object" },
		{ "\"stemcell\":{\"ssh\":{\"host\":1}}", "", "aws.stemcell.ssh.host is a number, but should be a string" },
		{ "\"stemcell\":{\"ssh\":{\"user\":1}}", "", "aws.stemcell.ssh.user is a number" },
		{ "\"stemcell\":{\"ssh\":{\"port\":\"22\"}}", "", "aws.stemcell.ssh.port is a string, but should be an integer" },
		{ "\"stemcell\":{\"ssh\":{\"port\":65536}}", "", "aws.stemcell.ssh.port should be from 1 to 65535" },
		{ "\"stemcell\":{\"ssh\":{\"port\":-1}}", "", "aws.stemcell.ssh.port should be from 1 to 65535" },
		{ "\"stemcell\":{\"ssh\":{\"private_key\":[\"hidden\"]}}", "", "aws.stemcell.ssh.private_key is an array" },
		{ "\"stemcell\":{\"ssh\":{\"private_key\":\"hidden\"}}", "", "aws.stemcell.ssh.private_key is not a private key" },
		{ "\"stemcell\":{\"ssh\":{\"private_key_file\":1}}", "", "aws.stemcell.ssh.private_key_file is a number" },
		{ "\"stemcell\":{\"ssh\":{\"host_key\":{}}}", "", "aws.stemcell.ssh.host_key is an object" },
		{ "\"stemcell\":{\"ssh\":{\"onhost_path\":1}}", "", "aws.stemcell.ssh.onhost_path is a number" },
		{ "", ",\"stemcell\":7", "cloud.properties.stemcell is a number" },
		{ "", ",\"agent\":[]", "cloud.properties.agent is an array" },
		{ "", ",\"registry\":\"x\"", "cloud.properties.registry is a string" },
		{ "", ",\"registry\":{\"endpoint\":7}", "registry.endpoint is a number, but should be a string" },
		{ "", ",\"registry\":{\"endpoint\":\"x\",\"user\":[]}", "registry.user is an array" },
		{ "", ",\"registry\":{\"endpoint\":\"x\",\"password\":{\"hidden\":1}}", "registry.password is an object" },
		{ "", ",\"debug\":1", "cloud.properties.debug is a number" },
		{ "", ",\"debug\":{\"cpi\":1}", "debug.cpi is a number" },
		{ "", ",\"debug\":{\"cpi\":{\"api_version\":\"2\"}}", "debug.cpi.api_version is a string" },
		{ "", ",\"debug\":{\"cpi\":{\"api_version\":0}}", "debug.cpi.api_version should be 1, 2 or 3" },
		{ "", ",\"debug\":{\"cpi\":{\"time_scale\":\"fast\"}}", "debug.cpi.time_scale is a string" },
		{ "", ",\"debug\":{\"cpi\":{\"time_scale\":0}}", "debug.cpi.time_scale should be over 0" },
		{ "", ",\"debug\":{\"cpi\":{\"time_scale\":-1}}", "debug.cpi.time_scale should be over 0" },
		{ "", ",\"debug\":{\"cpi\":{\"time_scale\":1e300}}", "debug.cpi.time_scale should be over 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct config config = { .api_version = 77 };
		struct error err = { 0 };
		const char *text = file_with(arena, table[i].aws, table[i].more);
		if (build(arena, text, NULL, &config, &err) != -1)
			fail_msg("accepted: %s", text);
		if (err.kind != ERROR_CONFIG || strstr(err.message, table[i].says) == NULL)
			fail_msg("%s gave %s: %s", text, error_kind_name(err.kind), err.message);
		assert_null(strstr(err.message, "hidden"));
		assert_int_equal(config.api_version, 77);
	}
}

static void test_wrong_shape(void **state)
{
	static const char *const table[] = {
		"{}", "[]", "null", "{\"cloud\":{}}", "{\"cloud\":{\"properties\":null}}", "{\"cloud\":{\"properties\":[]}}",
		"{\"cloud\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct config config;
		struct error err;
		assert_int_equal(build(arena, table[i], NULL, &config, &err), -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_non_null(strstr(err.message, "Could not find cloud properties in the configuration"));
	}
}

/* The incumbent's checks, with its words. */
static void test_required(void **state)
{
	static const struct {
		const char *aws;
		const char *says; /* NULL: good */
	} table[] = {
		{ "\"region\":\"r\"," KEYS, NULL },
		{ "\"ec2_endpoint\":\"e\",\"elb_endpoint\":\"l\"," KEYS, NULL },
		{ KEYS, "missing configuration parameters > aws:region, or aws:ec2_endpoint and aws:elb_endpoint" },
		{ "\"ec2_endpoint\":\"e\"," KEYS, "missing configuration parameters > aws:region, or" },
		{ "\"region\":\"r\"", "Must use access_key_id and secret_access_key with static credentials_source" },
		{ "\"region\":\"r\",\"access_key_id\":\"id\"", "Must use access_key_id and secret_access_key with static" },
		{ "\"region\":\"r\",\"access_key_id\":\"id\",\"secret_access_key\":\"\"", "Must use access_key_id" },
		{ "\"region\":\"r\",\"credentials_source\":\"env_or_profile\"", NULL },
		{ "\"region\":\"r\",\"credentials_source\":\"env_or_profile\"," KEYS,
		  "Can't use access_key_id and secret_access_key with env_or_profile credentials_source" },
		{ "\"region\":\"r\",\"credentials_source\":\"env_or_profile\",\"access_key_id\":\"id\"", "Can't use" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct config config;
		struct error err = { 0 };
		build_ok(arena, file_with(arena, table[i].aws, ""), NULL, &config);
		assert_int_equal(config_require_aws(&config, &err), table[i].says == NULL ? 0 : -1);
		if (table[i].says == NULL)
			continue;
		assert_int_equal(err.kind, ERROR_CONFIG);
		if (strstr(err.message, table[i].says) == NULL)
			fail_msg("%s gave: %s", table[i].aws, err.message);
	}
}

/* --- the file --- */

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_read(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	char path[] = "/tmp/test_config-XXXXXX";
	const struct json *root = NULL;
	struct error err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "{\"cloud\":{\"properties\":{}}}");
	assert_int_equal(config_read(path, arena, &root, &err), 0);
	assert_non_null(json_path(root, "cloud", "properties", NULL));

	write_file(path, "{\"cloud\":");
	assert_int_equal(config_read(path, arena, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.message, path));
	assert_non_null(strstr(err.message, "is not valid JSON"));

	unlink(path);
	assert_int_equal(config_read(path, arena, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.message, path));
	assert_non_null(strstr(err.message, "No such file"));

	assert_int_equal(config_read("/", arena, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
}

static void test_no_memory(void **state)
{
	CLEANUP_ARENA struct arena *trees = arena_new(ARENA_BYTES);
	const struct json *root = parse(trees, file_with(trees, "\"region\":\"r\",\"stemcell\":{\"kernel_id\":\"a\"}", ""));
	const struct json *context = parse(trees, "{\"region\":\"s\"}");

	(void)state;
	for (long n = 0;; n++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct config config;
		struct error err = { 0 };
		fail_alloc_after(n);
		int result = config_build(root, context, arena, &config, &err);
		if (!fail_alloc_off()) {
			assert_int_equal(result, 0);
			break;
		}
		assert_int_equal(result, -1);
		assert_int_equal(err.kind, ERROR_NOMEM);
	}
}

/* From the top: the request's context, the file, one variable, the other. */
static void test_source_of_the_region(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	const char *with = file_with(arena, "\"region\":\"of-file\"", "");
	const char *without = file_with(arena, "", "");
	struct config config;

	(void)state;
	build_ok(arena, without, NULL, &config);
	assert_null(config.aws.region);
	assert_null(config.region_source);
	setenv("AWS_DEFAULT_REGION", "of-default", 1);
	build_ok(arena, without, NULL, &config);
	assert_string_equal(config.aws.region, "of-default");
	assert_string_equal(config.region_source, "AWS_DEFAULT_REGION");
	setenv("AWS_REGION", "of-variable", 1);
	build_ok(arena, without, "{\"region\":\"\"}", &config);
	assert_string_equal(config.aws.region, "of-variable");
	assert_string_equal(config.region_source, "AWS_REGION");
	build_ok(arena, with, "{}", &config);
	assert_string_equal(config.aws.region, "of-file");
	assert_string_equal(config.region_source, "aws.region of the configuration");
	build_ok(arena, with, "{\"region\":\"of-context\"}", &config);
	assert_string_equal(config.aws.region, "of-context");
	assert_string_equal(config.region_source, "region of the request's context");
}

#define TEST(function) cmocka_unit_test_setup(function, clear_environment)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_everything),
		TEST(test_null_and_empty_are_absent),
		TEST(test_truthy),
		TEST(test_switches_in_the_context),
		TEST(test_source_of_the_region),
		TEST(test_registry_without_endpoint),
		TEST(test_api_version_is_capped),
		TEST(test_context_overrides_shallowly),
		TEST(test_context_takes_away),
		TEST(test_context_alone),
		TEST(test_region_order),
		TEST(test_ca_file),
		TEST(test_ssh),
		TEST(test_no_file),
		TEST(test_wrong_types),
		TEST(test_wrong_shape),
		TEST(test_required),
		TEST(test_read),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
